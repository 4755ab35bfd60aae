"""Where events are kept for good. Any duplication, order or crash of the sender gives the same set of events."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from freshtune.intake.event_log.positions import Appended, SourcePosition
from freshtune.intake.event_log.sqlite import SqliteEventLog
from freshtune.records import DeadLetter, Event, LogRange

__all__ = ["EVENT_LOGS", "Appended", "EventLog", "SourcePosition", "SqliteEventLog"]


class EventLog(Protocol):
    """An append-only log with a unique event id."""

    def append(
        self, events: Sequence[Event], dead: Sequence[DeadLetter] = (), source: SourcePosition | None = None
    ) -> Appended:
        """Store events, dead letters and the source's position in one transaction; they are on disk when it returns.

        Events get the next positions in their order, without gaps. The first event with an id stays; any other
        with that id counts as a duplicate.
        """

    def head(self) -> int:
        """Position of the last event; 0 when empty."""

    def read(self, within: LogRange) -> Iterator[Event]:
        """Events of a range in log order."""

    def get(self, ids: Iterable[str]) -> Mapping[str, Event]:
        """The events with these ids; absent ones are left out."""

    def labels(self, example_ids: Iterable[str], upto: int) -> Mapping[str, Sequence[Event]]:
        """The label events that name each example, in log order, up to a position."""

    def items(self, item_ids: Iterable[str], upto: int) -> Mapping[str, Event]:
        """The latest item event of each item, up to a position."""

    def about_items(self, item_ids: Iterable[str], upto: int) -> Iterator[Event]:
        """Events other than item events that name these items, in log order."""

    def source_position(self, source: str) -> str | None:
        """Where a source was read to, as it was stored with its last batch."""

    def dead_letters(self, limit: int = 1_000) -> Iterator[DeadLetter]:
        """The latest dead letters, newest first."""


EVENT_LOGS = {"sqlite": SqliteEventLog}
