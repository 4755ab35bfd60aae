"""One file on one machine: SQLite in WAL mode, every commit synced to disk before it counts."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import apsw
import orjson

from freshtune.databases import keep_write_ahead_log
from freshtune.errors import FreshtuneError, IntegrityError
from freshtune.faults import fault_point
from freshtune.intake.event_log.positions import Appended, SourcePosition
from freshtune.intake.event_log.rows import dead_letter_of, dead_letter_row, event_of, event_row
from freshtune.intake.event_log.schema import migrate
from freshtune.records import DeadLetter, Event, LogRange

_Value = TypeVar("_Value", str, int)

_PAGE = 1_000
_BUSY_MS = 30_000
_COLUMNS = "SELECT position, id, kind, item, body FROM events"
_AMONG = "IN (SELECT value FROM json_each(?))"


@dataclass
class _Opened:
    lock: threading.RLock = field(default_factory=threading.RLock)
    connection: apsw.Connection | None = None


@dataclass(frozen=True)
class SqliteEventLog:
    """The event log in one SQLite file. Threads may share it; processes may open the same file.

    The file is made by the first ``append``; until then the log reads as empty.

    Attributes:
        path: the file; its folder must be there.
        max_dead_letters: the oldest beyond this many are dropped.
    """

    path: Path
    max_dead_letters: int = 100_000
    _opened: _Opened = field(default_factory=_Opened, init=False, repr=False, compare=False)

    def append(
        self, events: Sequence[Event], dead: Sequence[DeadLetter] = (), source: SourcePosition | None = None
    ) -> Appended:
        if not events and not dead and source is None:
            return Appended(0, 0, self.head())
        rows = [event_row(event) for event in events]
        with self._writing() as connection:
            before = _head(connection)
            fault_point("ingest:after_begin")
            # A row that is there already takes no position, so that positions stay without gaps.
            connection.executemany(
                "INSERT INTO events (id, kind, item, example, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                rows,
            )
            fault_point("ingest:after_events")
            self._keep_dead(connection, dead)
            if source is not None:
                connection.execute("INSERT OR REPLACE INTO sources (source, position) VALUES (?, ?)", source)
            head = _head(connection)
            fault_point("ingest:before_commit")
        fault_point("ingest:after_commit")
        return Appended(head - before, len(rows) - (head - before), head)

    def head(self) -> int:
        return int(self._rows("SELECT coalesce(max(position), 0) FROM events", (), ((0,),))[0][0])

    def read(self, within: LogRange) -> Iterator[Event]:
        since = within.since
        query = f"{_COLUMNS} WHERE position > ? AND position <= ? ORDER BY position LIMIT {_PAGE}"
        while page := self._rows(query, (since, within.upto)):
            for row in page:
                yield event_of(row)
            since = page[-1][0]

    def get(self, ids: Iterable[str]) -> dict[str, Event]:
        return {event.id: event for event in self._among(f"{_COLUMNS} WHERE id {_AMONG}", ids, ())}

    def labels(self, example_ids: Iterable[str], upto: int) -> dict[str, list[Event]]:
        query = f"{_COLUMNS} WHERE example {_AMONG} AND position <= ? ORDER BY position"
        found: dict[str, list[Event]] = {}
        for event in self._among(query, example_ids, (upto,)):
            found.setdefault(str(event.fields["example"]), []).append(event)
        return found

    def items(self, item_ids: Iterable[str], upto: int) -> dict[str, Event]:
        # SQLite takes the other columns from the row that holds the maximum.
        columns = _COLUMNS.replace("position", "max(position)")
        query = f"{columns} WHERE kind = 'item' AND item {_AMONG} AND position <= ? GROUP BY item"
        return {str(event.item): event for event in self._among(query, item_ids, (upto,))}

    def about_items(self, item_ids: Iterable[str], upto: int) -> Iterator[Event]:
        query = (
            f"{_COLUMNS.replace(', id, kind, item, body', '')} WHERE kind <> 'item' AND item {_AMONG} AND position <= ?"
        )
        positions = sorted(row[0] for page in _pages(item_ids) for row in self._rows(query, (_json(page), upto)))
        for page in _pages(positions):
            yield from map(
                event_of, self._rows(f"{_COLUMNS} WHERE position {_AMONG} ORDER BY position", (_json(page),))
            )

    def source_position(self, source: str) -> str | None:
        rows = self._rows("SELECT position FROM sources WHERE source = ?", (source,))
        return str(rows[0][0]) if rows else None

    def dead_letters(self, limit: int = 1_000) -> Iterator[DeadLetter]:
        query = "SELECT reason, detail, record, source, time FROM dead_letters ORDER BY number DESC LIMIT ?"
        return map(dead_letter_of, self._rows(query, (limit,)))

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._opened.lock:
            if self._opened.connection is not None:
                self._opened.connection.close()
                self._opened.connection = None

    def _keep_dead(self, connection: apsw.Connection, dead: Sequence[DeadLetter]) -> None:
        if not dead:
            return
        connection.executemany(
            "INSERT INTO dead_letters (reason, detail, record, source, time) VALUES (?, ?, ?, ?, ?)",
            map(dead_letter_row, dead),
        )
        connection.execute(
            "DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?",
            (self.max_dead_letters,),
        )

    def _among(self, query: str, names: Iterable[str], others: tuple[int, ...]) -> Iterator[Event]:
        for page in _pages(names):
            yield from map(event_of, self._rows(query, (_json(page), *others)))

    def _rows(self, query: str, bindings: tuple[Any, ...], absent: Sequence[Any] = ()) -> Sequence[Any]:
        """All rows of a query, ``absent`` while there is no file; at once, so that no reader holds up a checkpoint."""
        with self._opened.lock, self._explained():
            if self._opened.connection is None and not self.path.exists():
                return absent
            return self._connection().execute(query, bindings).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        """One transaction: committed and on disk, or as if it had never begun."""
        with self._opened.lock, self._explained():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connection(self) -> apsw.Connection:
        if self._opened.connection is None:
            connection = apsw.Connection(str(self.path))
            try:
                _prepare(connection)
                migrate(connection, str(self.path))
            except BaseException:
                connection.close()
                raise
            self._opened.connection = connection
        return self._opened.connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise IntegrityError(
                f"the event log {self.path} is damaged", str(error), "Put the file back from a backup."
            ) from error
        except apsw.Error as error:
            raise FreshtuneError(
                f"the event log {self.path} cannot be used; nothing of this call was kept",
                f"{type(error).__name__}: {error}",
                "Look at the disk's space, the file's rights, and other processes that hold it.",
            ) from error


def _prepare(connection: apsw.Connection) -> None:
    keep_write_ahead_log(connection, _BUSY_MS)
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -65_536)
    connection.pragma("journal_size_limit", 67_108_864)


def _head(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(position), 0) FROM events").get)


def _json(values: Sequence[str | int]) -> str:
    return orjson.dumps(values).decode()


def _pages(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    remaining = iter(values)
    while page := list(islice(remaining, _PAGE)):
        yield page
