"""One real number on a bounded scale, for ranking: the sigmoid of a single logit, stretched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.records import Label


@dataclass(frozen=True)
class Score:
    """A grade between ``lowest`` and ``highest``, whole or between whole ones.

    >>> float(Score(0, 2).answers(np.zeros((1, 1), np.float32)).score[0])
    1.0
    """

    lowest: float = 0.0
    highest: float = 2.0
    kind: Literal["score"] = "score"

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise ValueError(f"a scale from {self.lowest} to {self.highest} has no length")

    @property
    def outputs(self) -> int:
        return 1

    def target(self, label: Label) -> NDArray[np.float32]:
        """Place on the scale in [0, 1]; float32 ``[1]``."""
        return np.asarray([(self.number(label) - self.lowest) / (self.highest - self.lowest)], np.float32)

    def number(self, label: Label) -> float:
        """The grade itself; a soft label is the place on the scale."""
        if isinstance(label, tuple):
            place = label[0] if len(label) == 1 else None
            if not isinstance(place, float | int) or not 0 <= place <= 1:
                raise ValueError("a soft label of this head is one number from 0 to 1")
            return self.lowest + place * (self.highest - self.lowest)
        value = float(label)
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"{label!r} is outside {self.lowest:g} to {self.highest:g}")
        return value

    def name(self, number: float) -> float:
        """The grade as it is."""
        return float(number)

    def answers(self, logits: NDArray[np.float32]) -> Answers:
        """Read logits ``[n, 1]``: the score is the grade, the answer the nearest whole one."""
        place = 1 / (1 + np.exp(-np.clip(logits[:, 0], -30, 30)))
        score = (self.lowest + place * (self.highest - self.lowest)).astype(np.float32)
        return Answers(np.rint(score), score, np.empty((len(logits), 0), np.float32))

    def read(self, answers: Answers) -> list[Label]:
        """The nearest whole grades."""
        return [float(number) for number in answers.prediction.tolist()]

    def columns(self, width: int) -> tuple[str, ...]:  # noqa: ARG002
        """None: it has no classes to be sure of."""
        return ()

    def grown(self, labels: Sequence[Label]) -> "Score":
        """The same: a scale has all its labels from the start."""
        for label in labels:
            self.number(label)
        return self
