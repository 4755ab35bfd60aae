"""How sure are we of a value: bootstrap intervals, for one model and for the paired difference of two.

A resample draws units with replacement; it is kept as how often each unit was drawn, so that all resamples of a metric
are one matrix product. The same seed and number of units give the same resamples: that pairs champion and challenger.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from freshtune.judge.metrics import METRICS, Metric, Unit
from freshtune.judge.outcome_table import Floats, OutcomeTable
from freshtune.records import Estimate

RESAMPLES = 1_000
SEED = 20_240_601
_CELLS_AT_ONCE = 4_000_000


def draws(units: int, resamples: int, seed: int = SEED) -> Iterator[Floats]:
    """How often each unit is drawn in each resample, a block of resamples at a time: float64 ``[block, units]``.

    >>> [block.sum(axis=1).tolist() for block in draws(3, 2)]
    [[3.0, 3.0]]
    """
    if units * resamples <= _CELLS_AT_ONCE:
        yield _all_draws(units, resamples, seed)
        return
    random = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // max(units, 1))
    for start in range(0, resamples, block):
        yield _block(random, units, min(block, resamples - start))


@lru_cache(maxsize=2)  # a gate asks for the same resamples once a metric
def _all_draws(units: int, resamples: int, seed: int) -> Floats:
    drawn = _block(np.random.default_rng(seed), units, resamples)
    drawn.flags.writeable = False
    return drawn


def _block(random: np.random.Generator, units: int, size: int) -> Floats:
    drawn = random.integers(0, units, (size, units)) + units * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def resampled(
    metric_rows: Sequence[tuple[Metric, Floats]], resamples: int = RESAMPLES, seed: int = SEED
) -> list[Floats]:
    """Values of several metrics over the same resamples of the same units.

    Args:
        metric_rows: each metric with its ``rows``, all of equally many units.

    Returns:
        float64 ``[resamples]`` for each.
    """
    units = len(metric_rows[0][1])
    if not units:
        return [np.full(resamples, np.nan) for _ in metric_rows]
    blocks = [[metric.value(drawn @ rows) for metric, rows in metric_rows] for drawn in draws(units, resamples, seed)]
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def estimates(table: OutcomeTable, names: Sequence[str], resamples: int = RESAMPLES) -> Mapping[str, Estimate]:
    """Metrics with 95 % percentile intervals, widened to hold the value itself (resampling inflates calibration error).

    Resamples in which a metric is not defined do not count; with none left all three numbers are NaN.
    """
    found: dict[str, Estimate] = {}
    units: tuple[Unit, ...] = ("example", "query")
    for unit in units:
        mine = [name for name in names if METRICS[name].unit == unit]
        if mine:
            rows = [(METRICS[name], METRICS[name].rows(table)) for name in mine]
            for name, (metric, sums), values in zip(mine, rows, resampled(rows, resamples), strict=True):
                found[name] = _estimate(float(metric.value(sums.sum(axis=0))), values)
    return {name: found[name] for name in names}


def _estimate(value: float, values: Floats) -> Estimate:
    known = values[~np.isnan(values)]
    if np.isnan(value) or not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(value, min(float(low), value), max(float(high), value))


def paired_change(
    metric: Metric, challenger: OutcomeTable, champion: OutcomeTable, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, Floats]:
    """Gain of the challenger, positive when it is better whatever the metric's direction, and its resampled values.

    Args:
        challenger, champion: outcomes of the same examples in the same order.

    Returns:
        The gain, and float64 ``[resamples]`` without the resamples in which it is not defined.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    new, old = metric.rows(challenger), metric.rows(champion)
    both = np.concatenate([new, old], axis=1)
    gain = float(sign * (metric.value(new.sum(axis=0)) - metric.value(old.sum(axis=0))))
    if not len(both):
        return gain, np.empty(0)
    parts = []
    for drawn in draws(len(both), resamples, seed):
        sums = drawn @ both
        parts.append(sign * (metric.value(sums[:, : new.shape[1]]) - metric.value(sums[:, new.shape[1] :])))
    values = np.concatenate(parts)
    return gain, values[~np.isnan(values)]
