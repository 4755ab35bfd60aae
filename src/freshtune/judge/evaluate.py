"""How good is a model on a held-out set: a scorecard, from true labels alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import FreshtuneError, UsageError
from freshtune.judge.intervals import estimates
from freshtune.judge.metrics import METRICS, measure
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.model.answers import Answers
from freshtune.model.heads import Head, Named, OneAnswer
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.predictor import Input, Predictor
from freshtune.records import Example, Label, Outcome, Scorecard, Source, names_of
from freshtune.tasks import Task

Truth = Callable[[Label | None], tuple[float, tuple[str, ...]]]
TRUE_SOURCES: frozenset[Source] = frozenset({"human", "behaviour"})


def evaluate(
    predictor: Predictor,
    task: Task,
    held_out: Sequence[Example],
    name: str,
    known: Mapping[str, Outcome] | None = None,
) -> Scorecard:
    """Judge a model on held-out examples.

    A class counts by its name: where the model has the classes of the task in another order, they are numbered as the
    task has them, and those that the model alone has come after.

    Args:
        predictor: the model in the form in which it is served.
        task: says which metrics count; the first is the primary one.
        held_out: labelled by people or behaviour; examples without a label are passed over. None at all, a single class
            or a single query give a scorecard too, with NaN for what is not defined (see ``judge.metrics``).
        name: of the held-out set, such as ``new`` or ``old``.
        known: outcomes of this very model by example id; those whose label still stands are not computed again.

    Returns:
        Metrics with 95 % intervals; for each category its ``examples`` and its primary metric; every outcome.

    Raises:
        UsageError: a label that a model or a rule made up, or the same example twice.
        FreshtuneError: the model answers with numbers that are not finite.
    """
    labelled, head = _true_labels(held_out, name), _numbering(predictor.head, task.head())
    truth = _truth(head, task.head())
    kept = {example.id: outcome for example in labelled if (outcome := _still(known or {}, truth, example))}
    computed = _outcomes(predictor, task, truth, [example for example in labelled if example.id not in kept])
    kept |= {outcome.id: outcome for outcome in computed}
    outcomes = tuple(kept[example.id] for example in labelled)
    table = OutcomeTable.of(outcomes, _middle(predictor.head))
    return Scorecard(name, len(outcomes), estimates(table, task.metrics), _slices(table, task.metrics[0]), outcomes)


def _true_labels(held_out: Sequence[Example], name: str) -> list[Example]:
    labelled = [example for example in held_out if example.label is not None]
    for example in labelled:
        if example.provenance.source not in TRUE_SOURCES:
            raise UsageError(
                f"example {example.id} cannot judge a model",
                f"its label in the held-out set {name!r} is {example.provenance.source}, neither human nor behaviour",
                "Keep made-up labels on the training side.",
            )
    if len({example.id for example in labelled}) < len(labelled):
        raise UsageError(f"the held-out set {name!r} names an example twice", "", "Give each example once.")
    return labelled


def _still(known: Mapping[str, Outcome], truth: Truth, example: Example) -> Outcome | None:
    """The known outcome of an example, if its label has not changed since."""
    outcome = known.get(example.id)
    return outcome if outcome and (outcome.target, outcome.true) == truth(example.label) else None


def _outcomes(predictor: Predictor, task: Task, truth: Truth, examples: Sequence[Example]) -> Iterator[Outcome]:
    if not examples:
        return
    head = _numbering(predictor.head, task.head())
    ranked = any(METRICS[metric].unit == "query" for metric in task.metrics)
    logits = predictor.logits([Input(example.text, example.pair) for example in examples])
    if not np.isfinite(logits).all():
        raise FreshtuneError(
            f"the model cannot be judged on {len(examples)} examples",
            "some of its answers are not finite numbers",
            "Its training diverged or its file is damaged: lower the learning rate, or verify the release.",
        )
    answers = head.answers(_in_order(logits, predictor.head, head))
    truths = [truth(example.label) for example in examples]
    for example, (target, true), (prediction, score, probabilities, said) in zip(
        examples, truths, _answered(head, answers, [names for _, names in truths]), strict=True
    ):
        yield Outcome(
            id=example.id,
            target=target,
            prediction=prediction,
            score=score,
            probabilities=tuple(probabilities),
            group=(example.split_key or example.text) if ranked else "",
            category=example.category or "",
            true=true,
            said=said,
        )


def _answered(
    head: Head, answers: Answers, truths: Sequence[tuple[str, ...]]
) -> Iterator[tuple[float, float, list[float], tuple[str, ...]]]:
    """Of each example its prediction, score, probabilities and the names that are said, as an outcome has them."""
    scores = answers.score.tolist()
    if isinstance(head, OneAnswer):
        rows = zip(answers.prediction.tolist(), scores, answers.probabilities.tolist(), strict=True)
        yield from ((*row, ()) for row in rows)
        return
    for label, score, truth in zip(head.read(answers), scores, truths, strict=True):
        said = names_of(label)
        yield float(said == truth), score, [], said


def _numbering(head: Head, asked: Head) -> Head:
    """The head that numbers a model's answers: its own, where that begins as the task's does."""
    if not isinstance(head, Named) or not isinstance(asked, Named):
        return head
    begins_alike = asked.labels[: head.outputs] == head.labels[: asked.outputs]
    return head if begins_alike else asked.grown(head.labels)


def _in_order(logits: NDArray[np.float32], head: Head, order: Head) -> NDArray[np.float32]:
    """Logits of a head's classes where another head has them; −∞, probability 0, for those that it alone has."""
    if not isinstance(head, Named) or not isinstance(order, Named) or head == order:
        return logits
    placed = np.full((len(logits), order.outputs), -np.inf, np.float32)
    placed[:, [order.labels.index(label) for label in head.labels]] = logits
    return placed


def _truth(head: Head, grown: Head) -> Truth:
    """From a true label to what an outcome has of it, ``target`` and ``true``.

    A class that the model does not have yet is numbered by the task's own head.
    """
    if not isinstance(head, OneAnswer) or not isinstance(grown, OneAnswer):
        return lambda label: (1.0, names_of(label))

    def numbered(label: Label | None) -> tuple[float, tuple[str, ...]]:
        if label is None:
            return float("nan"), ()
        try:
            return head.number(label), ()
        except ValueError:
            return grown.number(label), ()

    return numbered


def _middle(head: Head) -> float:
    return (head.lowest + head.highest) / 2 if isinstance(head, Ordinal | Score) else float("nan")


def _slices(table: OutcomeTable, primary: str) -> dict[str, dict[str, float]]:
    slices: dict[str, dict[str, float]] = {}
    for category in np.unique(table.category[table.category != ""]).tolist():
        part = table.at(table.category == category)
        slices[category] = {"examples": float(len(part)), primary: measure(METRICS[primary], part)}
    return slices
