"""The releases of all tasks: which exist, which one answers, and what part of the log each has consumed.

A release is written in an order that a crash cannot break: artefacts, then the manifest with all digests, then one
transaction with its row. Whatever has a row is whole; whatever has none is an orphan that ``prune`` removes.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apsw

from freshtune.errors import FreshtuneError, NotFound, UsageError
from freshtune.faults import fault_point
from freshtune.records import LogRange, Release
from freshtune.ship import release_queries as queries
from freshtune.ship.consumption import Consumed
from freshtune.ship.registry_reader import RegistryReader
from freshtune.ship.release_files import restore, store_release
from freshtune.ship.release_rows import Promotion, ReleaseDraft, ReleaseSummary, facts_of
from freshtune.ship.update_lock import update_lock


class Conflict(FreshtuneError):  # noqa: N818 (reads as the other errors do)
    """The live release is no longer the one that the caller decided on."""


class Refused(FreshtuneError):  # noqa: N818
    """The gate, or the trunk, says no; a person may overrule it with ``force``."""

    exit_code = 3


class Registry(RegistryReader):
    """One registry.db with its artefact store, for those who change it: several threads and processes at once."""

    def record(self, draft: ReleaseDraft, files: Mapping[str, Path]) -> Release:
        """Publish a release, good or refused; it does not answer before it is promoted.

        A refused one consumes its log range at once (quarantine), a good one when it is promoted, an undecided one not
        at all. The same content recorded twice is one release.

        Args:
            draft: everything but the id.
            files: name in the release → local file, e.g. ``{"trunk.onnx": …, "top.onnx": …, "model.json": …}``.

        Raises:
            UsageError: a name that is no plain data file, or a parent that is not of this task.
        """
        if draft.parent is not None and self.summary(draft.parent).task != draft.task:
            raise UsageError(f"{draft.parent} is no release of {draft.task}", mend="Name a parent of the same task.")
        stored = store_release(self.artefacts, draft, files, self._created)
        fault_point("record:manifest")
        with self.writing() as db:
            # Prune deletes under this lock too: what it took since is put back before the row stands.
            restore(self.artefacts, stored)
            queries.insert_release(db, draft, stored, facts_of(draft, stored.size))
            fault_point("record:row")
        fault_point("record:committed")
        return self.get(stored.id)

    def promote(self, release: str, expected_live: str | None, by: str, why: str = "", force: bool = False) -> Release:
        """Make a release the one that answers, in one transaction.

        Args:
            release: its id.
            expected_live: the live release that the caller decided on; None when there was none.
            by, why: kept in the history.
            force: overrule the gate on one that it did not promote; needs ``why``.

        Raises:
            Conflict: another release is live by now.
            Refused: the gate refused it and ``force`` is not given.
            NotFound: no such release, or its files were pruned.
            IntegrityError: an artefact of it is damaged; nothing was changed.
        """
        summary = self.whole(release)
        fault_point("promote:checked")
        with self.writing() as db:
            live = queries.live(db, summary.task)
            self._expect(summary.task, live, expected_live)
            overruled = self._overruled(summary.id, force, why)
            if live is None or live.release != summary.id:
                below = None if live is None else live.promotion
                queries.insert_promotion(
                    db, Promotion(summary.task, "promote", summary.id, expected_live, _now(), by, why, overruled), below
                )
                fault_point("promote:history")
                queries.mark_promoted(db, summary.id)
                if overruled:
                    queries.mark_forced(db, summary.id, by, why)
                fault_point("promote:row")
        fault_point("promote:committed")
        return self.get(summary.id)

    def rollback(self, task: str, expected_live: str, by: str, why: str = "", force: bool = False) -> Release:
        """Return to the release that was live before, in one transaction, and quarantine what the live one learned.

        Args:
            task: whose live release.
            expected_live: the release that the caller wants to be rid of.
            by, why: kept in the history.
            force: also across a trunk boundary.

        Returns:
            The release that is live now.

        Raises:
            Conflict: another release is live by now.
            NotFound: nothing is live, there was none before it, or that one was pruned.
            Refused: the one before has another trunk.
            IntegrityError: an artefact of the one before is damaged; nothing was changed.
        """
        target = self.whole(self._before_live(task).release)
        fault_point("rollback:checked")
        with self.writing() as db:
            live = queries.live(db, task)
            self._expect(task, live, expected_live)
            before = self._before_live(task)
            if before.release != target.id:
                raise Conflict(f"the history of {task} has changed meanwhile", mend="Look at it and try again.")
            if not force:
                self._same_trunk(self.summary(expected_live), target)
            queries.insert_promotion(
                db, Promotion(task, "rollback", target.id, expected_live, _now(), by, why, force), before.below
            )
            fault_point("rollback:history")
            queries.mark_promoted(db, target.id)
            queries.mark_rolled_back(db, expected_live)
            fault_point("rollback:row")
        fault_point("rollback:committed")
        return self.get(target.id)

    def include(self, task: str, within: LogRange, dry_run: bool = False) -> tuple[Consumed, ...]:
        """Bring the quarantined ranges that lie inside ``within`` back: they are learned again with the next delta.

        Args:
            dry_run: only say which ones; nothing is changed.

        Raises:
            NotFound: no quarantined range lies inside.
        """
        with self.writing() as db:
            bad = [part for part in queries.consumed(db, task) if part.outcome != "promoted"]
            found = tuple(part for part in bad if within.since <= part.range.since and part.range.upto <= within.upto)
            if not found:
                ranges = ", ".join(f"{part.range.since}:{part.range.upto}" for part in bad)
                raise NotFound(
                    f"no quarantined range of {task} lies in {within.since}..{within.upto}",
                    f"In quarantine: {ranges}." if ranges else "Nothing is in quarantine.",
                    "A range comes back as a whole.",
                )
            for part in () if dry_run else found:
                queries.mark_included(db, part.release)
        return found

    def lock(self, task: str) -> AbstractContextManager[None]:
        """The task's update lock; ``update_lock.Locked``, naming the process, where it is taken."""
        return update_lock(self._path.parent, task)

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction of this registry, the only writer while it lasts."""
        with self._mutex:
            self._db.execute("BEGIN IMMEDIATE")
            before = self._db.total_changes()
            try:
                yield self._db
                if self._db.total_changes() != before:
                    queries.count_change(self._db)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._seen_version = None  # data_version is silent about a connection's own writes

    def _created(self, release: str) -> str | None:
        with self._mutex:
            return queries.created(self._db, release)

    def _before_live(self, task: str) -> queries.Standing:
        with self._mutex:
            live = queries.live(self._db, task)
            before = None if live is None or live.below is None else queries.promotion(self._db, live.below)
        if live is None:
            raise NotFound(f"no release of {task} is live", mend="`freshtune train` makes a first one.")
        if before is None:
            raise NotFound(f"nothing was live before {live.release}", mend="There is nothing to roll back to.")
        return before

    def _expect(self, task: str, live: "queries.Standing | None", expected: str | None) -> None:
        found = None if live is None else live.release
        if found != expected:
            raise Conflict(
                f"{found or 'nothing'} is live for {task}, not {expected or 'nothing'}",
                "It was changed after this decision was made.",
                "Look at `freshtune releases list` and decide again.",
            )

    def _overruled(self, release: str, force: bool, why: str) -> bool:
        """Whether this promotion overrules the gate; Refused where it may not."""
        reasons = self.summary(release).reasons
        if queries.gate_promotes(self._db, release):
            return False
        if not force:
            raise Refused(f"the gate did not pass {release}", " ".join(reasons), "--force overrules it; say --why.")
        if not why.strip():
            raise UsageError(f"overruling the gate on {release} needs a reason", mend="Say --why.")
        return True

    def _same_trunk(self, live: ReleaseSummary, target: ReleaseSummary) -> None:
        if live.trunk != target.trunk:
            raise Refused(
                f"{target.id} has another trunk than {live.id}",
                "Cached and indexed vectors of the one do not fit the other.",
                "`freshtune train` makes a new one; --force rolls back all the same, then rebuild those vectors.",
            )


def _now() -> datetime:
    return datetime.now(UTC)
