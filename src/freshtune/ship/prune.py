"""Free the space of old releases. Their story stays: row, manifest, verdict and history are kept for good."""

from collections.abc import Iterator
from dataclasses import dataclass

from freshtune.faults import fault_point
from freshtune.ship import release_queries as queries
from freshtune.ship.artefacts import Stored
from freshtune.ship.changes import CHANGE
from freshtune.ship.registry import Registry
from freshtune.ship.release_rows import MANIFEST, VERDICT

GRACE_SECONDS = 3_600.0
"""Age from which a file that no release names counts as left behind, not as being written."""


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What was (or, on a dry run, would be) removed.

    Attributes:
        releases: whose model files go, oldest first.
        artefacts: digests that no kept release needs.
        unfinished: half-written files that a crash left.
        size: bytes of all of them.
        dry_run: nothing was touched.
    """

    releases: tuple[str, ...]
    artefacts: tuple[str, ...]
    unfinished: tuple[str, ...]
    size: int
    dry_run: bool


def prune(registry: Registry, keep: int, dry_run: bool = False, grace: float = GRACE_SECONDS) -> PruneReport:
    """Remove the model files of all but the latest releases of each task, and what crashes left behind.

    Kept whatever ``keep`` says: the live release, its parent, the ``keep`` releases (one at least) that a rollback
    would return to, and the ancestors that one of them is stored as a change of. Safe beside a process that records a
    release.

    Args:
        registry: what to prune.
        keep: how many of the latest releases of each task keep their files, 0 or more.
        dry_run: only say what would go.
        grace: seconds; an unnamed file that is younger may belong to a release that is just being recorded.
    """
    unfinished = [left for left in registry.artefacts.unfinished() if left.age >= grace]
    stored = list(registry.artefacts.stored())
    with registry.writing() as db:
        kept = {identity for task in queries.tasks(db) for identity in queries.kept(db, task, keep)}
        kept |= queries.changed_from(db, kept, CHANGE)
        dropped = tuple(identity for identity in queries.unpruned(db) if identity not in kept)
        needed = queries.needed_digests(db, dropped, (MANIFEST, VERDICT))
        freed = queries.digests_of(db, dropped)
        for identity in () if dry_run else dropped:
            queries.mark_pruned(db, identity, (MANIFEST, VERDICT))
    fault_point("prune:marked")
    orphans = [one for one in stored if one.digest not in needed and (one.digest in freed or one.age >= grace)]
    if not dry_run:
        _remove(registry, orphans, unfinished)
    return PruneReport(
        dropped,
        tuple(orphan.digest for orphan in orphans),
        tuple(left.digest for left in unfinished),
        sum(left.size for left in (*orphans, *unfinished)),
        dry_run,
    )


def _remove(registry: Registry, orphans: list[Stored], unfinished: list[Stored]) -> None:
    """Rows first, files second: a crash between leaves orphans for the next time, never a release without its files."""
    for batch in _batches(orphans):
        with registry.writing() as db:  # whoever records a release waits here, then puts back what went
            for orphan in batch:
                if not queries.is_needed(db, orphan.digest):
                    registry.artefacts.delete(orphan.digest)
                    fault_point("prune:deleted")
    for left in unfinished:
        registry.artefacts.drop_unfinished(left.digest)


def _batches(orphans: list[Stored], size: int = 50) -> Iterator[list[Stored]]:
    for start in range(0, len(orphans), size):
        yield orphans[start : start + size]
