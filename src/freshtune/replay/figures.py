"""From what cells found to the figures that are compared."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, median
from typing import Any

import numpy as np

from freshtune.judge.intervals import estimates, paired_change
from freshtune.judge.metrics import METRICS
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.replay.play import Found


def figures(found: Mapping[str, Found], metric: str) -> dict[str, Any]:
    """Figures of each strategy, and ratios between them.

    =====================  ==========================================================================================
    fresh                  mean score on each increment's held-out right after its update
    old                    mean score on what came before it, at the same moment
    final                  score on all held-out at the end
    forgetting             mean signed drop from just after an increment was learned, with its labels, to the end
    negative_flips         mean share of held-out that was right before an update and wrong after it
    =====================  ==========================================================================================

    Args:
        metric: the task's primary one.
    """
    return {"strategies": {name: _of(each, metric) for name, each in found.items()}, "ratios": _ratios(found, metric)}


def _of(found: Found, metric: str) -> dict[str, Any]:
    final = estimates(OutcomeTable.of(found.final), (metric,))[metric] if found.final else None
    return _quality(found) | {
        "final": None if final is None else final.value,
        "begin_seconds": found.begin_seconds,
        "update_seconds": list(found.update_seconds),
        "update_cpu_seconds": list(found.update_cpu_seconds),
        "extrapolated": found.extrapolated,
        "played": list(found.updated_at()),
        "trained_params": found.trained_parameters,
        "delta_bytes": median(found.update_bytes) if found.update_bytes else 0,
        "intervals": {"final": None if final is None else [final.low, final.high]},
        "scores": [list(row) for row in found.scores],
    }


def _quality(found: Found) -> dict[str, float | None]:
    """What is null where nothing was judged, or nothing was updated."""
    updates = list(zip(found.scores[1:], map(len, found.scores), strict=False))
    return {
        "fresh": _mean([score for row, old in updates for score in row[old:]]),
        "old": _mean([mean(row[:old]) for row, old in updates]),
        "forgetting": _mean([row[part] - found.scores[-1][part] for row, part in _learned(found)]),
        "negative_flips": _mean(list(found.negative_flips)),
    }


def _learned(found: Found) -> Iterator[tuple[Sequence[float], int]]:
    """Each part with the scores just after its labels were learned, but for those that came with the last of them."""
    for part in range(len(found.scores[-1]) if found.scores else 0):
        due = part and part + found.label_delay  # the history is labelled at once
        row = next((row for row in found.scores[:-1] if len(row) > due), None)
        if row is not None:
            yield row, part


def _ratios(found: Mapping[str, Found], metric: str) -> dict[str, Any]:
    ratios: dict[str, Any] = {"speedup_vs_naive": None, "share_of_retrain": None, "share_of_retrain_gain": None}
    ours = found.get("freshtune")
    if ours is None:
        return ratios
    if "naive" in found:
        pairs = zip(found["naive"].update_seconds, ours.update_seconds, strict=False)
        ratios["speedup_vs_naive"] = median(slow / fast for slow, fast in pairs)
    if "retrain" in found and len(found["retrain"].final) == len(ours.final):
        retrained = _value(found["retrain"], metric)
        ratios["share_of_retrain"] = _value(ours, metric) / retrained
        if "frozen" in found:
            gain, spread = _gain(found["retrain"], found["frozen"], metric)
            if gain > 2 * spread:
                ratios["share_of_retrain_gain"] = _gain(ours, found["frozen"], metric)[0] / gain
    return ratios


def _gain(one: Found, other: Found, metric: str) -> tuple[float, float]:
    """By how much the first ends better, and the standard error of that."""
    gain, values = paired_change(METRICS[metric], *_together(one, other))
    return gain, float(np.std(values)) if len(values) else float("inf")


def _together(one: Found, other: Found) -> tuple[OutcomeTable, OutcomeTable]:
    known = {each.id: each for each in other.final}
    return OutcomeTable.of(one.final), OutcomeTable.of([known[each.id] for each in one.final])


def _value(found: Found, metric: str) -> float:
    return estimates(OutcomeTable.of(found.final), (metric,))[metric].value


def _mean(values: list[float]) -> float | None:
    return mean(values) if values else None
