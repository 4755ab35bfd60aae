"""Every statement that the registry runs, one function each. The caller holds the transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import apsw

from freshtune.records import LogRange
from freshtune.ship.consumption import Consumed, Learner, consumption
from freshtune.ship.release_rows import SUMMARY_COLUMNS, Promotion, ReleaseDraft, ReleaseRow, StoredRelease

_FILES = "FROM files f JOIN releases r ON r.id = f.release"
_SUMMARIES = f"""
    SELECT {SUMMARY_COLUMNS} FROM releases r LEFT JOIN live l ON l.task = r.task
    LEFT JOIN promotions b ON b.seq = CASE r.outcome WHEN 'rolled_back' THEN (
        SELECT max(seq) FROM promotions WHERE task = r.task AND action = 'rollback' AND replaced = r.id
    ) END
"""  # noqa: S608 (a constant)


@dataclass(frozen=True, slots=True)
class Standing:
    """A promotion as a place in the stack of the history: the release, its row, and the row beneath."""

    release: str
    promotion: int
    below: int | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of one release."""

    release: str
    name: str
    digest: str
    size: int


def created(db: apsw.Connection, release: str) -> str | None:
    """When a release with this id was first recorded, ISO; None when there is none."""
    found: str | None = db.execute("SELECT created FROM releases WHERE id = ?", (release,)).get
    return found


def insert_release(db: apsw.Connection, draft: ReleaseDraft, stored: StoredRelease, facts: str) -> None:
    """Write the row and its files. One recorded again has its files back and, if refused, its range consumed again."""
    db.execute(
        """
        INSERT INTO releases (
            id, task, parent, trunk, vector_space, since, upto, recipe, created, promote, outcome, facts
        )
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET pruned = 0, included = CASE outcome WHEN 'refused' THEN 0 ELSE included END
        """,
        (
            stored.id,
            draft.task,
            draft.parent,
            draft.trunk,
            draft.vector_space,
            draft.range.since,
            draft.range.upto,
            draft.recipe,
            stored.created,
            draft.verdict.promote,
            "recorded" if draft.verdict.promote or draft.verdict.undecided else "refused",
            facts,
        ),
    )
    db.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(stored.id, file.name, file.digest, file.size) for file in stored.files],
    )


def release_row(db: apsw.Connection, release: str) -> ReleaseRow:
    """All columns of a release that exists."""
    row: tuple[Any, ...] = db.execute(
        """
        SELECT id, task, parent, trunk, vector_space, since, upto, recipe, created, forced_by, forced_why
        FROM releases WHERE id = ?
        """,
        (release,),
    ).get
    identity, task, parent, trunk, space, since, upto, recipe, time, forced_by, forced_why = row
    return ReleaseRow(
        identity,
        task,
        parent,
        trunk,
        space,
        LogRange(since, upto),
        recipe,
        datetime.fromisoformat(time),
        forced_by,
        forced_why,
        files(db, release),
    )


def files(db: apsw.Connection, release: str) -> Mapping[str, str]:
    """File name → digest."""
    rows = db.execute("SELECT name, digest FROM files WHERE release = ?", (release,))
    return {str(name): str(digest) for name, digest in rows}


def summaries_by_prefix(db: apsw.Connection, prefix: str) -> list[tuple[Any, ...]]:
    """SUMMARY_COLUMNS of the release with this id, else of up to two that begin so."""
    exact = db.execute(f"{_SUMMARIES} WHERE r.id = ?", (prefix,)).fetchall()
    return (
        exact
        or db.execute(f"{_SUMMARIES} WHERE r.id >= ?1 AND r.id < ?1 || char(0x10FFFF) LIMIT 2", (prefix,)).fetchall()
    )


def latest_summaries(db: apsw.Connection, task: str | None, limit: int) -> list[tuple[Any, ...]]:
    """SUMMARY_COLUMNS, newest first."""
    where, values = ("", ()) if task is None else ("WHERE r.task = ?", (task,))
    return db.execute(f"{_SUMMARIES} {where} ORDER BY r.seq DESC LIMIT ?", (*values, limit)).fetchall()


def live(db: apsw.Connection, task: str) -> Standing | None:
    """Where the task stands."""
    seq: int | None = db.execute("SELECT promotion FROM live WHERE task = ?", (task,)).get
    return None if seq is None else promotion(db, seq)


def promotion(db: apsw.Connection, seq: int) -> Standing:
    """One row of the history."""
    row: tuple[Any, ...] = db.execute("SELECT release, seq, below FROM promotions WHERE seq = ?", (seq,)).get
    return Standing(*row)


def insert_promotion(db: apsw.Connection, step: Promotion, below: int | None) -> None:
    """Add to the history and let the task's live row point at it."""
    db.execute(
        """
        INSERT INTO promotions (task, action, release, replaced, below, time, by, why, forced)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            step.task,
            step.action,
            step.release,
            step.replaced,
            below,
            step.time.isoformat(),
            step.by,
            step.why,
            step.forced,
        ),
    )
    db.execute(
        "INSERT INTO live VALUES (?1, ?2, ?3) ON CONFLICT (task) DO UPDATE SET release = ?2, promotion = ?3",
        (step.task, step.release, db.last_insert_rowid()),
    )


def history(db: apsw.Connection, task: str, release: str | None = None) -> tuple[Promotion, ...]:
    """Oldest first; of one release, the steps in which it came or went."""
    rows = db.execute(
        """
        SELECT task, action, release, replaced, time, by, why, forced FROM promotions
        WHERE task = ?1 AND (?2 IS NULL OR release = ?2 OR replaced = ?2) ORDER BY seq
        """,
        (task, release),
    )
    return tuple(
        Promotion(row_task, action, release, replaced, datetime.fromisoformat(time), by, why, bool(forced))
        for row_task, action, release, replaced, time, by, why, forced in rows
    )


def mark_promoted(db: apsw.Connection, release: str) -> None:
    """It is live: what it learned is no longer quarantined."""
    db.execute("UPDATE releases SET outcome = 'promoted', included = 0 WHERE id = ?", (release,))


def mark_rolled_back(db: apsw.Connection, release: str) -> None:
    """Its range is quarantined."""
    db.execute("UPDATE releases SET outcome = 'rolled_back', included = 0 WHERE id = ?", (release,))


def mark_included(db: apsw.Connection, release: str) -> None:
    """Its range is out of quarantine, for releases that are recorded from now on."""
    db.execute("UPDATE releases SET included = (SELECT max(seq) FROM releases) WHERE id = ?", (release,))


def mark_forced(db: apsw.Connection, release: str, by: str, why: str) -> None:
    """A person overruled the gate."""
    db.execute("UPDATE releases SET forced_by = ?, forced_why = ? WHERE id = ?", (by, why, release))


def gate_promotes(db: apsw.Connection, release: str) -> bool:
    """What its verdict said, whatever happened to it later."""
    return bool(db.execute("SELECT promote FROM releases WHERE id = ?", (release,)).get)


def consumed(db: apsw.Connection, task: str) -> tuple[Consumed, ...]:
    """Learned by the live release and its ancestors; and quarantined, unless brought back. In log order."""
    query = "SELECT seq, id, parent, since, upto, outcome, included FROM releases WHERE task = ? ORDER BY seq"
    learners = [
        Learner(number, release, parent, LogRange(since, upto), outcome, included)
        for number, release, parent, since, upto, outcome, included in db.execute(query, (task,))
    ]
    standing = live(db, task)
    return consumption(learners, None if standing is None else standing.release)


def watermark(db: apsw.Connection, task: str) -> int:
    """Highest position of a release that was refused, promoted or rolled back; 0 when there is none."""
    query = "SELECT upto FROM releases WHERE task = ? AND outcome <> 'recorded' ORDER BY upto DESC LIMIT 1"
    return int(db.execute(query, (task,)).get or 0)


def changes(db: apsw.Connection) -> int:
    """The counter behind ``Registry.version``."""
    return int(db.execute("SELECT count FROM changes").get)


def count_change(db: apsw.Connection) -> None:
    """Every transaction ends with this."""
    db.execute("UPDATE changes SET count = count + 1")


def stored_files(db: apsw.Connection, release: str | None) -> list[FileRow]:
    """Files of one release or of all, in order of recording."""
    where, values = ("", ()) if release is None else ("WHERE f.release = ?", (release,))
    query = f"SELECT f.release, f.name, f.digest, f.size {_FILES} {where} ORDER BY r.seq, f.name"
    return [FileRow(*row) for row in db.execute(query, values)]


def tasks(db: apsw.Connection) -> list[str]:
    """Every task that has a release."""
    return [task for (task,) in db.execute("SELECT DISTINCT task FROM releases ORDER BY task")]


def kept(db: apsw.Connection, task: str, count: int) -> set[str]:
    """What prune must leave of a task: the latest, the live one and its parent, and where rollbacks return to."""
    latest = db.execute("SELECT id FROM releases WHERE task = ? ORDER BY seq DESC LIMIT ?", (task, count))
    found = {identity for (identity,) in latest}
    parent = db.execute("SELECT r.parent FROM live l JOIN releases r ON r.id = l.release WHERE l.task = ?", (task,)).get
    standing, steps = live(db, task), max(count, 1) + 1
    while standing is not None and steps:
        found.add(standing.release)
        steps -= 1
        standing = None if standing.below is None else promotion(db, standing.below)
    return found | ({parent} if parent else set())


def changed_from(db: apsw.Connection, releases: Collection[str], name: str) -> set[str]:
    """The ancestors that these releases are built on: the parent of each that has a file called ``name``, and so on."""
    query = "SELECT r.parent FROM releases r JOIN files f ON f.release = r.id WHERE r.id = ? AND f.name = ?"
    found: set[str] = set()
    waiting = list(releases)
    while waiting:
        parent: str | None = db.execute(query, (waiting.pop(), name)).get
        if parent is not None and parent not in found:
            found.add(parent)
            waiting.append(parent)
    return found


def unpruned(db: apsw.Connection) -> list[str]:
    """Releases that still have their files, oldest first."""
    return [identity for (identity,) in db.execute("SELECT id FROM releases WHERE pruned = 0 ORDER BY seq")]


def needed_digests(db: apsw.Connection, dropped: Collection[str], always: Collection[str]) -> set[str]:
    """Digests that are still named when ``dropped`` releases keep only the files called ``always``."""
    rows = db.execute("SELECT release, name, digest FROM files")
    gone = set(dropped)
    return {digest for release, name, digest in rows if release not in gone or name in always}


def digests_of(db: apsw.Connection, releases: Collection[str]) -> set[str]:
    """Digests of all files of these releases."""
    wanted = set(releases)
    return {digest for release, digest in db.execute("SELECT release, digest FROM files") if release in wanted}


def is_needed(db: apsw.Connection, digest: str) -> bool:
    """Whether any release names it."""
    return bool(db.execute("SELECT EXISTS (SELECT 1 FROM files WHERE digest = ?)", (digest,)).get)


def mark_pruned(db: apsw.Connection, release: str, always: Collection[str]) -> None:
    """It keeps only the files called ``always``."""
    marks = ", ".join("?" * len(always))
    db.execute(f"DELETE FROM files WHERE release = ? AND name NOT IN ({marks})", (release, *always))  # noqa: S608
    db.execute("UPDATE releases SET pruned = 1 WHERE id = ?", (release,))
