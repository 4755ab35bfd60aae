"""The delta against what the champion knows: are its labels sound, and what is learned from them?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freshtune.cycle.gathering import Gathered
from freshtune.cycle.lessons import hidden, lesson, text_vectors
from freshtune.judge.label_test import LabelTest, examine_labels
from freshtune.learn.challenger import Challenger, Learn, tune
from freshtune.learn.fit import Step
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.state import Run
from freshtune.model.heads import Head
from freshtune.model.heads.widening import widened
from freshtune.records import Example, Finding
from freshtune.ship.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Learned:
    """What an update came to.

    Attributes:
        challenger: its weights.
        labels: what the delta's labels look like to the champion.
        gathered: what was learned, with what was said of the remembered examples.
    """

    challenger: Challenger
    labels: Finding
    gathered: Gathered


def learn(
    bundle: Bundle,
    head: Head,
    gathered: Gathered,
    settings: Learn,
    labels: LabelTest,
    run: Run,
    on_step: Callable[[Step], None],
) -> Learned:
    """Tune the champion's top on what is new and what is remembered.

    The champion, as it serves, is asked once: it witnesses about the labels, and teaches what no champion before it
    has been asked about.

    Args:
        head: the champion's, or that one with the classes that came since.
    """
    new, held_out = gathered.delta.labelled, gathered.delta.held_out
    examples = [*new, *gathered.remembered, *held_out]
    inputs = hidden(examples, bundle.tokens, bundle.cached)
    teacher = widened(_teacher(bundle, examples, inputs, gathered.said), head.outputs)
    learned = len(new) + len(gathered.remembered)
    arrived = [*range(len(new)), *range(learned, len(inputs))]
    finding = examine_labels(
        [examples[row] for row in arrived],
        head,
        head.answers(teacher[arrived]),
        text_vectors(bundle.facts, [inputs[row] for row in arrived]),
        labels,
    )
    material = lesson(new, gathered.remembered, inputs[:learned], settings.development)
    model = bundle.top()
    challenger = tune(model, bundle.facts.cut, head, material, teacher[:learned], settings, run, on_step)
    seen = Evidence(head, lambda: text_vectors(bundle.facts, inputs[: len(new)]), lambda: teacher[: len(new)])
    remembering = gathered.remembering(settings.memory, seen)
    return Learned(challenger, finding, remembering.saying(teacher[len(new) : learned]))


def _teacher(
    bundle: Bundle,
    examples: Sequence[Example],
    inputs: Sequence[NDArray[np.float32]],
    said: Mapping[str, tuple[float, ...]],
) -> NDArray[np.float32]:
    """Logits ``[n, outputs]``: those that were kept, and of the others the champion's as it serves.

    What was said before the champion had all its classes is −∞ for those that came later.
    """
    outputs = bundle.head.outputs
    kept = [said.get(example.id, ()) for example in examples]
    asked = [row for row, logits in enumerate(kept) if not 0 < len(logits) <= outputs]
    teacher = np.full((len(examples), outputs), -np.inf, np.float32)
    teacher[asked] = bundle.predictor().logits_above([inputs[row] for row in asked])
    for row in set(range(len(examples))) - set(asked):
        teacher[row, : len(kept[row])] = kept[row]
    return teacher
