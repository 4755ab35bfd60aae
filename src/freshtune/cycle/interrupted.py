"""An interrupted run is gone on with: the same log range, the same checkpoint, the same result."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from freshtune.learn import checkpoint
from freshtune.learn.state import Run
from freshtune.records import Example, LogRange
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_RANGE, _CHECKPOINT = "range.json", "checkpoint"


def range_of_run(shop: Workspace, task: Task, pending: LogRange) -> LogRange:
    """The range of an interrupted run that can be gone on with, else the pending one; it is noted as begun.

    Events that arrived since wait for the next update: with them, the run could not be gone on with. A run that left
    no checkpoint, or whose release was promoted before it was stopped, does not hold them up.
    """
    folder = _folder(shop, task)
    live = shop.registry.live_id(task.name)
    try:
        since, upto, began_from = orjson.loads((folder / _RANGE).read_bytes())
        goes_on = began_from == live and checkpoint.exists(folder / _CHECKPOINT)
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


def finish_run(shop: Workspace, task: Task) -> None:
    """Its release is recorded: forget the range and the checkpoint."""
    (_folder(shop, task) / _RANGE).unlink(missing_ok=True)
    checkpoint.remove(_folder(shop, task) / _CHECKPOINT)


def _folder(shop: Workspace, task: Task) -> Path:
    return shop.run_folder(task.name)
