"""A whole number on an ordered scale: one logit a threshold, "is it above?"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.model.heads.soft_labels import distribution
from freshtune.records import Label


@dataclass(frozen=True)
class Ordinal:
    """Cumulative logits: output ``k`` is the logit of P(y > lowest + k).

    Source: Frank and Hall, *A simple approach to ordinal classification*, 2001.

    >>> Ordinal(1, 5).target(3)
    array([1., 1., 0., 0.], dtype=float32)
    """

    lowest: int = 1
    highest: int = 5
    kind: Literal["ordinal"] = "ordinal"

    def __post_init__(self) -> None:
        if self.lowest >= self.highest:
            raise ValueError(f"a scale from {self.lowest} to {self.highest} has no steps")

    @property
    def outputs(self) -> int:
        return self.highest - self.lowest

    def target(self, label: Label) -> NDArray[np.float32]:
        """P(y > threshold) for each threshold; float32 ``[outputs]``. A soft label has one probability a step."""
        if isinstance(label, tuple):
            above = 1 - np.cumsum(distribution(label, self.outputs + 1))[:-1]
            return np.clip(above, 0, 1).astype(np.float32)
        return (self.number(label) > np.arange(self.lowest, self.highest)).astype(np.float32)

    def number(self, label: Label) -> float:
        """The value of a hard label; of a soft one, its likeliest value."""
        if isinstance(label, tuple):
            return float(distribution(label, self.outputs + 1).argmax()) + self.lowest
        value = float(label)
        if value not in range(self.lowest, self.highest + 1):
            raise ValueError(f"{label!r} is no whole number from {self.lowest} to {self.highest}")
        return value

    def name(self, number: float) -> int:
        """The step of the scale as a whole number."""
        return int(number)

    def answers(self, logits: NDArray[np.float32]) -> Answers:
        """Read logits ``[n, outputs]``: the likeliest step is the answer, the expected value the score."""
        above = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
        above = np.minimum.accumulate(above, axis=1)  # P(y > k) must not rise with k
        edges = np.concatenate([np.ones((len(logits), 1)), above, np.zeros((len(logits), 1))], axis=1)
        probabilities = (edges[:, :-1] - edges[:, 1:]).astype(np.float32)
        score = (probabilities @ np.arange(self.lowest, self.highest + 1)).astype(np.float32)
        return Answers((probabilities.argmax(axis=1) + self.lowest).astype(np.float32), score, probabilities)

    def read(self, answers: Answers) -> list[Label]:
        """The steps of the scale."""
        return [int(number) for number in answers.prediction.tolist()]

    def columns(self, width: int) -> tuple[str, ...]:
        """The steps that the columns of ``Answers.probabilities`` stand for."""
        return tuple(str(self.lowest + column) for column in range(width))

    def grown(self, labels: Sequence[Label]) -> "Ordinal":
        """The same: a scale has all its labels from the start."""
        for label in labels:
            self.number(label)
        return self
