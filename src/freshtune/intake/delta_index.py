"""What is known of each task's examples: cluster, side and every label said, so that a delta costs what is new.

One SQLite file beside the log, folded forward from it in log order, a chunk a transaction. It holds nothing of its own:
it is a function of the log, and a file that is lost is folded again.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import apsw
import orjson

from freshtune.databases import keep_write_ahead_log
from freshtune.errors import IntegrityError
from freshtune.intake.near_duplicates import NearDuplicates
from freshtune.intake.standings import Member, Standings
from freshtune.records import Label

_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS folded (task TEXT PRIMARY KEY, settings TEXT NOT NULL, upto INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS members (
  task TEXT, example TEXT, cluster INTEGER NOT NULL, bucket INTEGER NOT NULL, event INTEGER NOT NULL,
  position INTEGER NOT NULL, how TEXT NOT NULL, PRIMARY KEY (task, example)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_by_position ON members (task, position);
CREATE INDEX IF NOT EXISTS members_by_cluster ON members (cluster, position, event);
CREATE TABLE IF NOT EXISTS late_labels (
  task TEXT, example TEXT, position INTEGER, label TEXT NOT NULL, PRIMARY KEY (task, example, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS late_labels_by_position ON late_labels (task, position);
CREATE TABLE IF NOT EXISTS statements (
  cluster INTEGER, position INTEGER, known INTEGER NOT NULL, task TEXT NOT NULL, label TEXT NOT NULL,
  late INTEGER NOT NULL, PRIMARY KEY (cluster, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS statements_by_known ON statements (task, known);
CREATE TABLE IF NOT EXISTS refused_labels (task TEXT, position INTEGER, PRIMARY KEY (task, position)) WITHOUT ROWID;
"""
_TABLES = ("folded", "members", "late_labels", "statements", "refused_labels")


class LateLabel(NamedTuple):
    """A label that a label event gives to an example, known or not yet known."""

    example: str
    position: int
    label: Label


class DeltaIndex:
    """The index of every task of one workspace.

    Args:
        path: the file, made if it is missing.
        dry: nothing is written: what is folded is undone on ``close``, and a missing file stays missing.

    Raises:
        IntegrityError: the file is no index, or a newer one.
    """

    def __init__(self, path: Path, dry: bool = False) -> None:
        self._path, self._dry = path, dry
        self._db = apsw.Connection(":memory:" if dry and not path.exists() else str(path))
        try:
            self._open()
        except (apsw.NotADBError, apsw.CorruptError) as error:
            self._db.close(True)
            raise self._unreadable(str(error)) from error
        except BaseException:
            self._db.close(True)
            raise

    def _open(self) -> None:
        keep_write_ahead_log(self._db, 30_000)
        self._db.transaction_mode = "IMMEDIATE"  # two processes fold one after the other, never half and half
        # Lost last transactions are folded again, so that NORMAL is durable enough; the cache is 64 MB.
        self._db.execute("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536")
        version = self._db.pragma("user_version")
        if version not in (0, _VERSION):
            raise self._unreadable(f"it has version {version}, this freshtune reads {_VERSION}")
        if self._dry:
            # Without spilling, uncommitted pages never reach the disk.
            self._db.execute("PRAGMA cache_spill = OFF; BEGIN")
        with self._db:
            self._db.execute(_SCHEMA)
            self.texts = NearDuplicates(self._db)
            self.standings = Standings(self._db)
            if version == 0:
                self._db.pragma("user_version", _VERSION)

    def _unreadable(self, why: str) -> IntegrityError:
        return IntegrityError(
            f"the index {self._path.name} cannot be read", why, "Remove the file: it is made again from the log."
        )

    def close(self) -> None:
        """Close the file; a dry index forgets what it has folded."""
        if self._dry and self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._db.close()

    def __enter__(self) -> "DeltaIndex":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def transaction(self) -> apsw.Connection:
        """All or nothing: ``with index.transaction(): …``."""
        return self._db

    def folded(self, task: str, settings: str, head: int) -> int:
        """Where a task's part is folded to; 0, and emptied, when its settings changed or the log is shorter now."""
        row = self._db.execute("SELECT settings, upto FROM folded WHERE task = ?", (task,)).fetchone()
        if row and row[0] == settings and row[1] <= head:
            return int(row[1])
        with self._db:
            if row:
                self._forget(task)
            self._db.execute("INSERT INTO folded VALUES (?, ?, 0)", (task, settings))
        return 0

    def _forget(self, task: str) -> None:
        clusters = "SELECT cluster FROM members WHERE task = ?"
        self._db.execute(f"DELETE FROM statements WHERE cluster IN ({clusters})", (task,))  # noqa: S608
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table} WHERE task = ?", (task,))  # noqa: S608
        for space in (task, split_space(task)):
            self.texts.forget(space)

    def upto(self, task: str) -> int:
        """Where the folding of a task stands, as last committed by any process."""
        row = self._db.execute("SELECT upto FROM folded WHERE task = ?", (task,)).fetchone()
        return int(row[0]) if row else 0

    def advance(self, task: str, upto: int) -> None:
        """Remember that a task's part is folded up to a position."""
        self._db.execute("UPDATE folded SET upto = max(upto, ?) WHERE task = ?", (upto, task))

    def add_members(self, task: str, arrivals: Sequence[tuple[Member, Label | None]]) -> None:
        """Add examples with the labels that their own events carry; late labels that were waiting for them join."""
        self._db.executemany(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(task, *member) for member, _ in arrivals],
        )
        own = [(m.cluster, m.event, m.position, task, _dump(label), 0) for m, label in arrivals if label is not None]
        self._db.executemany("INSERT OR IGNORE INTO statements VALUES (?, ?, ?, ?, ?, ?)", own)
        waiting = "SELECT ?, position, max(position, ?), task, label, 1 FROM late_labels WHERE task = ? AND example = ?"
        self._db.executemany(
            f"INSERT OR IGNORE INTO statements {waiting}",
            [(m.cluster, m.position, task, m.example) for m, _ in arrivals],
        )

    def add_late_labels(self, task: str, labels: Sequence[LateLabel]) -> None:
        """Keep labels for the examples they name, which may not have arrived yet."""
        self._db.executemany(
            "INSERT INTO late_labels VALUES (?, ?, ?, ?)",
            [(task, said.example, said.position, _dump(said.label)) for said in labels],
        )
        joined = "SELECT cluster, ?, max(?, position), task, ?, 1 FROM members WHERE task = ? AND example = ?"
        self._db.executemany(
            f"INSERT OR IGNORE INTO statements {joined}",
            [(said.position, said.position, _dump(said.label), task, said.example) for said in labels],
        )

    def add_refused(self, task: str, positions: Iterable[int]) -> None:
        """Count labels that the task does not accept."""
        self._db.executemany(
            "INSERT OR IGNORE INTO refused_labels VALUES (?, ?)", [(task, position) for position in positions]
        )


def split_space(task: str) -> str:
    """Where a task's split keys are compared, when they are not the texts themselves."""
    return f"{task} split"


def _dump(label: Label) -> str:
    return orjson.dumps(label).decode()
