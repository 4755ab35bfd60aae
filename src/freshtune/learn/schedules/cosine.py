"""Down along half a cosine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Cosine:
    """Slow at both ends, fast in the middle.

    Source: Loshchilov and Hutter, *SGDR: stochastic gradient descent with warm restarts*, 2017, without restarts.

    Attributes:
        floor: where it would end, as a share of the top.

    >>> round(Cosine()(2, 4, ()), 3), round(Cosine(floor=0.5)(2, 4, ()), 3)
    (0.5, 0.75)
    """

    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    name: Literal["cosine"] = "cosine"

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:  # noqa: ARG002
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * step / total)) / 2
