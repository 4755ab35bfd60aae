"""The examples that the champion found hard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.learn.memory.budget import fitting
from freshtune.learn.memory.evidence import Evidence, likelihoods, margins
from freshtune.learn.memory.sampled import Sampled
from freshtune.records import Example
from freshtune.strata import Standing, by_rank, standing, stratified


@dataclass(frozen=True)
class LossAware(Sampled):
    """Even over classes and categories; within each, what lies near the border, or has the highest loss.

    An example is ranked once, by what the champion said of it before it was learned, and the lowest ranks stay, in
    whatever order they come; but what a champion says hangs on what it learned before, so the order of deltas matters.
    Sources: Lewis and Gale, *A sequential algorithm for training text classifiers*, 1994 (uncertainty); Aljundi et al.,
    *Online continual learning with maximal interfered retrieval*, 2019.

    Attributes:
        by: ``border``, the gap between the two most likely answers; ``loss``, how unlikely the label was.
        doubted: a label that was less likely than this comes last, as a mistake of whoever gave it; 0 doubts none.
    """

    by: Literal["border", "loss"] = "border"
    doubted: Annotated[float, Field(ge=0, lt=1)] = 0.02
    name: Literal["loss_aware"] = "loss_aware"

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        arrived = [standing(example) for example in learned]
        if evidence and arrived:
            ranks = self._ranks(evidence, learned)
            arrived = [replace(row, rank=float(rank)) for row, rank in zip(arrived, ranks, strict=True)]
        rows = [*kept, *arrived]
        return fitting(lambda size: stratified(rows, size, by_rank), self.size, self.max_bytes, evidence)

    def _ranks(self, evidence: Evidence, learned: Sequence[Example]) -> NDArray[np.float64]:
        """0 for the hardest, 1 for what the champion is sure of, one more where the label is doubted."""
        logits = evidence.logits()
        likely = likelihoods(evidence.head, logits, learned)
        ranks = likely if self.by == "loss" else margins(evidence.head, logits)
        return np.round(ranks + (likely < self.doubted), 6)
