"""How good are answers: each metric is a value computed from sums over independent units.

A metric first turns each unit (an example; a query for ranking) into a row of numbers, then reads its value off the sum
of the rows. So a bootstrap resample is one row of a matrix product, and a metric needs no loop of its own. Values that
are not defined (nothing to judge, no probabilities, no query with anything relevant) are NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from freshtune.judge.outcome_table import Floats, OutcomeTable

Unit = Literal["example", "query"]

ECE_BINS = 15
LEAST_PROBABILITY = float(np.finfo(np.float32).eps)
NDCG_DEPTH = 10


class Metric(Protocol):
    """One way to score."""

    @property
    def higher_is_better(self) -> bool:
        """Its direction."""

    @property
    def unit(self) -> Unit:
        """What is independent of each other, and therefore resampled."""

    def rows(self, table: OutcomeTable) -> Floats:
        """Numbers to be summed, float64 ``[units, columns]``."""

    def value(self, sums: Floats) -> Floats:
        """The metric of one sum of rows or of many, float64 ``[…, columns]`` → ``[…]``."""


def _ratio(above: Floats, below: Floats) -> Floats:
    filled = np.full(np.broadcast_shapes(np.shape(above), np.shape(below)), np.nan)
    np.divide(above, below, out=filled, where=below > 0)
    return filled


@dataclass(frozen=True)
class Accuracy:
    """Share of predictions that equal the target."""

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        return np.stack([table.prediction == table.target, np.ones(len(table))], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True)
class SmoothedAccuracy:
    """Accuracy in which an answer that is nearly a tie earns a part: ½ + margin / (2 · ``tie_margin``), held in [0, 1].

    The margin is the probability of the truth minus that of the likeliest wrong answer. Two models that differ in ties
    alone flip them by chance, which makes up most of the noise of a paired accuracy; here such a flip moves little.

    >>> from freshtune.records import Outcome
    >>> measure(SmoothedAccuracy(0.25), OutcomeTable.of([Outcome("a", 1, 1, 0.5, (0.5, 0.5))]))
    0.5
    """

    tie_margin: float

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        credit = np.clip(0.5 + table.margin() / (2 * self.tie_margin), 0.0, 1.0)
        return np.stack([credit, np.ones(len(table))], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


def _one_hot_counts(table: OutcomeTable) -> Floats:
    """Targets, predictions and hits of each class or name, float64 ``[n, 3 * classes]``."""
    if table.true.shape[1]:
        return np.concatenate([table.true, table.said, table.true & table.said], axis=1).astype(np.float64)
    classes = np.unique(np.concatenate([table.target, table.prediction]))
    target = table.target[:, None] == classes
    prediction = table.prediction[:, None] == classes
    return np.concatenate([target, prediction, target & prediction], axis=1).astype(np.float64)


def _mean_of_known(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))


@dataclass(frozen=True)
class MacroF1:
    """F1 averaged over the classes among targets or predictions; scikit-learn's ``f1_score(average="macro")``."""

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        return _one_hot_counts(table)

    def value(self, sums: Floats) -> Floats:
        targets, predictions, hits = np.split(sums, 3, axis=-1)
        return _mean_of_known(_ratio(2 * hits, targets + predictions))


@dataclass(frozen=True)
class MicroF1:
    """F1 over all names that hold or were said; scikit-learn's ``f1_score(average="micro")``.

    Of one class an example it is the accuracy. Of the nodes of a tree, each with all above it, it is the hierarchical
    F1 of Kiritchenko et al., *Learning and evaluation in the presence of class hierarchies*, 2006.
    """

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        if not table.true.shape[1]:
            one = np.ones(len(table))
            return np.stack([table.prediction == table.target, one, one], axis=1)
        counts = [(table.true & table.said).sum(axis=1), table.said.sum(axis=1), table.true.sum(axis=1)]
        return np.stack(counts, axis=1).astype(np.float64)

    def value(self, sums: Floats) -> Floats:
        return _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


@dataclass(frozen=True)
class BalancedAccuracy:
    """Recall averaged over the classes that occur among targets."""

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        return _one_hot_counts(table)

    def value(self, sums: Floats) -> Floats:
        targets, _, hits = np.split(sums, 3, axis=-1)
        return _mean_of_known(_ratio(hits, targets))


@dataclass(frozen=True)
class NegativeLogLikelihood:
    """Mean of −ln P(true answer), in nats; a probability counts as at least 1.2e-7, the step of float32 at 1."""

    higher_is_better = False
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        loss = -np.log(np.clip(table.likelihood(), LEAST_PROBABILITY, 1.0))
        return np.stack([loss, np.ones(len(table))], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error: |accuracy − confidence| of 15 bins of equal width, weighted by their examples.

    Source: Guo et al., *On calibration of modern neural networks*, 2017. Bins are open below and closed above.
    """

    higher_is_better = False
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        if not table.probabilities.shape[1]:
            return np.zeros((len(table), ECE_BINS + 1))
        confidence = table.probabilities.max(axis=1)
        excess = (table.prediction == table.target) - confidence
        place = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
        return np.concatenate([excess[:, None] * np.eye(ECE_BINS)[place], np.ones((len(table), 1))], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1])


@dataclass(frozen=True)
class MeanAbsoluteError:
    """Mean distance between the real-valued score (expected star, relevance) and the target, in steps of the scale."""

    higher_is_better = False
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        return np.stack([np.abs(table.score - table.target), np.ones(len(table))], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True)
class QuadraticKappa:
    """Cohen's kappa with squared distances, over predictions; 1 where all targets and predictions are one number.

    With squared distances the table of confusions is not needed: the distance expected by chance is
    var(target) + var(prediction) + (difference of means)².
    """

    higher_is_better = True
    unit: Unit = "example"

    def rows(self, table: OutcomeTable) -> Floats:
        # Centred, so that the sums of squares keep their digits; kappa does not depend on the centre.
        centre = table.target.mean() if len(table) else 0.0
        target, prediction = table.target - centre, table.prediction - centre
        columns = [np.ones(len(table)), target, prediction, target**2, prediction**2, (target - prediction) ** 2]
        return np.stack(columns, axis=1)

    def value(self, sums: Floats) -> Floats:
        number = sums[..., 0]
        target, prediction, target2, prediction2, seen = (_ratio(sums[..., place], number) for place in range(1, 6))
        by_chance = target2 + prediction2 - 2 * target * prediction
        agreed = (number > 0) & (by_chance <= 1e-12)
        return np.where(agreed, 1.0, 1 - _ratio(seen, by_chance))


def _places(table: OutcomeTable, by: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Rows sorted by query, then by falling ``by``, equals by falling id (as trec_eval), and their places from 0."""
    rank = np.unique(table.ids, return_inverse=True)[1]
    order = np.lexsort((-rank, -by, table.group)).astype(np.int64)
    sizes = np.bincount(table.group, minlength=table.queries)
    starts = np.cumsum(sizes) - sizes
    return order, (np.arange(len(table)) - starts[table.group[order]]).astype(np.float64)


def _discounted_gain(table: OutcomeTable, by: Floats) -> Floats:
    order, place = _places(table, by)
    gain = np.maximum(table.target[order], 0.0) / np.log2(place + 2) * (place < NDCG_DEPTH)
    return np.bincount(table.group[order], weights=gain, minlength=table.queries).astype(np.float64)


@dataclass(frozen=True)
class Ndcg:
    """nDCG of a query's first ten titles, averaged over queries; the gain is the grade, as trec_eval's ``ndcg_cut``.

    A query without a grade above 0 says nothing about a ranking and is left out (trec_eval counts it as 0).
    """

    higher_is_better = True
    unit: Unit = "query"

    def rows(self, table: OutcomeTable) -> Floats:
        best = _discounted_gain(table, table.target)
        gain = _discounted_gain(table, table.score) / np.where(best > 0, best, 1.0)
        return np.stack([gain, best > 0], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


@dataclass(frozen=True)
class ReciprocalRank:
    """1 / place of the first relevant title, averaged over queries; relevant is a grade above the middle of the scale.

    A query without a relevant title is left out (trec_eval counts it as 0).
    """

    higher_is_better = True
    unit: Unit = "query"

    def rows(self, table: OutcomeTable) -> Floats:
        order, place = _places(table, table.score)
        first = np.full(table.queries, np.inf)
        relevant = table.target[order] > table.middle
        np.minimum.at(first, table.group[order][relevant], place[relevant])
        return np.stack([1 / (first + 1), np.isfinite(first)], axis=1)

    def value(self, sums: Floats) -> Floats:
        return _ratio(sums[..., 0], sums[..., 1])


METRICS: Mapping[str, Metric] = {
    "accuracy": Accuracy(),
    "micro_f1": MicroF1(),
    "macro_f1": MacroF1(),
    "balanced_accuracy": BalancedAccuracy(),
    "nll": NegativeLogLikelihood(),
    "ece": CalibrationError(),
    "mae": MeanAbsoluteError(),
    "quadratic_kappa": QuadraticKappa(),
    "ndcg_at_10": Ndcg(),
    "mrr": ReciprocalRank(),
}


def measure(metric: Metric, table: OutcomeTable) -> float:
    """The value of one metric on one table; NaN where it is not defined.

    >>> from freshtune.records import Outcome
    >>> measure(METRICS["accuracy"], OutcomeTable.of([Outcome("a", 1, 1, 1, ()), Outcome("b", 0, 1, 1, ())]))
    0.5
    """
    return float(metric.value(metric.rows(table).sum(axis=0)))
