"""What is known about releases: which exist, which one answers, what part of the log each has consumed."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from freshtune.errors import NotFound
from freshtune.records import LogRange, Release
from freshtune.ship import release_queries as queries
from freshtune.ship.artefacts import ArtefactStore
from freshtune.ship.consumption import Consumed, unconsumed
from freshtune.ship.registry_schema import open_registry_db
from freshtune.ship.release_files import read_release
from freshtune.ship.release_rows import Promotion, ReleaseSummary, release_summary


class RegistryReader:
    """One registry.db with its artefact store, for those who only ask: several threads and processes at once.

    Args:
        path: the database file; created when absent.
        artefacts: where the bytes are.

    Raises:
        IntegrityError: the file is of a newer version or another program's.
    """

    def __init__(self, path: Path, artefacts: ArtefactStore) -> None:
        self.artefacts = artefacts
        self._path = path
        self._mutex = threading.RLock()
        self._db = open_registry_db(path)
        self._seen_version: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the file; nothing may be asked afterwards."""
        with self._mutex:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def live(self, task: str) -> Release | None:
        """The release that answers, whole."""
        identity = self.live_id(task)
        return None if identity is None else self.get(identity)

    def live_id(self, task: str) -> str | None:
        """The id of the release that answers; a few microseconds."""
        with self._mutex:
            live = queries.live(self._db, task)
        return None if live is None else live.release

    def get(self, release: str) -> Release:
        """A release with its scorecards and verdict.

        Args:
            release: its id, or the beginning of one when no other begins so.

        Raises:
            NotFound: none or several.
            IntegrityError: its scorecards or verdict are damaged.
        """
        with self._mutex:
            row = queries.release_row(self._db, self.summary(release).id)
        return read_release(self.artefacts, row)

    def summary(self, release: str) -> ReleaseSummary:
        """What is known of a release without its files; no artefact is opened. Takes what ``get`` takes."""
        with self._mutex:
            found = queries.summaries_by_prefix(self._db, release)
        if len(found) == 1:
            return release_summary(found[0])
        if found:
            raise NotFound(f"{release!r} is the beginning of several releases", mend="Give more of the id.")
        raise NotFound(f"there is no release {release!r}", mend="`freshtune releases list` shows all.")

    def list(self, task: str | None = None, limit: int = 100) -> tuple[ReleaseSummary, ...]:
        """The latest releases, newest first."""
        with self._mutex:
            rows = queries.latest_summaries(self._db, task, limit)
        return tuple(map(release_summary, rows))

    def history(self, task: str, release: str | None = None) -> tuple[Promotion, ...]:
        """All promotions and rollbacks of a task, oldest first; of one release, those in which it came or went.

        Args:
            release: its whole id.
        """
        with self._mutex:
            return queries.history(self._db, task, release)

    def consumed(self, task: str) -> tuple[Consumed, ...]:
        """The log ranges that the task is done with: learned by the live release and its ancestors, or quarantined."""
        with self._mutex:
            return queries.consumed(self._db, task)

    def pending(self, task: str, head: int) -> tuple[LogRange, ...]:
        """The ranges up to log position ``head`` that are to be learned: brought back ones first, then what is new."""
        return unconsumed(self.consumed(task), head)

    def watermark(self, task: str) -> int:
        """The highest log position that any release of the task has consumed; never goes back."""
        with self._mutex:
            return queries.watermark(self._db, task)

    def load_file(self, release: Release | str, name: str) -> Path:
        """A file of a release, verified before it is given.

        Raises:
            NotFound: it has no such file, or it was pruned.
            IntegrityError: its bytes are not what the release says.
        """
        artefacts = release.artefacts if isinstance(release, Release) else self.files(release)
        if name not in artefacts:
            raise NotFound(f"the release has no file {name!r}", f"It has {', '.join(sorted(artefacts))}.")
        return self.artefacts.path(artefacts[name])

    def files(self, release: str) -> Mapping[str, str]:
        """File name → sha256 of a release."""
        with self._mutex:
            return queries.files(self._db, self.summary(release).id)

    def stored_files(self, release: str | None = None) -> Sequence[queries.FileRow]:
        """Every file of one release or of all, in order of recording."""
        with self._mutex:
            return queries.stored_files(self._db, release)

    def whole(self, release: str) -> ReleaseSummary:
        """The summary of a release, once all its files are known to be there and undamaged.

        Raises:
            NotFound: no such release, or its files were pruned.
            IntegrityError: a file is damaged or missing.
        """
        summary = self.summary(release)
        if summary.pruned:
            raise NotFound(f"the files of {summary.id} were pruned", mend="Choose a later release, or train again.")
        for digest in self.files(summary.id).values():
            self.artefacts.path(digest)
        return summary

    def version(self) -> int:
        """A number that grows with every change, made here or in another process; a few microseconds."""
        with self._mutex:
            data_version = int(self._db.pragma("data_version"))
            if self._seen_version is None or self._seen_version[0] != data_version:
                self._seen_version = data_version, queries.changes(self._db)
            return self._seen_version[1]
