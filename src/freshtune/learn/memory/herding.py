"""Examples whose mean is the mean of all, class by class."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freshtune.learn.memory.budget import fitting
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.memory.sampled import Sampled
from freshtune.records import Example
from freshtune.strata import Standing, by_rank, standing, stratified, uniform


@dataclass(frozen=True)
class Herding(Sampled):
    """Even over classes and categories; within each, what of every delta comes nearest to its mean in features.

    A delta's examples are put in order, stratum by stratum: next comes the one that takes the mean of those chosen
    nearest to the mean of all. An example's rank is its place in that order over their number, and of several deltas
    the lowest ranks stay, so that each is represented by its size. In whatever order deltas come, the memory is the
    same; how the stream is cut into deltas matters. Source: Rebuffi et al., *iCaRL: incremental classifier and
    representation learning*, 2017, on the frozen trunk's features, of length 1.
    """

    name: Literal["herding"] = "herding"

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        arrived = [standing(example) for example in learned]
        if evidence and arrived:
            arrived = _ranked(arrived, evidence.features(), self.size)
        rows = [*kept, *arrived]
        return fitting(lambda size: stratified(rows, size, by_rank), self.size, self.max_bytes, evidence)


def _ranked(rows: Sequence[Standing], features: NDArray[np.float32], most: int) -> list[Standing]:
    """The rows with their ranks in [0, 1), in strata of their own; beyond the first ``most`` in the order of hashes."""
    strata: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place in sorted(range(len(rows)), key=lambda place: (rows[place].hash, rows[place].id)):
        strata[rows[place].stratum].append(place)
    ranked = list(rows)
    for places in strata.values():
        for rank, chosen in enumerate(herded(features[places], most)):
            row = rows[places[chosen]]
            ranked[places[chosen]] = replace(row, rank=(rank + uniform(row)) / len(places))
    return ranked


def herded(features: NDArray[np.float32], most: int) -> list[int]:
    """Row numbers in the order of herding, all of them; those after the first ``most`` as they stand.

    Args:
        features: float32 ``[n, width]``.

    >>> herded(np.asarray([[0, 1], [1, 1], [1, 0], [1, 1]], np.float32), 2)
    [1, 3, 0, 2]
    """
    vectors = features.astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    squares, towards = (vectors**2).sum(axis=1), vectors @ vectors.mean(axis=0)
    along = np.zeros(len(vectors))
    order: list[int] = []
    for number in range(1, min(most, len(vectors)) + 1):
        # of ‖mean − (chosen + vector) / number‖², the part that differs from row to row, times number²
        gaps = squares + 2 * along - 2 * number * towards
        gaps[order] = np.inf
        order.append(int(gaps.argmin()))
        along += vectors @ vectors[order[-1]]
    taken = set(order)
    return [*order, *(row for row in range(len(vectors)) if row not in taken)]
