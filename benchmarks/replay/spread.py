"""How sure a figure is: over seeds by Student's t, over held-out outcomes by a paired bootstrap."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from freshtune.judge.intervals import RESAMPLES, draws
from freshtune.judge.metrics import METRICS, Metric
from freshtune.judge.outcome_table import Floats, OutcomeTable
from freshtune.replay.play import Found

Runs = Mapping[int, Mapping[str, Found]]
"""Seed → strategy → what it came to."""


def over_seeds(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean with a 95 % interval of Student's t, and each seed's own; an interval takes two seeds.

    >>> over_seeds([1.0, 3.0])["mean"], over_seeds([2.0, None])["low"]
    (2.0, None)
    """
    known = [value for value in values if value is not None]
    middle = mean(known) if known else None
    low = high = None
    if middle is not None and len(known) > 1:
        half = float(student.ppf(0.975, len(known) - 1)) * stdev(known) / len(known) ** 0.5
        low, high = middle - half, middle + half
    return {"mean": middle, "low": low, "high": high, "seeds": list(values)}


def final_scores(runs: Runs, names: Sequence[str], metric: str) -> tuple[Floats, Floats]:
    """Final scores, the mean over the seeds that all of these strategies were played with.

    One resample draws held-out examples, and takes an example that several seeds ask about in all of them, for all
    strategies alike: differences are paired, and seeds that share examples are not counted as independent.

    Returns:
        float64 ``[names]``, and resampled ``[resamples, names]``; both empty along the first axis where no seed has
        them all.
    """
    complete = [found for found in runs.values() if all(name in found and found[name].final for name in names)]
    if not complete:
        return np.empty(0), np.empty((0, len(names)))
    tables = [[OutcomeTable.of(found[name].final) for name in names] for found in complete]
    ids = np.unique(np.concatenate([table.ids for row in tables for table in row]))
    kind = METRICS[metric]
    summed = [[(np.searchsorted(ids, table.ids), kind.rows(table)) for table in row] for row in tables]
    values = [[kind.value(rows.sum(axis=0)) for _, rows in row] for row in summed]
    blocks = [
        np.mean([[kind.value(drawn[:, places] @ rows) for places, rows in row] for row in summed], axis=0).T
        for drawn in draws(len(ids), RESAMPLES)
    ]
    return np.mean(values, axis=0), np.concatenate(blocks)


def forgotten(runs: Runs, name: str, metric: str, judges: Mapping[int, Sequence[int]]) -> dict[str, float] | None:
    """Points lost from just after a part was learned to the end, the mean over parts and seeds, with its interval.

    Both scores of a part are of the same examples, and are resampled together, as in ``final_scores``.

    Args:
        judges: seed → held-out examples of each part.

    Returns:
        None where no cell kept what it answered just after a part was learned.
    """
    played = [(judges[seed], found[name]) for seed, found in runs.items() if name in found and found[name].fresh]
    if not played or any(len(found.scores) < 2 for _, found in played):
        return None
    kind = METRICS[metric]
    ids = np.unique([outcome.id for _, found in played for outcome in found.fresh])
    parts = [_part_rows(sizes, found, kind, ids) for sizes, found in played]

    def lost(drawn: Floats) -> Floats:
        """Of one weight an example or of many, ``[…, ids]`` → ``[…]``."""
        changes = [
            np.mean([kind.value(drawn[..., at] @ was) - kind.value(drawn[..., at] @ now) for at, was, now in each], 0)
            for each in parts
        ]
        return np.asarray(np.mean(changes, axis=0), np.float64)

    value = float(lost(np.ones(len(ids))))
    return interval(100 * value, 100 * np.concatenate([lost(drawn) for drawn in draws(len(ids), RESAMPLES)]))


def _part_rows(
    sizes: Sequence[int], found: Found, kind: Metric, ids: NDArray[np.str_]
) -> list[tuple[NDArray[np.int64], Floats, Floats]]:
    """Of each part that something came after: places of its examples, and a metric's rows when fresh and at the end."""
    ends = np.cumsum([0, *sizes])
    rows = []
    for start, end in pairwise(ends[: len(found.scores[-2]) + 1]):
        fresh, last = (OutcomeTable.of(each[start:end]) for each in (found.fresh, found.final))
        rows.append((np.searchsorted(ids, fresh.ids), kind.rows(fresh), kind.rows(last)))
    return rows


def interval(value: float, resampled: Floats) -> dict[str, float]:
    """A value with its 95 % percentile interval."""
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return {"value": float(value), "low": float(low), "high": float(high)}
