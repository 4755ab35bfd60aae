"""Constant, and smaller whenever the development loss stands still."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Plateau:
    """The rate is cut after so many looks in a row without a lower loss; each cut begins the count anew.

    Without development data nothing is looked at and nothing is cut. ``learn.fit.patience`` ends the run after as many
    looks without gain, so it has to be the larger one.

    Attributes:
        patience: looks without gain before a cut.
        cut: what a cut multiplies the rate by.
        gain: a look gains where its loss is lower than the lowest by more than this share of it.

    >>> Plateau(patience=1, cut=0.5)(9, 99, [3.0, 2.0, 2.1, 1.9, 2.0, 2.0])
    0.125
    """

    patience: Annotated[int, Field(ge=1)] = 2
    cut: Annotated[float, Field(gt=0, lt=1)] = 0.3
    gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    name: Literal["plateau"] = "plateau"

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:  # noqa: ARG002
        cuts, waited, lowest = 0, 0, float("inf")
        for loss in looks:
            waited = 0 if loss < lowest * (1 - self.gain) else waited + 1
            lowest = min(lowest, loss)
            if waited == self.patience:
                cuts, waited = cuts + 1, 0
        return self.cut**cuts
