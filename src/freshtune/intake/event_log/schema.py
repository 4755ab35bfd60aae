"""The tables of the SQLite log, and how an older file becomes the present one."""

import apsw

from freshtune.errors import IntegrityError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        item TEXT,
        example TEXT,
        body BLOB NOT NULL
    );
    CREATE INDEX labels_of_examples ON events (example, position) WHERE example IS NOT NULL;
    CREATE INDEX items ON events (item, position) WHERE kind = 'item';
    CREATE INDEX about_items ON events (item, position) WHERE kind <> 'item' AND item IS NOT NULL;
    CREATE TABLE sources (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        record TEXT NOT NULL,
        source TEXT NOT NULL,
        time INTEGER NOT NULL
    );
    """,
)
"""Step ``n`` leads from version ``n`` to ``n + 1``; a step that was released is never changed."""


def migrate(connection: apsw.Connection, path: str) -> None:
    """Bring a log to the present schema; safe where several processes open a new file at once.

    Raises:
        IntegrityError: the log was written by a newer version.
    """
    if version(connection) != len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            _step(connection, path)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def version(connection: apsw.Connection) -> int:
    """The schema version of an open log; 0 for an empty file."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'").fetchone() is None:
        return 0
    return int(connection.execute("SELECT version FROM schema_version").get)


def _step(connection: apsw.Connection, path: str) -> None:
    found = version(connection)
    if found > len(MIGRATIONS):
        raise IntegrityError(
            f"the event log {path} cannot be opened",
            f"Its schema version is {found}, this freshtune knows up to {len(MIGRATIONS)}.",
            "Use the freshtune that wrote it, or a newer one.",
        )
    for script in MIGRATIONS[found:]:
        connection.execute(script)
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version VALUES (?)", (len(MIGRATIONS),))
