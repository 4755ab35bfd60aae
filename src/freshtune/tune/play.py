"""One recipe on the stream: learned as updates learn, increment by increment, and judged after each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from freshtune.cycle.gathering import Gathered, recall
from freshtune.cycle.learning import taught, teacher_of
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.judge.evaluate import evaluate
from freshtune.learn.challenger import Learn
from freshtune.learn.memory.evidence import distance
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Delta, DeltaCounts, Example, LogRange, Outcome
from freshtune.ship.bundle import Bundle
from freshtune.tune.course import Course
from freshtune.tune.material import Part, Side


@dataclass(frozen=True, slots=True)
class Stage:
    """What was seen after one increment; outcomes of examples that were learned by nobody.

    Attributes:
        fresh: of this and all earlier increments, each right after it was learned.
        old: of what came before this increment, now.
        before: of the same, before this increment was learned.
        steps: of the loop, so far.
    """

    fresh: tuple[Outcome, ...]
    old: tuple[Outcome, ...]
    before: tuple[Outcome, ...]
    steps: int


def play(course: Course, recipe: Learn, side: Side) -> Iterator[Stage]:
    """Let a recipe learn the increments one after another.

    Args:
        side: which examples judge; what is learned does not depend on it.

    Raises:
        Diverged: a loss is not finite.
    """
    history = course.material.history
    model, steps = course.start, 0
    fresh: tuple[Outcome, ...] = ()
    kept = recipe.memory.keep((), history.learn, course.evidence())
    rehearsal, known = Rehearsal(kept), {example.id: example for example in history.learn}
    judges = list(history.judged(side))
    answers = _answers(course, model, judges)
    with TemporaryDirectory(prefix="freshtune-tune-") as name:
        for place, part in enumerate(course.material.increments):
            gathered = _gathered(course, model, recipe, part, rehearsal, known)
            inputs = course.inputs_of(gathered.to_learn)
            teacher = teacher_of(model, gathered.to_learn, inputs, gathered.said)
            challenger, gathered = taught(model, model.head, gathered, inputs, teacher, recipe)
            model = course.released(challenger.weights, Path(name) / str(place))
            rehearsal, steps = gathered.after, steps + challenger.report.steps
            known |= {example.id: example for example in part.learn}
            before, news = answers, {example.id for example in part.judged(side)}
            judges = [each for each in judges if each.id not in news] + list(part.judged(side))
            answers = _answers(course, model, judges)
            fresh = (*fresh, *(answers[id_] for id_ in answers if id_ in news))
            old = tuple(answers[id_] for id_ in answers if id_ not in news)
            yield Stage(fresh, old, tuple(before[outcome.id] for outcome in old), steps)


def _gathered(
    course: Course, model: Bundle, recipe: Learn, part: Part, before: Rehearsal, known: Mapping[str, Example]
) -> Gathered:
    """What an update would gather, out of the material instead of the log."""

    def far(examples: Sequence[Example]) -> float:
        return distance(model.head, model.predictor().logits_above(course.inputs_of(examples)), examples)

    kept, recalled = recall(recipe.memory, before, part.learn, far)
    delta = Delta(course.task.name, LogRange(0, 0), part.learn, (), (), DeltaCounts())
    remembered = tuple(known[row.id] for row in recalled)
    return Gathered(delta, remembered, before.said_of(kept), {}, Rehearsal(kept))


@dataclass(frozen=True)
class _Recited:
    """A predictor that has been asked already."""

    head: Head
    said: NDArray[np.float32]

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:  # noqa: ARG002
        return self.said


def _answers(course: Course, model: Bundle, examples: list[Example]) -> dict[str, Outcome]:
    """What a model says as it serves, by id."""
    said = model.predictor().logits_above(course.inputs_of(examples))
    card = evaluate(_Recited(model.head, said), course.task, examples, "tuning")
    return {outcome.id: outcome for outcome in card.outcomes}
