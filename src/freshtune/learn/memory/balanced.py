"""A fair sample of every class in every category."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from freshtune.learn.memory.budget import fitting
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.memory.recall import fair_sample
from freshtune.records import Example
from freshtune.strata import Standing, standing, stratified


@dataclass(frozen=True)
class Balanced:
    """Even over classes and categories, however rare, and fair within each: the lowest hashes.

    In whatever order and parts examples come, the memory is the same; where ``max_bytes`` is what binds and rows
    differ in length, nearly so.

    Attributes:
        size, max_bytes: examples kept at most, and bytes of their rows.
        mix: remembered examples that an update learns beside each new one, at most.
        max_mix: the same where what is new lies as far as can be from what is known; at or below ``mix``, distance
            counts for nothing.
    """

    size: Annotated[int, Field(ge=0)] = 2_000
    max_bytes: Annotated[int, Field(ge=0)] = 8_000_000
    mix: Annotated[float, Field(ge=0)] = 1.5
    max_mix: Annotated[float, Field(ge=0)] = 0.0
    name: Literal["balanced"] = "balanced"

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        rows = [*kept, *map(standing, learned)]
        return fitting(lambda size: stratified(rows, size), self.size, self.max_bytes, evidence)

    def recall(
        self, kept: Sequence[Standing], new: int, distance: Callable[[], float] = lambda: 0.0
    ) -> tuple[Standing, ...]:
        return fair_sample(kept, new, self.mix, self.max_mix, distance)
