"""The delta against what the champion knows: are its labels sound, and what is learned from them?"""

from collections.abc import Callable
from dataclasses import dataclass

from freshtune.cycle.gathering import Gathered
from freshtune.cycle.lessons import hidden, lesson, mean_vectors
from freshtune.judge.label_test import LabelTest, examine_labels
from freshtune.learn.challenger import Challenger, Learn, tune
from freshtune.learn.fit import Step, predict
from freshtune.learn.state import Run
from freshtune.records import Finding
from freshtune.ship.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Learned:
    """A challenger, and what the delta's labels look like to the champion."""

    challenger: Challenger
    labels: Finding


def learn(
    bundle: Bundle, gathered: Gathered, settings: Learn, labels: LabelTest, run: Run, on_step: Callable[[Step], None]
) -> Learned:
    """Tune the champion's top on what is new and what is remembered.

    The champion's logits are computed once; they teach, and they witness about the labels.
    """
    new, held_out, head = gathered.delta.labelled, gathered.delta.held_out, bundle.head
    inputs = hidden([*new, *gathered.remembered, *held_out], bundle.tokens, bundle.cached)
    model, cut = bundle.top(), bundle.facts.cut
    known = predict(model, cut, inputs)
    learned = len(new) + len(gathered.remembered)
    arrived = [*range(len(new)), *range(learned, len(inputs))]
    finding = examine_labels(
        [*new, *held_out], head, head.answers(known[arrived]), mean_vectors([inputs[row] for row in arrived]), labels
    )
    material = lesson(new, gathered.remembered, inputs[:learned], settings.development)
    return Learned(tune(model, cut, head, material, known[:learned], settings, run, on_step), finding)
