"""What the trunk says about a text, computed once and kept on disk in float16.

Entries lie one after another in shards, files that are only appended to and are read through memory maps; where each
lies is in a SQLite index. Bytes are on disk before the index names them, so a crash leaves unnamed bytes at most. Every
process appends to a shard of its own. When the budget is spent the oldest shards go, except those a run has pinned.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import cast
from uuid import uuid4

import apsw
import numpy as np
from numpy.typing import NDArray

from freshtune.databases import keep_write_ahead_log
from freshtune.errors import ConfigurationError
from freshtune.model.onnx_model import Floats, Ids, Trunk

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY, file TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, shard INTEGER NOT NULL, start INTEGER NOT NULL,
  tokens INTEGER NOT NULL, width INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_of_shard ON entries (shard);
CREATE TABLE IF NOT EXISTS pins (run TEXT NOT NULL, shard INTEGER NOT NULL, since REAL NOT NULL,
  PRIMARY KEY (run, shard)) WITHOUT ROWID;
"""
_EVICTABLE = """
SELECT number, file FROM shards WHERE number NOT IN (SELECT shard FROM pins) AND number IS NOT ? ORDER BY number
"""
_SHARDS_IN_BUDGET = 16
_PIN_SECONDS = 7 * 86400.0
"""A run that was never resumed nor ended holds its shards no longer than this."""
_BUSY_MILLISECONDS = 30_000
_HIGHEST = float(np.finfo(np.float16).max)

Half = NDArray[np.float16]


def cache_key(trunk_digest: str, ids: Ids) -> bytes:
    """What names the hidden state of a text: the trunk and the ids, in 16 bytes."""
    return hashlib.blake2b(
        np.ascontiguousarray(ids, "<i4").tobytes(), digest_size=16, key=trunk_digest.encode()[:64]
    ).digest()


class TrunkCache:
    """A folder of hidden states, shared by processes.

    Args:
        folder: made if missing.
        max_bytes: budget of the shards together. What does not fit beside pinned shards is not kept.
    """

    def __init__(self, folder: Path, max_bytes: int = 2_000_000_000) -> None:
        if max_bytes < 1:
            raise ConfigurationError(f"A trunk cache of {max_bytes} bytes is too small.", "", "Set 1 or more.")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._max_bytes = folder, max_bytes
        self._maps: dict[int, Half] = {}
        self._own: int | None = None
        self._run: str | None = None
        self._index = apsw.Connection(str(folder / "index.db"))
        keep_write_ahead_log(self._index, _BUSY_MILLISECONDS)
        self._index.execute("PRAGMA synchronous = NORMAL")
        self._index.execute(_SCHEMA)
        self._drop_strays()

    def __enter__(self) -> "TrunkCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the index; memory maps go with the arrays that were given out."""
        self._maps.clear()
        self._index.close()

    @property
    def size(self) -> int:
        """Bytes of all shards together."""
        return int(self._index.execute("SELECT coalesce(sum(bytes), 0) FROM shards").get)

    def pin(self, run: str) -> None:
        """From now on keep every shard that is read or written, until :meth:`unpin`, also across processes."""
        self._run = run

    def unpin(self, run: str) -> None:
        """The run is over: its shards may be evicted."""
        self._index.execute("DELETE FROM pins WHERE run = ?", (run,))
        self._run = None if self._run == run else self._run

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Half]:
        """The entries that are there, float16 ``[t, width]``, read-only views of the shards."""
        found: dict[bytes, Half] = {}
        shards: set[int] = set()
        with self._index:
            for key in dict.fromkeys(keys):
                row = self._index.execute("SELECT shard, start, tokens, width FROM entries WHERE key = ?", (key,)).get
                values = None if row is None else self._read(*row)
                if values is not None:
                    found[key] = values
                    shards.add(row[0])
        self._pin(shards)
        return found

    def put(self, entries: Mapping[bytes, Half]) -> None:
        """Keep entries ``[t, width]``; those already there are passed over, those that find no room are dropped."""
        known = self.get(list(entries))
        new = [(key, values) for key, values in entries.items() if key not in known]
        limit = max(1, self._max_bytes // _SHARDS_IN_BUDGET)
        while new:
            count = _prefix_within(limit, (values.nbytes for _, values in new))
            self._append(new[:count], limit)
            new = new[count:]

    def _append(self, entries: Sequence[tuple[bytes, Half]], limit: int) -> None:
        size = sum(values.nbytes for _, values in entries)
        with self._index:
            self._lock()
            if not self._make_room(size):
                return
            shard, file, start = self._shard_for(size, limit)
            _append_durably(self._folder / file, start, (values for _, values in entries))
            self._index.execute("UPDATE shards SET bytes = ? WHERE number = ?", (start + size, shard))
            for key, values in entries:
                place = (key, shard, start, *values.shape)
                self._index.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)", place)
                start += values.nbytes
        self._pin({shard})
        self._own = shard
        self._maps.pop(shard, None)  # the map of before ends too early

    def _shard_for(self, size: int, limit: int) -> tuple[int, str, int]:
        """Number, file and end of this process's shard, or of a new one where that is full or evicted."""
        row = self._index.execute("SELECT file, bytes FROM shards WHERE number = ?", (self._own,)).get
        if self._own is not None and row is not None and row[1] + size <= limit:
            return self._own, row[0], row[1]
        file = f"{uuid4().hex}.f16"
        self._index.execute("INSERT INTO shards (file, bytes) VALUES (?, 0)", (file,))
        return int(self._index.last_insert_rowid()), file, 0

    def _make_room(self, size: int) -> bool:
        """Evict from the oldest on until ``size`` more bytes fit; False where pins do not allow it."""
        if self.size + size <= self._max_bytes:
            return True
        self._index.execute("DELETE FROM pins WHERE since < ?", (time.time() - _PIN_SECONDS,))
        for row in self._index.execute(_EVICTABLE, (self._own,)).fetchall():
            shard, file = cast(tuple[int, str], row)
            self._index.execute("DELETE FROM entries WHERE shard = ?", (shard,))
            self._index.execute("DELETE FROM shards WHERE number = ?", (shard,))
            self._maps.pop(shard, None)
            (self._folder / file).unlink(missing_ok=True)
            if self.size + size <= self._max_bytes:
                return True
        return False

    def _read(self, shard: int, start: int, tokens: int, width: int) -> Half | None:
        values = self._map(shard)
        first, count = start // 2, tokens * width
        if values is None or first + count > len(values):
            return None
        return values[first : first + count].reshape(tokens, width)

    def _map(self, shard: int) -> Half | None:
        if shard not in self._maps:
            row = self._index.execute("SELECT file, bytes FROM shards WHERE number = ?", (shard,)).get
            try:
                file, size = row
                self._maps[shard] = np.memmap(self._folder / file, np.float16, mode="r", shape=(size // 2,))
            except (OSError, ValueError, TypeError):  # evicted by another process, or lost with the machine's power
                return None
        return self._maps[shard]

    def _pin(self, shards: Iterable[int]) -> None:
        if self._run is not None:
            rows = [(self._run, shard, time.time()) for shard in shards]
            with self._index:
                self._index.executemany("INSERT OR REPLACE INTO pins VALUES (?, ?, ?)", rows)

    def _lock(self) -> None:
        """Take the write lock before anything is read, so that no other process writes until the transaction's end."""
        self._index.execute("UPDATE shards SET bytes = bytes WHERE 0")

    def _drop_strays(self) -> None:
        """Delete files that a crash left unnamed. Files are made under the lock, so none of them is in the making."""
        with self._index:
            self._lock()
            named = {file for (file,) in self._index.execute("SELECT file FROM shards")}
            for path in self._folder.glob("*.f16"):
                if path.name not in named:
                    path.unlink(missing_ok=True)


def _prefix_within(limit: int, sizes: Iterable[int]) -> int:
    """How many of the first sizes stay within ``limit`` together; at least one."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > limit:
            return max(1, count)
    return count + 1


def _append_durably(path: Path, start: int, values: Iterable[Half]) -> None:
    """Write from ``start`` on: bytes beyond it are those of a crash."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.seek(start)
        for array in values:
            file.write(np.ascontiguousarray(array).data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


class CachedTrunk:
    """A trunk that asks the cache first.

    Its answers are those of the trunk rounded to float16, whether they come from the cache or not.

    Args:
        trunk: asked for what is missing.
        cache: where answers are kept.
        batch: how many texts are computed before they are stored; bounds memory and what an interruption costs.
    """

    def __init__(self, trunk: Trunk, cache: TrunkCache, batch: int = 256) -> None:
        self._trunk, self._cache, self._batch = trunk, cache, batch

    @property
    def digest(self) -> str:
        return self._trunk.digest

    def hidden(self, ids: Sequence[Ids]) -> list[Floats]:
        return [values.astype(np.float32) for values in self.hidden_halves(ids)]

    def hidden_halves(self, ids: Sequence[Ids]) -> list[Half]:
        """The same in float16, without a copy of what is cached: for those who convert a batch at a time."""
        keys = [cache_key(self.digest, text) for text in ids]
        found = self._cache.get(keys)
        missing = {key: text for key, text in zip(keys, ids, strict=True) if key not in found}
        names = list(missing)
        for start in range(0, len(names), self._batch):
            part = names[start : start + self._batch]
            computed = self._trunk.hidden([missing[key] for key in part])
            new = {key: _half(values) for key, values in zip(part, computed, strict=True)}
            self._cache.put(new)
            found |= new
        return [found[key] for key in keys]


def _half(values: Floats) -> Half:
    return np.clip(values, -_HIGHEST, _HIGHEST).astype(np.float16)
