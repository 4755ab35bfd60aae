"""An interrupted run is gone on with: the same log range, the same checkpoint, the same result."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from freshtune.learn import checkpoint
from freshtune.learn.state import Run
from freshtune.records import Example, LogRange
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_RANGE, _CHECKPOINT = "range.json", "checkpoint"
ADAPTING, DISTILLING = "adapting", "distilling"
"""What comes before the task is learned, each with a checkpoint of its own: what one has done stays when the next is
interrupted."""
_CHECKPOINTS = (_CHECKPOINT, ADAPTING, DISTILLING)


def range_of_run(shop: Workspace, task: Task, pending: LogRange) -> LogRange:
    """The range of an interrupted run that can be gone on with, else the pending one; it is noted as begun.

    Events that arrived since wait for the next update: with them, the run could not be gone on with. A run that left
    no checkpoint, or whose release was promoted before it was stopped, does not hold them up.
    """
    folder = _folder(shop, task)
    live = shop.registry.live_id(task.name)
    try:
        since, upto, began_from = orjson.loads((folder / _RANGE).read_bytes())
        goes_on = began_from == live and any(checkpoint.exists(folder / name) for name in _CHECKPOINTS)
        if goes_on and since == pending.since and since < upto <= pending.upto:
            return LogRange(since, upto)
    except (OSError, ValueError, TypeError):
        pass  # no run, or one that was interrupted before it had begun
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{_RANGE}.fresh"
    fresh.write_bytes(orjson.dumps([pending.since, pending.upto, live]))
    fresh.replace(folder / _RANGE)
    return pending


def run_of(shop: Workspace, task: Task, start: str, recipe: str, examples: Sequence[Example]) -> Run:
    """The run that learns these examples.

    Args:
        start: what the weights start from: a release, or a backbone.
        recipe: digest of the settings.
    """
    digest = hashlib.sha256(f"{start}\0{recipe}".encode())
    for example in examples:
        digest.update(orjson.dumps([example.id, example.text, example.pair, example.label, example.weight]))
    return Run(_folder(shop, task) / _CHECKPOINT, digest.hexdigest())


def stage_of(run: Run, name: str, *seen: Sequence[NDArray[np.generic]]) -> Run:
    """A stage of a run: its own checkpoint, and a fingerprint of what it sees beside the run's examples.

    Args:
        name: ADAPTING or DISTILLING.
        seen: arrays that the stage's result depends on.
    """
    digest = hashlib.sha256(f"{name}\0{run.fingerprint}".encode())
    for arrays in seen:
        for array in arrays:
            digest.update(f"\0{array.shape}\0".encode() + np.ascontiguousarray(array).tobytes())
    return Run(run.folder.with_name(name), digest.hexdigest())


def finish_run(shop: Workspace, task: Task) -> None:
    """Its release is recorded: forget the range and the checkpoint."""
    (_folder(shop, task) / _RANGE).unlink(missing_ok=True)
    for name in _CHECKPOINTS:
        checkpoint.remove(_folder(shop, task) / name)


def _folder(shop: Workspace, task: Task) -> Path:
    return shop.run_folder(task.name)
