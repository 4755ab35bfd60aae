"""An interrupted run is gone on with: the same log range, the same checkpoint, the same result."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from freshtune.learn import checkpoint
from freshtune.learn.fit import Run
from freshtune.records import Example, LogRange
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_RANGE = "range.json"


def range_of_run(shop: Workspace, task: Task, pending: LogRange) -> LogRange:
    """The range that an interrupted run of this task had begun, else the pending one; it is noted as begun.

    Events that arrived since wait for the next update: with them, the run could not be gone on with.
    """
    path = _folder(shop, task) / _RANGE
    try:
        begun = LogRange(*orjson.loads(path.read_bytes()))
        if begun.since == pending.since and begun.upto <= pending.upto:
            return begun
    except (OSError, orjson.JSONDecodeError, TypeError):
        pass  # no run, or one that was interrupted before it had begun
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(orjson.dumps([pending.since, pending.upto]))
    fresh.replace(path)
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
    return Run(_folder(shop, task) / "checkpoint", digest.hexdigest())


def finish_run(shop: Workspace, task: Task) -> None:
    """Its release is recorded: forget the range and the checkpoint."""
    (_folder(shop, task) / _RANGE).unlink(missing_ok=True)
    checkpoint.remove(_folder(shop, task) / "checkpoint")


def _folder(shop: Workspace, task: Task) -> Path:
    return shop.run_folder(task.name)
