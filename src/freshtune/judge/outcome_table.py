"""Outcomes as columns, which is what metrics are computed on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freshtune.records import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """``n`` outcomes of one model on one held-out set.

    Attributes:
        ids: text ``[n]``.
        target, prediction, score: float64 ``[n]``, as in ``Outcome``.
        probabilities: float64 ``[n, classes]``; ``[n, 0]`` where the head has none.
        group: number of the query that an outcome belongs to, int64 ``[n]``, from 0.
        category: text ``[n]``, "" where none.
        middle: middle of the scale, above which a grade counts as relevant; NaN where there is no scale.
        true, said: of answers of several names, which hold and which were said, bool ``[n, names]``; ``[n, 0]`` where
            an answer is one.
        names: of these columns.
    """

    ids: NDArray[np.str_]
    target: Floats
    prediction: Floats
    score: Floats
    probabilities: Floats
    group: NDArray[np.int64]
    category: NDArray[np.str_]
    middle: float
    true: NDArray[np.bool_]
    said: NDArray[np.bool_]
    names: tuple[str, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], middle: float | None = None) -> "OutcomeTable":
        """Turn outcomes into columns.

        Args:
            outcomes: of one model; all with equally many probabilities.
            middle: middle of the head's scale; None takes the middle between the lowest and the highest target.

        >>> OutcomeTable.of([Outcome("a", 1, 1, 0.9, (0.1, 0.9))]).prediction
        array([1.])
        """
        target = np.array([outcome.target for outcome in outcomes], np.float64)
        if middle is None:
            middle = float(target.min() + target.max()) / 2 if len(target) else float("nan")
        classes = len(outcomes[0].probabilities) if outcomes else 0
        names = sorted({name for outcome in outcomes for name in (*outcome.true, *outcome.said)})
        return cls(
            ids=_texts([outcome.id for outcome in outcomes]),
            target=target,
            prediction=np.array([outcome.prediction for outcome in outcomes], np.float64),
            score=np.array([outcome.score for outcome in outcomes], np.float64),
            probabilities=np.array([outcome.probabilities for outcome in outcomes], np.float64).reshape(
                len(outcomes), classes
            ),
            group=np.unique(_texts([outcome.group for outcome in outcomes]), return_inverse=True)[1].astype(np.int64),
            category=_texts([outcome.category for outcome in outcomes]),
            middle=middle,
            true=_among(names, [outcome.true for outcome in outcomes]),
            said=_among(names, [outcome.said for outcome in outcomes]),
            names=tuple(names),
        )

    def __len__(self) -> int:
        return len(self.target)

    def at(self, rows: NDArray[Any]) -> "OutcomeTable":
        """The outcomes of a mask or of row numbers; queries are numbered anew."""
        return OutcomeTable(
            ids=self.ids[rows],
            target=self.target[rows],
            prediction=self.prediction[rows],
            score=self.score[rows],
            probabilities=self.probabilities[rows],
            group=np.unique(self.group[rows], return_inverse=True)[1].astype(np.int64),
            category=self.category[rows],
            middle=self.middle,
            true=self.true[rows],
            said=self.said[rows],
            names=self.names,
        )

    def among(self, names: Collection[str]) -> "OutcomeTable":
        """Answers of several names as if these alone had been asked for."""
        kept = np.array([name in names for name in self.names], np.bool_)
        true, said = self.true[:, kept], self.said[:, kept]
        right = (true == said).all(axis=1).astype(np.float64)
        return replace(
            self, true=true, said=said, names=tuple(name for name in self.names if name in names), prediction=right
        )

    @property
    def queries(self) -> int:
        """Number of distinct groups."""
        return int(self.group.max()) + 1 if len(self) else 0

    def likelihood(self) -> Floats:
        """Probability given to the true answer, float64 ``[n]``; 0 for a class that the model does not have."""
        if not self.probabilities.shape[1]:
            return np.full(len(self), np.nan)
        likelihood: Floats = np.where(self._truth(), self.probabilities, 0.0).sum(axis=1)
        return likelihood

    def margin(self) -> Floats:
        """Probability of the true answer minus that of the likeliest wrong one, float64 ``[n]`` in [-1, 1]."""
        if not self.probabilities.shape[1]:
            return np.full(len(self), np.nan)
        wrong: Floats = np.where(self._truth(), 0.0, self.probabilities).max(axis=1, initial=0.0)
        return self.likelihood() - wrong

    def _truth(self) -> NDArray[np.bool_]:
        """Where the true answer stands among the probabilities, bool ``[n, classes]``.

        A head answers with its likeliest place, so the number of its first place is prediction minus that place.
        """
        first = self.prediction - self.probabilities.argmax(axis=1)
        truth: NDArray[np.bool_] = np.rint(self.target - first)[:, None] == np.arange(self.probabilities.shape[1])
        return truth


def _among(names: Sequence[str], told: Sequence[tuple[str, ...]]) -> NDArray[np.bool_]:
    """Which of the names each outcome has, bool ``[n, names]``."""
    column = {name: place for place, name in enumerate(names)}
    has = np.zeros((len(told), len(names)), np.bool_)
    for row, held in enumerate(told):
        has[row, [column[name] for name in held]] = True
    return has


def _texts(values: list[str]) -> NDArray[np.str_]:
    # numpy drops trailing NULs of fixed-width text, so ids that differ in them alone would become one.
    return np.array(values, dtype=object) if any("\0" in value for value in values) else np.array(values, dtype=np.str_)
