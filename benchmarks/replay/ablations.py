"""What each ingredient of freshtune's recipe is worth: the same stream without it."""

from collections.abc import Mapping
from typing import Any

from benchmarks.replay.spread import Runs, final_scores, interval, over_seeds
from benchmarks.replay.targets import OURS, POINTS
from freshtune.replay.figures import figures

ABLATIONS: Mapping[str, tuple[str, ...]] = {
    "without cache": ("model.cache_gigabytes=0",),
    "without memory": ("learn.memory={name='none'}",),
    "without distillation": ("learn.losses=[{name='supervised'}]",),
    "without averaging": ("learn.average=[1.0]",),
    "without taps": ("model.taps=[1.0]",),
    "without words": ("model.words=0",),
    "without an inner layer": ("model.units=0",),
    "without a tuned trunk": ("learn.trunk.share=0",),
    "with an anchor": (
        "learn.losses=[{name='supervised'}, {name='distillation', remembered=2.0}, {name='l2_sp', weight=0.01}]",
    ),
}
"""Name → settings in the form of ``--set``. The recipe has no anchor, so that one is put in instead of left out."""


def worth(runs: Runs, metric: str) -> dict[str, Any]:
    """Each changed recipe against the whole one: points of score it ends above, and how its time compares."""
    return {name: _against(runs, name, metric) for name in ABLATIONS if any(name in found for found in runs.values())}


def _against(runs: Runs, name: str, metric: str) -> dict[str, Any]:
    both = [found for found in runs.values() if OURS in found and name in found]
    told = [figures(found, metric)["strategies"] for found in both]
    changes = {
        key: over_seeds([POINTS * (each[name][key] - each[OURS][key]) for each in told])
        for key in ("fresh", "forgetting", "negative_flips")
    }
    points, drawn = final_scores(runs, (name, OURS), metric)
    return {
        "final_points": interval(POINTS * (points[0] - points[1]), POINTS * (drawn[:, 0] - drawn[:, 1])),
        **{f"{key}_points": change for key, change in changes.items()},
        "times_the_cpu": over_seeds(
            [
                sum(found[name].update_cpu_seconds) / sum(found[OURS].update_cpu_seconds)
                for found in both
                if found[name].processor == found[OURS].processor
            ]
        ),
        "settings": list(ABLATIONS[name]),
    }
