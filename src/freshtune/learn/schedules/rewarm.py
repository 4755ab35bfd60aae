"""For training that goes on: up again, but not all the way, then down along half a cosine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Rewarm:
    """A champion's last run ended at a small rate; the warm-up takes an update's to a share of the top again.

    More share learns more of what is new and forgets more. Source: Gupta et al., *Continual pre-training of large
    language models: how to (re)warm your model?*, 2023.

    Attributes:
        share: of the learning rate, reached where the warm-up ends.
        floor: of that, where it would end.

    >>> Rewarm()(0, 4, ()), round(Rewarm()(2, 4, ()), 3)
    (0.5, 0.275)
    """

    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    floor: Annotated[float, Field(ge=0, le=1)] = 0.1
    name: Literal["rewarm"] = "rewarm"

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:  # noqa: ARG002
        along = (1 + math.cos(math.pi * step / total)) / 2
        return self.share * (self.floor + (1 - self.floor) * along)
