"""The same rate to the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Constant:
    """The null schedule: for runs whose length is not known, or that average their weights anyway."""

    name: Literal["constant"] = "constant"

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:  # noqa: ARG002
        return 1.0
