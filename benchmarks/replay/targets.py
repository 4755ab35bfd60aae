"""What the project promised of an update, computed from what the strategies came to: targets 1, 2, 3 and 10.

Cost is the processor's time: cells are played side by side and beside other work. Costs of two kinds of processor are
not compared, so that one seed of a stream is played on one. Clocks are compared by ``--speed``.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, median
from typing import Any

import numpy as np

from benchmarks.replay.spread import Runs, final_scores, forgotten, interval, over_seeds
from freshtune.replay.figures import figures
from freshtune.replay.play import Found

OURS = "freshtune"
POINTS = 100.0


def targets(
    runs: Runs, metric: str, sizes: Mapping[int, Sequence[int]], judges: Mapping[int, Sequence[int]]
) -> dict[str, Any]:
    """All of them.

    Args:
        sizes, judges: seed → examples to learn, and held-out ones, of each part, the history first.
    """
    return {
        "1 speed": {rival: _speed(runs, rival, metric) for rival in ("naive", "lora-trainer", "linear", "tfidf-sgd")},
        "2 retraining": {rival: _retraining(runs, rival, metric, sizes) for rival in ("retrain", "textbook-retrain")},
        "3 forgetting": _forgetting(runs, metric, judges),
        "10 bytes": _bytes(runs),
    }


def _both(runs: Runs, rival: str) -> list[tuple[int, Found, Found]]:
    """Seed, freshtune and a rival, where both were played."""
    return [(seed, found[OURS], found[rival]) for seed, found in runs.items() if OURS in found and rival in found]


def _timed(runs: Runs, rival: str) -> list[tuple[int, Found, Found]]:
    """Those of ``_both`` that were played on one kind of processor."""
    return [each for each in _both(runs, rival) if each[1].processor == each[2].processor]


def _speed(runs: Runs, rival: str, metric: str) -> dict[str, Any] | None:
    """How many times less an update takes, increment by increment, and what it costs in score.

    ``reached`` says of naive that the update takes a twentieth at no lower final score and a fresh one within half a
    point, of the Trainer that it takes a fifth, and of the light rivals that they end lower. Naive is played without
    its padding here, so that it takes more than it seems to.
    """
    pairs = _both(runs, rival)
    if not pairs:
        return None
    points, drawn = final_scores(runs, (OURS, rival), metric)
    fresh = over_seeds([POINTS * (_figure(ours, metric, "fresh") - _figure(other, metric, "fresh"))
                        for _, ours, other in pairs])  # fmt: skip
    final = interval(POINTS * (points[0] - points[1]), POINTS * (drawn[:, 0] - drawn[:, 1]))
    told = {
        "times_less_cpu": over_seeds(
            [_times(ours.update_cpu_seconds, other.update_cpu_seconds) for _, ours, other in _timed(runs, rival)]
        ),
        "final_points_above": final,
        "fresh_points_above": fresh,
    }
    less = told["times_less_cpu"]["mean"]
    reached: dict[str, Callable[[], bool]] = {
        "naive": lambda: less is not None and less >= 20 and final["value"] >= 0 and fresh["mean"] >= -0.5,
        "lora-trainer": lambda: less is not None and less >= 5,
    }
    return told | {"reached": reached.get(rival, lambda: final["value"] > 0)()}


def _figure(found: Found, metric: str, name: str) -> float:
    value: float = figures({found.strategy: found}, metric)["strategies"][found.strategy][name]
    return value


def _times(ours: Sequence[float], others: Sequence[float]) -> float:
    return median(slow / fast for fast, slow in zip(ours, others, strict=False))


def _retraining(runs: Runs, rival: str, metric: str, sizes: Mapping[int, Sequence[int]]) -> dict[str, Any] | None:
    """The share of retraining's gain over frozen, and of its cost.

    Its cost over the whole stream is what it took where it was played, laid out over all increments by the number of
    examples that had arrived: it is linear in them.
    """
    pairs = _both(runs, rival)
    if not pairs:
        return None
    told: dict[str, Any] = {
        "extrapolated": any(other.extrapolated for _, _, other in pairs),
        "share_of_cpu": over_seeds([_share(ours, other, sizes[seed]) for seed, ours, other in _timed(runs, rival)]),
    }
    share = told["share_of_cpu"]["mean"]
    if rival != "retrain":
        return told | {"reached": share is not None and share <= 0.02}
    gain = _gain(runs, metric)
    told |= gain
    return told | {"reached": share is not None and share <= 0.05 and _better(gain["share_of_gain"])}


def _share(ours: Found, other: Found, sizes: Sequence[int]) -> float:
    """Of a rival's cost over the whole stream."""
    arrived = np.cumsum(sizes)
    rate = sum(other.update_cpu_seconds) / sum(arrived[number] for number in other.updated_at())
    return float(sum(ours.update_cpu_seconds) / (rate * sum(arrived[number] for number in ours.updated_at())))


def _gain(runs: Runs, metric: str) -> dict[str, Any]:
    """``share_of_gain`` is null where retraining's gain is under two standard errors: it is no yardstick there."""
    names = ("frozen", OURS, "retrain")
    points, drawn = final_scores(runs, names, metric)
    if not len(points):
        return {"gain_points": None, "retrain_gain_points": None, "share_of_gain": None, "share_of_gain_by_seed": None}
    ours, whole = points[1] - points[0], points[2] - points[0]
    ours_drawn, whole_drawn = drawn[:, 1] - drawn[:, 0], drawn[:, 2] - drawn[:, 0]
    sound = whole > 2 * np.std(whole_drawn)
    return {
        "gain_points": interval(POINTS * ours, POINTS * ours_drawn),
        "retrain_gain_points": interval(POINTS * whole, POINTS * whole_drawn),
        "share_of_gain": interval(ours / whole, ours_drawn / whole_drawn) if sound else None,
        "share_of_gain_by_seed": [
            figures(found, metric)["ratios"]["share_of_retrain_gain"] for found in runs.values() if OURS in found
        ],
    }


def _better(share: Mapping[str, float] | None) -> bool:
    return share is not None and (share["value"] > 1 or (share["value"] >= 0.95 and share["low"] >= 0.7))


def _forgetting(runs: Runs, metric: str, judges: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    """In points, signed: over seeds, and over held-out examples where the cells kept what that takes.

    ``reached`` asks that the interval over examples does not lie above 0.3, and for a third of naive's negative flips.
    """
    names = sorted({name for found in runs.values() for name in found})
    played = [name for name in names if any(found[name].scores for found in runs.values() if name in found)]
    points = {
        name: over_seeds([_forgotten(found[name], metric) for found in runs.values() if name in found])
        | {"over_examples": forgotten(runs, name, metric, judges)}
        for name in played
    }
    both = _both(runs, "naive")
    flips = over_seeds(
        [mean(ours.negative_flips) / mean(other.negative_flips) for _, ours, other in both if any(other.negative_flips)]
    )
    known = points.get(OURS, {}).get("over_examples")
    fewer = flips["mean"]
    return {
        "points": points,
        "negative_flips_over_naive": flips,
        "reached": None if known is None or fewer is None else known["low"] <= 0.3 and fewer <= 1 / 3,
    }


def _forgotten(found: Found, metric: str) -> float:
    return POINTS * _figure(found, metric, "forgetting")


def _bytes(runs: Runs) -> dict[str, Any] | None:
    """What an update sends against the whole model in fp32, which is what naive sends."""
    shares = [median(ours.update_bytes) / median(other.update_bytes) for _, ours, other in _both(runs, "naive")]
    if not shares:
        return None
    return {"share_of_whole_model": over_seeds(shares), "reached": mean(shares) <= 0.05}
