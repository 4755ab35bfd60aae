"""An EventLog that is a list: the plainest reading of the protocol."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from freshtune.intake.event_log import Appended, SourcePosition
from freshtune.records import DeadLetter, Event, LogRange


class MemoryLog:
    """Events in a list; dead letters and source positions are of no interest to deltas."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(
        self, events: Sequence[Event], dead: Sequence[DeadLetter] = (), source: SourcePosition | None = None
    ) -> Appended:
        known, before = {event.id for event in self.events}, len(self.events)
        for event in events:
            if event.id not in known:
                known.add(event.id)
                self.events.append(replace(event, position=len(self.events) + 1))
        kept = len(self.events) - before
        return Appended(kept, len(events) - kept, len(self.events))

    def source_position(self, source: str) -> str | None:
        return None

    def dead_letters(self, limit: int = 1_000) -> Iterator[DeadLetter]:
        return iter(())

    def head(self) -> int:
        return len(self.events)

    def read(self, within: LogRange) -> Iterator[Event]:
        return iter(self.events[within.since : within.upto])

    def get(self, ids: Iterable[str]) -> Mapping[str, Event]:
        wanted = set(ids)
        return {event.id: event for event in self.events if event.id in wanted}

    def labels(self, example_ids: Iterable[str], upto: int) -> Mapping[str, Sequence[Event]]:
        found: dict[str, list[Event]] = {}
        wanted = set(example_ids)
        for event in self.events[:upto]:
            named = event.fields.get("example")
            if event.kind == "label" and isinstance(named, str) and named in wanted:
                found.setdefault(named, []).append(event)
        return found

    def items(self, item_ids: Iterable[str], upto: int) -> Mapping[str, Event]:
        wanted = set(item_ids)
        return {e.item: e for e in self.events[:upto] if e.kind == "item" and e.item in wanted and e.item}

    def about_items(self, item_ids: Iterable[str], upto: int) -> Iterator[Event]:
        wanted = set(item_ids)
        return (e for e in self.events[:upto] if e.kind != "item" and e.item in wanted)
