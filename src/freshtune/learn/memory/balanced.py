"""A fair sample of every class in every category."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from freshtune.learn.memory.budget import fitting
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.memory.sampled import Sampled
from freshtune.records import Example
from freshtune.strata import Standing, standing, stratified


@dataclass(frozen=True)
class Balanced(Sampled):
    """Even over classes and categories, however rare, and fair within each: the lowest hashes.

    In whatever order and parts examples come, the memory is the same; where ``max_bytes`` is what binds and rows
    differ in length, nearly so.
    """

    name: Literal["balanced"] = "balanced"

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        rows = [*kept, *map(standing, learned)]
        return fitting(lambda size: stratified(rows, size), self.size, self.max_bytes, evidence)
