"""API keys: created once, shown once, kept as hashes, each with the scopes that it opens."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import apsw

from freshtune.databases import keep_write_ahead_log
from freshtune.errors import IntegrityError, NotFound, UsageError

Scope = Literal["predict", "ingest", "read", "operate", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""``admin`` opens every other one; ``operate`` is promote and rollback."""

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE keys (
  id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,
  created TEXT NOT NULL, last_used TEXT, revoked TEXT
) STRICT, WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; never the key itself.

    Attributes:
        id: its public part, safe to log.
        last_used: the day of its last use, no finer: a key is no time clock.
    """

    id: str
    name: str
    scopes: frozenset[str]
    created: datetime
    last_used: date | None = None
    revoked: datetime | None = None

    def opens(self, scope: Scope) -> bool:
        """Whether it may use a route of this scope."""
        return scope in self.scopes or "admin" in self.scopes


def _digest(secret: str) -> bytes:
    """A single SHA-256: of 256 random bits there is nothing to guess, so nothing for a slow hash to slow."""
    return hashlib.sha256(secret.encode()).digest()


def _key(row: tuple[Any, ...]) -> Key:
    id_, _, name, scopes, created, last_used, revoked = row
    return Key(
        id_,
        name,
        frozenset(scopes.split(",")),
        datetime.fromisoformat(created),
        date.fromisoformat(last_used) if last_used else None,
        datetime.fromisoformat(revoked) if revoked else None,
    )


class Keys:
    """The keys of a workspace, in ``keys.db``. For several threads; sees other processes' changes at once.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Keys(Path(folder.name) / "keys.db") as keys:
    ...     key, shown_once = keys.create("web shop", ["predict"])
    ...     found = keys.verify(shown_once)
    >>> found == key, found.opens("predict"), found.opens("operate")
    (True, True, False)
    >>> folder.cleanup()
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        path.touch(mode=0o600)
        self._db = apsw.Connection(str(path))
        keep_write_ahead_log(self._db, 10_000)
        self._db.execute("PRAGMA synchronous = FULL")
        self._prepare()
        self._known: dict[str, tuple[bytes, Key]] = {}
        self._seen = -1

    def _prepare(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            version = int(self._db.pragma("user_version"))
            if version > SCHEMA_VERSION:
                raise IntegrityError(
                    "keys.db cannot be read",
                    f"it has schema {version}, this freshtune knows {SCHEMA_VERSION}",
                    "Update freshtune.",
                )
            if version == 0:
                self._db.execute(_SCHEMA)
                self._db.pragma("user_version", SCHEMA_VERSION)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            self._db.close()
            raise

    def __enter__(self) -> "Keys":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._db.close()

    def create(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """Make a key.

        Returns:
            What is kept of it, and the key itself, which cannot be had again.

        Raises:
            UsageError: no scope, or one that is none of SCOPES; no name, or one over 100 characters.
        """
        wanted = frozenset(scopes)
        if not wanted or not wanted <= set(SCOPES):
            raise UsageError(
                "No key was made", f"scopes {sorted(wanted)} are not among {', '.join(SCOPES)}", "Name at least one."
            )
        if not name.strip() or len(name) > 100:
            raise UsageError("No key was made", "a name has 1 to 100 characters", "Say who will use it.")
        key = Key(secrets.token_hex(6), name, wanted, datetime.now(UTC).replace(microsecond=0))
        shown = f"ft_{key.id}_{secrets.token_urlsafe(32)}"
        with self._lock:
            self._db.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL, NULL)",
                (key.id, _digest(shown), name, ",".join(sorted(wanted)), key.created.isoformat()),
            )
            self._seen = -1
        return key, shown

    def list(self) -> tuple[Key, ...]:
        """Every key, oldest first, revoked ones too."""
        with self._lock:
            return tuple(_key(row) for row in self._db.execute("SELECT * FROM keys ORDER BY created, id"))

    def revoke(self, key_id: str) -> None:
        """Close a key for good, from the next request on.

        Raises:
            NotFound: no key has this id.
        """
        with self._lock:
            now = datetime.now(UTC).replace(microsecond=0).isoformat()
            self._db.execute("UPDATE keys SET revoked = coalesce(revoked, ?) WHERE id = ?", (now, key_id))
            if not self._db.changes():
                raise NotFound(f"There is no key {key_id}", "", "`freshtune keys list` shows them.")
            self._seen = -1

    def verify(self, shown: str) -> Key | None:
        """The key that was presented, if it is known and not revoked.

        The id finds the row; the digests are compared in constant time, with an impossible one where there is no row.
        """
        parts = shown.split("_", 2)
        with self._lock:
            self._refresh()
            digest, key = self._known.get(parts[1] if len(parts) == 3 else "", (bytes(32), None))
        same = hmac.compare_digest(_digest(shown), digest)
        return key if same and key and not key.revoked else None

    def touch(self, key: Key) -> None:
        """Note that a key was used today; writes at most once a key and day."""
        today = datetime.now(UTC).date()
        if key.last_used == today:
            return
        with self._lock:
            self._db.execute("UPDATE keys SET last_used = ? WHERE id = ?", (today.isoformat(), key.id))
            self._seen = -1

    def _refresh(self) -> None:
        """Read the table again when any process has changed it: one pragma a request, not one query."""
        version = self._db.pragma("data_version")
        if version != self._seen:
            rows: Iterable[Any] = self._db.execute("SELECT * FROM keys")
            self._known = {row[0]: (row[1], _key(row)) for row in rows}
            self._seen = version
