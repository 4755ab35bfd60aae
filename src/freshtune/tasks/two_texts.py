"""From events to the examples of a task that reads two texts."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from freshtune.records import Event, Example
from freshtune.tasks.event_fields import sent_pair
from freshtune.tasks.one_text import ReadsEvents, examples_of_one_text


def examples_of_two_texts(task: ReadsEvents, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
    """The examples of the first text alone that have a second one.

    That is the event's field ``pair``, else the current text of the item that the event names.
    """
    for event in events:
        item = items.get(event.item) if event.item else None
        second = sent_pair(event) or (item.text if item else None)
        if second and second.strip():
            yield from (replace(example, pair=second) for example in examples_of_one_text(task, [event]))
