"""How logits become an answer, in numpy alone. The loss that trains a head lives in ``learn/losses/supervised.py``."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.several import Several
from freshtune.records import Label


class Head(Protocol):
    """What the last layer's numbers mean. A member is a frozen dataclass whose fields are stored with the release."""

    @property
    def kind(self) -> str:
        """Its key in HEADS."""

    @property
    def outputs(self) -> int:
        """Number of logits."""

    def target(self, label: Label) -> NDArray[np.float32]:
        """Training target of a hard or soft label, float32 ``[outputs]``; ValueError on a label outside."""

    def answers(self, logits: NDArray[np.float32]) -> Answers:
        """Read logits, float32 ``[n, outputs]``."""

    def read(self, answers: Answers) -> list[Label]:
        """Answers as the hard labels that people read."""

    def columns(self, width: int) -> tuple[str, ...]:
        """What the first ``width`` columns of ``Answers.probabilities`` are the probabilities of."""

    def grown(self, labels: Sequence[Label]) -> "Head":
        """The same head that answers with these hard labels too, its outputs in their places and new ones after them.

        A scale holds all its labels already; ValueError on one outside it.
        """


@runtime_checkable
class OneAnswer(Head, Protocol):
    """A head whose answer is a single number: the place of a class, a star, a grade."""

    def number(self, label: Label) -> float:
        """A label as the number that ``answers`` gives in ``prediction``; of a soft one its likeliest."""

    def name(self, number: float) -> str | int | float:
        """The reverse: a prediction as the label that people read."""


Named = Classes | Several
"""Heads whose answers have names, and may become more."""

HEADS: Mapping[str, type[Head]] = {"classes": Classes, "ordinal": Ordinal, "score": Score, "several": Several}
