"""A replay: cells in order, each in its own process, those that are done not done again."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from freshtune import record_json
from freshtune.errors import FreshtuneError
from freshtune.replay.cell import Found, Order
from freshtune.replay.stream import Stream


def replay(
    folder: Path, stream: Stream, orders: Sequence[Order], tell: Callable[[str], None] = lambda _: None
) -> dict[str, Found]:
    """Play a stream through strategies.

    Args:
        folder: where the stream and what cells found are kept; a replay of the same goes on there.
        orders: one a strategy.
        tell: told which cell begins, and which is at hand already.

    Raises:
        FreshtuneError: a cell failed; says how it ended.
    """
    cells = folder / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    written = record_json.dumps(stream)
    if not (folder / "stream.json").exists() or (folder / "stream.json").read_bytes() != written:
        (folder / "stream.json").write_bytes(written)
    found: dict[str, Found] = {}
    for order in orders:
        name = cell_name(order, stream)
        target = cells / f"{name}.json"
        if target.exists():
            tell(f"{order.strategy}: at hand")
        else:
            tell(f"{order.strategy}: playing")
            (cells / f"{name}.order.json").write_bytes(record_json.dumps(order))
            _play(folder, name, order)
        found[order.strategy] = record_json.loads(Found, target.read_bytes())
    return found


def cell_name(order: Order, stream: Stream) -> str:
    """Says what a cell was asked: another stream, setting or recipe is another cell."""
    asked = orjson.dumps([stream.digest, record_json.to_json(order)], option=orjson.OPT_SORT_KEYS)
    return f"{order.strategy}-{hashlib.sha256(asked).hexdigest()[:12]}"


def _play(folder: Path, name: str, order: Order) -> None:
    command = [sys.executable, "-m", "freshtune.replay.cell", str(folder), name]
    environment = os.environ | {"OMP_NUM_THREADS": str(order.threads)}
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 (this program)
    if done.returncode:
        raise FreshtuneError(
            f"The strategy {order.strategy} could not be played.",
            f"Its process ended with {done.returncode}; what it said stands above.",
            "The cells that are done are kept: the same command goes on with the others.",
        )
