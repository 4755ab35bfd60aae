"""What cells came to, small enough to stay in the tree: of each held-out example the answer alone.

A document a cell, ``cells/<stream>-<seed>/<cell>.json``: a measurement that takes hours is gone on with elsewhere, and
each figure can be made again from it. Truth, ids and categories are the stream's own; scores and probabilities are
not kept, so that metrics that read answers alone can be computed.
"""

import base64
import math
import zlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import orjson

from freshtune import record_json
from freshtune.model.heads import Head, OneAnswer
from freshtune.records import Outcome
from freshtune.replay.cell import write_whole
from freshtune.replay.play import Found
from freshtune.replay.stream import Stream


def keep(path: Path, found: Found) -> None:
    """Write what a cell found, over what stands there.

    Raises:
        ValueError: an answer is no whole number of one byte.
    """
    plain = record_json.to_json(replace(found, final=(), fresh=()))
    assert isinstance(plain, dict)
    small = {**plain, "final": _packed(found.final), "fresh": _packed(found.fresh)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, orjson.dumps(small, option=orjson.OPT_APPEND_NEWLINE))


def kept(path: Path, stream: Stream, head: Head) -> Found | None:
    """The reverse of :func:`keep`; None where there is no such file.

    Args:
        head: of the whole stream: all its classes.
    """
    if not path.exists():
        return None
    small = orjson.loads(path.read_bytes())
    final, fresh = (_outcomes(small[side], stream, head) for side in ("final", "fresh"))
    return replace(record_json.from_json(Found, {**small, "final": [], "fresh": []}), final=final, fresh=fresh)


def _packed(outcomes: Iterable[Outcome]) -> str:
    """Answers as numbers of one byte, deflated."""
    answers = [outcome.prediction for outcome in outcomes]
    if not all(answer in range(256) for answer in answers):
        raise ValueError("an answer is no whole number from 0 to 255")
    return base64.b64encode(zlib.compress(np.array(answers, np.uint8).tobytes(), 9)).decode()


def _outcomes(written: str, stream: Stream, head: Head) -> tuple[Outcome, ...]:
    """Of the stream's held-out examples, in its order, as many as there are answers."""
    answers = np.frombuffer(zlib.decompress(base64.b64decode(written)), np.uint8)
    if not isinstance(head, OneAnswer):
        raise ValueError("answers of several names are no numbers of one byte")
    asked = [row for row in chain.from_iterable(part.held_out for part in stream.increments) if row.label is not None]
    return tuple(
        Outcome(row.id, head.number(row.label), float(said), math.nan, (), category=row.category or "")
        for row, said in zip(asked[: len(answers)], answers, strict=True)
        if row.label is not None
    )
