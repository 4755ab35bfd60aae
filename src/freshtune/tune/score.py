"""One number for what was seen of a recipe, and how far two recipes lie apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freshtune.judge.case import Gate
from freshtune.judge.intervals import paired_change
from freshtune.judge.metrics import METRICS, Metric, SmoothedAccuracy, measure
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Outcome
from freshtune.tasks import Task
from freshtune.tune.play import Stage

PRICE = 3.0
"""What each point costs that an update loses of what is old, beyond what the gate allows."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good a recipe is, on a scale where more is better.

    Attributes:
        value: mean of ``fresh`` and ``old``, less ``PRICE`` times ``forgotten``: what a search looks at.
        fresh: the task's primary metric on the increments, each right after it was learned.
        old: the same on what came before the last one, at the end.
        forgotten: beyond the gate's allowance, on average over the increments; 0 where each stayed within it.
        shown: fresh and old by the task's metric as people read it, neither smoothed nor turned round.
    """

    value: float
    fresh: float
    old: float
    forgotten: float
    shown: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Judge:
    """By what a task is judged while it is tuned: as the gate judges, accuracy smoothed where the gate smooths it."""

    task: Task
    gate: Gate

    def metric(self, outcomes: Sequence[Outcome]) -> Metric:
        """The metric that decides."""
        smooth = self.task.metrics[0] == "accuracy" and self.gate.tie_margin > 0
        if smooth and outcomes and outcomes[0].probabilities:
            return SmoothedAccuracy(self.gate.tie_margin)
        return METRICS[self.task.metrics[0]]

    def score(self, stages: Sequence[Stage]) -> Score:
        """Of a recipe that was played so far; NaN where a metric is not defined."""
        last = stages[-1]
        fresh, old = self._measured(last.fresh), self._measured(last.old)
        forgotten = float(np.mean([self._forgotten(stage) for stage in stages]))
        plain = METRICS[self.task.metrics[0]]
        shown = measure(plain, OutcomeTable.of(last.fresh)), measure(plain, OutcomeTable.of(last.old))
        return Score((fresh + old) / 2 - PRICE * forgotten, fresh, old, forgotten, shown)

    def error(self, ours: Stage, theirs: Stage) -> float:
        """The standard error of the difference between two recipes' means of fresh and old, over the same examples."""
        spread = 0.0
        for mine, other in ((ours.fresh, theirs.fresh), (ours.old, theirs.old)):
            _, values = paired_change(self.metric(mine), OutcomeTable.of(mine), OutcomeTable.of(other))
            spread += float(values.var()) if len(values) else math.inf
        return math.sqrt(spread) / 2

    def _measured(self, outcomes: Sequence[Outcome]) -> float:
        metric = self.metric(outcomes)
        value = measure(metric, OutcomeTable.of(outcomes))
        return value if metric.higher_is_better else -value

    def _forgotten(self, stage: Stage) -> float:
        loss = self._measured(stage.before) - self._measured(stage.old)
        return max(0.0, loss - self.gate.old_allowance(len(stage.old)))
