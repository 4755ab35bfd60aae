"""The tables of registry.db, and how an older file becomes a current one."""

from collections.abc import Sequence
from pathlib import Path

import apsw

from freshtune.databases import keep_write_ahead_log
from freshtune.errors import ConfigurationError, IntegrityError

APPLICATION_ID = 0x66746E72
"""Marks a file as ours ("ftnr")."""

BUSY_MS = 20_000
"""How long one process waits for the other's write."""

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE releases (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        task TEXT NOT NULL,
        parent TEXT REFERENCES releases (id),
        trunk TEXT NOT NULL,
        vector_space TEXT NOT NULL,
        since INTEGER NOT NULL CHECK (since >= 0),
        upto INTEGER NOT NULL CHECK (upto >= since),
        recipe TEXT NOT NULL,
        created TEXT NOT NULL,
        promote INTEGER NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('recorded', 'refused', 'promoted', 'rolled_back')),
        included INTEGER NOT NULL DEFAULT 0,
        pruned INTEGER NOT NULL DEFAULT 0,
        forced_by TEXT,
        forced_why TEXT,
        facts TEXT NOT NULL
    ) STRICT;
    CREATE INDEX releases_by_task ON releases (task, seq);
    CREATE INDEX releases_by_range ON releases (task, upto);
    CREATE TABLE files (
        release TEXT NOT NULL REFERENCES releases (id),
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (release, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX files_by_digest ON files (digest);
    CREATE TABLE promotions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        task TEXT NOT NULL,
        action TEXT NOT NULL CHECK (action IN ('promote', 'rollback')),
        release TEXT NOT NULL REFERENCES releases (id),
        replaced TEXT REFERENCES releases (id),
        below INTEGER REFERENCES promotions (seq),
        time TEXT NOT NULL,
        by TEXT NOT NULL,
        why TEXT NOT NULL,
        forced INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX promotions_by_task ON promotions (task, seq);
    CREATE TABLE live (
        task TEXT PRIMARY KEY,
        release TEXT NOT NULL REFERENCES releases (id),
        promotion INTEGER NOT NULL REFERENCES promotions (seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE changes (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), count INTEGER NOT NULL) STRICT;
    INSERT INTO changes VALUES (1, 0);
    """,
)
"""Script ``n`` brings version ``n`` to ``n + 1``; a script that was released is never edited, only followed.

``promotions.below`` is the promotion that a rollback returns to: the history is a stack kept as linked rows."""


def open_registry_db(path: Path, migrations: Sequence[str] = MIGRATIONS) -> apsw.Connection:
    """Open or create the file, WAL and FULL, at the newest version.

    Raises:
        IntegrityError: it is of a newer version, another program's, or no SQLite file.
        ConfigurationError: the file cannot be opened.
    """
    try:
        connection = apsw.Connection(str(path))
    except apsw.CantOpenError as error:
        raise ConfigurationError(f"cannot open {path.name}", str(error), "Check that its folder exists.") from error
    try:
        keep_write_ahead_log(connection, BUSY_MS)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path, migrations)
    except apsw.NotADBError as error:
        connection.close()
        raise IntegrityError(f"{path.name} is no registry", str(error), "Restore it from a copy.") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: apsw.Connection, path: Path, migrations: Sequence[str]) -> None:
    if (
        _pragma(connection, "user_version") == len(migrations)
        and _pragma(connection, "application_id") == APPLICATION_ID
    ):
        return
    connection.execute("BEGIN IMMEDIATE")  # of two processes that find an old file, one migrates and the other waits
    try:
        version = _pragma(connection, "user_version")
        _refuse_foreign(connection, path, version, len(migrations))
        for script in migrations[version:]:
            connection.execute(script)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_foreign(connection: apsw.Connection, path: Path, version: int, newest: int) -> None:
    ours = _pragma(connection, "application_id") == APPLICATION_ID
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if not ours and not (empty and version == 0):
        raise IntegrityError(f"{path.name} is no registry", "It belongs to another program.", "Name another folder.")
    if version > newest:
        raise IntegrityError(
            f"{path.name} is of version {version}",
            f"This freshtune knows versions up to {newest}.",
            "Install the newer freshtune that wrote it.",
        )


def _pragma(connection: apsw.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").get)
