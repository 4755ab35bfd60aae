"""Rivals in turn in one process: what else runs on the machine slows them alike, and ratios are taken pair by pair."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

from freshtune.replay.stream import Stream
from freshtune.rivals import STRATEGIES, Extrapolates, Setting, Strategy
from freshtune.tasks import Task

RIVALS = ("freshtune", "naive", "lora-trainer", "linear")
AT_THE_END = ("retrain", "textbook-retrain")
"""Timed once, on all that has come: what they take is linear in it."""


def in_turns(
    stream: Stream, task: Task, backbone: str, threads: int, increments: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Time updates of all rivals, increment by increment: A B C D, A B C D, and so on.

    Learning the history is everyone's warm-up.

    Returns:
        Seconds of each update, by the clock and by the processor; of each rival the ratios to freshtune's on the same
        increment, with their median and spread; of retraining the share of its time that all of freshtune's updates
        took, had it retrained at each increment.
    """
    import torch

    torch.set_num_threads(threads)
    first, *rest = stream.increments
    with tempfile.TemporaryDirectory(prefix="freshtune-speed-") as name:
        playing: dict[str, Strategy] = {}
        for rival in RIVALS:
            tell(f"{rival}: history")
            folder = Path(name) / rival
            folder.mkdir()
            playing[rival] = STRATEGIES[rival](Setting(task, backbone, 128, threads, 0, folder, 0.3))
            playing[rival].begin(first.learned, first.held_out)
        clock: dict[str, list[float]] = {rival: [] for rival in RIVALS}
        processor: dict[str, list[float]] = {rival: [] for rival in RIVALS}
        for part in rest[:increments]:
            for rival, strategy in playing.items():
                started, started_cpu = time.perf_counter(), time.process_time()
                strategy.update(part.learned, part.held_out)
                clock[rival].append(time.perf_counter() - started)
                processor[rival].append(time.process_time() - started_cpu)
                tell(f"{part.name} · {rival}: {clock[rival][-1]:.1f} s")
        arrived = list(accumulate([len(part.learned) for part in (first, *rest[:increments])]))[1:]
        everything = tuple(row for part in (first, *rest[:increments]) for row in part.learned)
        again: dict[str, Any] = {}
        for rival in AT_THE_END:
            strategy = STRATEGIES[rival](Setting(task, backbone, 128, threads, 0, Path(name) / rival, 0.3))
            started = time.perf_counter()
            strategy.update(everything, ())
            seconds = time.perf_counter() - started
            if isinstance(strategy, Extrapolates):
                seconds = strategy.took.seconds
            again[rival] = {
                "seconds": seconds,
                "examples": len(everything),
                "extrapolated": isinstance(strategy, Extrapolates),
                "share_of_time": share_of_time(sum(clock["freshtune"]), seconds, arrived),
            }
            tell(f"{rival}: {seconds:.1f} s")
    return {
        "threads": threads,
        "increments": [part.name for part in rest[:increments]],
        "seconds": clock,
        "cpu_seconds": processor,
        "times_faster": {rival: _ratios(clock, rival) for rival in RIVALS[1:]},
        "times_less_cpu": {rival: _ratios(processor, rival) for rival in RIVALS[1:]},
        "retraining": again,
    }


def share_of_time(ours: float, seconds: float, arrived: Sequence[int]) -> float:
    """What all updates took, over what retraining at each of them would have.

    Args:
        ours: seconds of all updates together.
        seconds: of retraining at the last of them.
        arrived: examples that had come at each.

    >>> share_of_time(6.0, 80.0, [100, 200])
    0.05
    """
    return ours / (seconds * sum(arrived) / arrived[-1])


def _ratios(seconds: dict[str, list[float]], rival: str) -> dict[str, Any]:
    pairs = [slow / fast for slow, fast in zip(seconds[rival], seconds["freshtune"], strict=True)]
    return {"median": median(pairs), "least": min(pairs), "most": max(pairs), "pairs": pairs}


def to_stderr(words: str) -> None:
    """Where progress goes."""
    sys.stderr.write(f"{words}\n")
