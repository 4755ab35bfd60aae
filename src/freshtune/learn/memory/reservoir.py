"""A fair sample of all that was ever learned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from freshtune.learn.memory.budget import fitting
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.memory.sampled import Sampled
from freshtune.records import Example
from freshtune.strata import Standing, by_hash, standing


@dataclass(frozen=True)
class Reservoir(Sampled):
    """In the proportions of the stream: what is rare there is rare here. The lowest hashes of all.

    In whatever order and parts examples come, the memory is the same. Source: Vitter, *Random sampling with a
    reservoir*, 1985; with hashes for random numbers (bottom-k), so that two samples can be merged.
    """

    name: Literal["reservoir"] = "reservoir"

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        rows = sorted({row.id: row for row in (*kept, *map(standing, learned))}.values(), key=by_hash)
        return fitting(lambda size: tuple(rows[:size]), self.size, self.max_bytes, evidence)
