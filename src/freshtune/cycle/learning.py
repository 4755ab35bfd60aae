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
    teacher = widened(teacher_of(bundle, examples, inputs, gathered.said), head.outputs)
    learned = len(new) + len(gathered.remembered)
    arrived = [*range(len(new)), *range(learned, len(inputs))]
    finding = examine_labels(
        [examples[row] for row in arrived],
        head,
        head.answers(teacher[arrived]),
        text_vectors(bundle.facts, [inputs[row] for row in arrived]),
        labels,
    )
    challenger, told = taught(bundle, head, gathered, inputs[:learned], teacher[:learned], settings, run, on_step)
    return Learned(challenger, finding, told)


def taught(
    bundle: Bundle,
    head: Head,
    gathered: Gathered,
    inputs: Sequence[NDArray[np.float32]],
    teacher: NDArray[np.float32],
    settings: Learn,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> tuple[Challenger, Gathered]:
    """The challenger, and the material with what is remembered from now on.

    Args:
        head: the challenger's.
        inputs: the trunk's output of ``gathered.to_learn``, float32 ``[t_i, width]`` each.
        teacher: of the same, see :func:`teacher_of`.
    """
    new = len(gathered.delta.labelled)
    material = lesson(gathered.delta.labelled, gathered.remembered, inputs, settings.development)
    challenger = tune(bundle.top(), bundle.facts.cut, head, material, teacher, settings, run, on_step)
    seen = Evidence(head, lambda: text_vectors(bundle.facts, inputs[:new]), lambda: teacher[:new])
    return challenger, gathered.remembering(settings.memory, seen).saying(teacher[new:])


def teacher_of(
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
