"""A replay: cells in order, each in its own process, those that are done not done again."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import orjson

from freshtune import record_json
from freshtune.errors import FreshtuneError
from freshtune.records import Json
from freshtune.replay.cell import Order, write_whole
from freshtune.replay.play import Found
from freshtune.replay.stream import Stream

_STDERR = 2
"""Where all that a cell prints goes: some libraries print, and stdout is the replay's data."""


def replay(
    folder: Path,
    stream: Stream,
    orders: Sequence[Order],
    tell: Callable[[str], None] = lambda _: None,
    again: bool = False,
) -> dict[str, Found]:
    """Play a stream through strategies.

    Args:
        folder: where the stream and what cells found are kept; a replay of the same goes on there.
        orders: one a strategy.
        tell: told which cell begins, and which is at hand already.
        again: play what is at hand, too.

    Returns:
        What each came to, by what it is called.

    Raises:
        FreshtuneError: a cell failed; says how it ended.
    """
    recorded = folder / f"stream-{stream.digest[:12]}.json"
    cells = folder / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    if not recorded.exists():
        write_whole(recorded, record_json.dumps(stream))
    found: dict[str, Found] = {}
    for order in orders:
        known = None if again else at_hand(folder, stream, order)
        tell(f"{order.title}: {'playing' if known is None else 'at hand'}")
        if known is None:
            name = cell_name(order, stream)
            write_whole(cells / f"{name}.order.json", record_json.dumps(order))
            _play(recorded, cells / name, order)
            known = at_hand(folder, stream, order)
        if known is not None:
            found[order.title] = known
    return found


def at_hand(folder: Path, stream: Stream, order: Order) -> Found | None:
    """What a cell found that was played before; None where it was not."""
    path = folder / "cells" / f"{cell_name(order, stream)}.json"
    return record_json.loads(Found, path.read_bytes()) if path.exists() else None


def cell_name(order: Order, stream: Stream) -> str:
    """Says what a cell was asked: another stream, setting or recipe is another cell."""
    asked = {key: value for key, value in _plain(order).items() if value is not None}
    written = orjson.dumps([stream.digest, asked], option=orjson.OPT_SORT_KEYS)
    return f"{order.strategy}-{hashlib.sha256(written).hexdigest()[:12]}"


def _plain(order: Order) -> dict[str, Json]:
    return {part.name: record_json.to_json(getattr(order, part.name)) for part in fields(order)}


def _play(stream: Path, cell: Path, order: Order) -> None:
    command = [sys.executable, "-m", "freshtune.replay.cell", str(stream), str(cell)]
    environment = os.environ | {"OMP_NUM_THREADS": str(order.threads)}
    done = subprocess.run(command, env=environment, stdout=_STDERR, check=False)  # noqa: S603 (this program)
    if done.returncode:
        raise FreshtuneError(
            f"The strategy {order.title} could not be played.",
            f"Its process ended with {done.returncode}; what it said stands above.",
            "The cells that are done are kept: the same command goes on with the others.",
        )
