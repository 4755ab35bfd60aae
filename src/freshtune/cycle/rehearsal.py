"""What a release hands to the next update: whom to remember, and who judges. Ids and logits; texts stay in the log."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from freshtune.errors import IntegrityError
from freshtune.judge.windows import Windows
from freshtune.strata import Standing

_HASH_BYTES = 7
_UNRANKED = float("nan")

Columns = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The memory, and the held-out windows, as they are when the release is live.

    Attributes:
        said: what the champion of its time said of a remembered example when it was recalled for the first time,
            logits by id, each a number of half precision. It goes on teaching: later champions, each a little further
            off, do not.
    """

    memory: tuple[Standing, ...] = ()
    windows: Windows = Windows()
    said: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def said_of(self, rows: Iterable[Standing]) -> dict[str, tuple[float, ...]]:
        """What was said of some examples, where something was."""
        return {row.id: self.said[row.id] for row in rows if row.id in self.said}

    def write(self, path: Path) -> None:
        """As safetensors, a tensor a column; what is said of an example that is not in the memory is left out.

        =============  =======  ==========================================================================
        ``sides``      int64    rows of the memory, of ``new`` and of ``old``, which follow one another
        ``strata``     uint8    json: the label and the category of every stratum
        ``stratum``    uint16   place in ``strata``, or uint32 where there are more
        ``hash``       uint8    ``[rows, 7]``
        ``id_bytes``   uint16   length of an id, twice that and 1 where it is hexadecimal and kept as its bytes
        ``ids``        uint8    all ids
        ``rank``       float64  not a number where no memory ranked it; left out where none is ranked
        ``outputs``    uint16   number of logits, of the memory's rows
        ``logits``     float16  all logits
        =============  =======  ==========================================================================
        """
        from safetensors.numpy import save_file

        save_file(dict(self._columns()), path)

    @staticmethod
    def read(path: Path) -> "Rehearsal":
        """The reverse of :meth:`write`; IntegrityError where the file is none."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            columns = load_file(path)
            ends = np.cumsum([0, *columns["sides"].tolist()]).tolist()
            rows = list(_rows(columns))
            memory, new, old = (tuple(rows[start:end]) for start, end in pairwise(ends))
            said = dict(_said(columns, memory))
        except (OSError, SafetensorError, KeyError, IndexError, ValueError, TypeError) as error:
            raise IntegrityError(f"{path.name} of the release cannot be read.", str(error)) from None
        return Rehearsal(memory, Windows(new, old), said)

    def _columns(self) -> Iterator[tuple[str, NDArray[np.generic]]]:
        sides = (self.memory, self.windows.new, self.windows.old)
        rows = [row for side in sides for row in side]
        strata = sorted({row.stratum for row in rows})
        place = {stratum: number for number, stratum in enumerate(strata)}
        ids, spoken = [_packed(row.id) for row in rows], [self.said.get(row.id, ()) for row in self.memory]
        yield "sides", np.array([len(side) for side in sides], np.int64)
        yield "strata", _bytes(orjson.dumps(strata))
        yield "stratum", np.array([place[row.stratum] for row in rows], np.min_scalar_type(max(len(strata), 1 << 15)))
        yield "hash", _bytes(b"".join(row.hash.to_bytes(_HASH_BYTES) for row in rows)).reshape(-1, _HASH_BYTES)
        yield "id_bytes", np.array([2 * len(packed) + is_hex for packed, is_hex in ids], np.uint16)
        yield "ids", _bytes(b"".join(packed for packed, _ in ids))
        if any(row.rank is not None for row in rows):
            yield "rank", np.array([_UNRANKED if row.rank is None else row.rank for row in rows], np.float64)
        yield "outputs", np.array([len(logits) for logits in spoken], np.uint16)
        yield "logits", np.array([value for logits in spoken for value in logits], np.float16)


def as_kept(logits: NDArray[np.float32]) -> list[tuple[float, ...]]:
    """Logits ``[n, outputs]`` as a release keeps them: in half precision, the largest and smallest that it has.

    Classes that were not known when it was said, at −∞, come last and are left out.
    """
    bound = float(np.finfo(np.float16).max)
    rounded = logits.clip(-bound, bound).astype(np.float16)
    return [tuple(row[~unknown].tolist()) for row, unknown in zip(rounded, np.isneginf(logits), strict=True)]


def _bytes(content: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(content, np.uint8)


def _packed(identity: str) -> tuple[bytes, bool]:
    """The bytes of an id, and whether they are what its hexadecimal digits stand for."""
    try:
        packed = bytes.fromhex(identity)
    except ValueError:
        packed = b""
    if packed and packed.hex() == identity:
        return packed, True
    return identity.encode(), False


def _rows(columns: Columns) -> Iterator[Standing]:
    strata = orjson.loads(columns["strata"].tobytes())
    hashes, ids = columns["hash"].tobytes(), columns["ids"].tobytes()
    ranks: Sequence[float] = columns["rank"].tolist() if "rank" in columns else [_UNRANKED] * len(columns["stratum"])
    start = 0
    for number, (stratum, size, rank) in enumerate(
        zip(columns["stratum"].tolist(), columns["id_bytes"].tolist(), ranks, strict=True)
    ):
        label, category = strata[stratum]
        packed = ids[start : start + size // 2]
        start += size // 2
        identity = packed.hex() if size % 2 else packed.decode()
        hash_ = int.from_bytes(hashes[_HASH_BYTES * number : _HASH_BYTES * (number + 1)])
        yield Standing(identity, label, category, hash_, None if np.isnan(rank) else rank)


def _said(columns: Columns, memory: Sequence[Standing]) -> Iterator[tuple[str, tuple[float, ...]]]:
    logits: list[float] = columns["logits"].tolist()
    start = 0
    for row, outputs in zip(memory, columns["outputs"].tolist(), strict=True):
        if outputs:
            yield row.id, tuple(logits[start : start + outputs])
        start += outputs
