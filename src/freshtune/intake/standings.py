"""Where each cluster of duplicates stands: who stands for it, its label, who contradicts whom. Reading only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apsw
import orjson

from freshtune.intake.near_duplicates import How
from freshtune.records import Label, LogRange

_NAMED = "example, cluster, bucket, event, position, how"


def _live(alias: str) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM temp.quarantine q WHERE {alias}.position > q.since AND {alias}.position <= q.upto)"  # noqa: S608
    )


def _latest(known: str, before: str = "1") -> str:
    """The latest label of the cluster ``t``, among those known at a position."""
    return (
        "(SELECT l.label FROM statements l WHERE l.cluster = t.cluster "  # noqa: S608
        f"AND l.known <= {known} AND {before} AND {_live('l')} ORDER BY l.position DESC LIMIT 1)"
    )


def _earliest(condition: str) -> str:
    return (
        "(SELECT e.example FROM members e WHERE e.cluster = t.cluster AND e.position <= :upto "  # noqa: S608
        f"AND {condition} ORDER BY e.position, e.event LIMIT 1)"
    )


_TOUCHED = """
INSERT OR IGNORE INTO temp.touched
SELECT cluster FROM members WHERE task = :task AND position > :since AND position <= :upto
UNION SELECT cluster FROM statements WHERE task = :task AND known > :since AND known <= :upto
"""
# A text that only quarantined events brought still has its first one.
_STANDINGS = f"""
SELECT m.example, m.cluster, m.bucket, m.event, m.position, m.how, {_latest(":since")}, {_latest(":upto")},
  (SELECT count(*) FROM statements s
   WHERE s.cluster = t.cluster AND s.known > :since AND s.known <= :upto AND {_live("s")}
   AND s.label <> {_latest(":upto", "l.position < s.position")})
FROM temp.touched t JOIN members m
ON m.task = :task AND m.example = coalesce({_earliest(_live("e"))}, {_earliest("1")})
ORDER BY m.event
"""  # noqa: S608


class Member(NamedTuple):
    """One example's place.

    Attributes:
        cluster, bucket: its cluster of duplicates, and its held-out bucket for life.
        event: position of the event that it is made of.
        position: where it became an example: the event, or the later item that gave it its second text.
        how: how it came into its cluster.
    """

    example: str
    cluster: int
    bucket: int
    event: int
    position: int
    how: How


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one cluster of duplicates stands after a range.

    Attributes:
        kept: the example that stands for all of them, the earliest one.
        before, now: its label when the range began and when it ended; None while nobody has labelled it.
        conflicts: labels of the range that contradict the one said before them.
    """

    kept: Member
    before: Label | None
    now: Label | None
    conflicts: int


class Standings:
    """Questions to the tables that a DeltaIndex has folded.

    Args:
        connection: where the tables are.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection
        connection.execute("CREATE TEMP TABLE quarantine (since INTEGER, upto INTEGER)")
        connection.execute("CREATE TEMP TABLE touched (cluster INTEGER PRIMARY KEY)")

    def quarantine(self, ranges: Sequence[LogRange]) -> None:
        """From now on read as if nothing had been said in these ranges."""
        self._db.execute("DELETE FROM temp.quarantine")
        self._db.executemany("INSERT INTO temp.quarantine VALUES (?, ?)", [(r.since, r.upto) for r in ranges])

    def members(self, task: str, examples: Iterable[str]) -> Mapping[str, Member]:
        """The places of these examples; unknown ones are left out."""
        query = f"SELECT {_NAMED} FROM members WHERE task = ? AND example = ?"  # noqa: S608
        found = (self._db.execute(query, (task, example)).fetchone() for example in examples)
        return {row[0]: Member(*row) for row in found if row}

    def label(self, cluster: int, upto: int) -> Label | None:
        """The latest label of a cluster among those known at a position."""
        query = f"SELECT {_latest(':upto')} FROM (SELECT :cluster AS cluster) t"  # noqa: S608
        return _read(self._db.execute(query, {"cluster": cluster, "upto": upto}).get)

    def touched(self, task: str, within: LogRange, clusters: Iterable[int] = ()) -> list[Standing]:
        """Where the clusters stand of which a range brings an example or a label, and some others, in log order.

        What came after the range is not looked at.
        """
        bindings = {"task": task, "since": within.since, "upto": within.upto}
        self._db.execute("DELETE FROM temp.touched")
        self._db.execute(_TOUCHED, bindings)
        self._db.executemany("INSERT OR IGNORE INTO temp.touched VALUES (?)", [(cluster,) for cluster in clusters])
        return [
            Standing(Member(*row[:6]), _read(row[6]), _read(row[7]), row[8])
            for row in self._db.execute(_STANDINGS, bindings)
        ]

    def duplicates(self, task: str, within: LogRange) -> Mapping[How, int]:
        """How the examples of a range were placed."""
        rows = self._db.execute(
            "SELECT how, count(*) FROM members WHERE task = ? AND position > ? AND position <= ? GROUP BY how",
            (task, within.since, within.upto),
        )
        return {how: count for how, count in rows}  # noqa: C416 - typed by the reader, not by the driver

    def late(self, task: str, within: LogRange) -> int:
        """Labels of label events that joined their example in a range."""
        return self._count("statements WHERE task = ? AND known > ? AND known <= ? AND late", task, within)

    def waiting(self, task: str, within: LogRange) -> int:
        """Labels of a range whose example had not arrived when the range ended."""
        unknown = (
            "NOT EXISTS (SELECT 1 FROM members m WHERE m.task = l.task AND m.example = l.example AND m.position <= ?3)"
        )
        return self._count(
            f"late_labels l WHERE task = ?1 AND position > ?2 AND position <= ?3 AND {unknown}", task, within
        )

    def refused(self, task: str, within: LogRange) -> int:
        """Labels of a range that the task did not accept."""
        return self._count("refused_labels WHERE task = ? AND position > ? AND position <= ?", task, within)

    def _count(self, rows: str, task: str, within: LogRange) -> int:
        return int(self._db.execute(f"SELECT count(*) FROM {rows}", (task, within.since, within.upto)).get)  # noqa: S608


def _read(label: str | None) -> Label | None:
    read: Label | list[str] | None = None if label is None else orjson.loads(label)
    return tuple(read) if isinstance(read, list) else read
