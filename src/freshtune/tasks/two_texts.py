"""From events to the examples of a task that reads two texts."""

from collections.abc import Iterable, Iterator, Mapping

from freshtune.records import Event, Example
from freshtune.tasks.event_fields import category, sent_label, sent_pair
from freshtune.tasks.one_text import ReadsEvents
from freshtune.tasks.split_key import normalised


def examples_of_two_texts(task: ReadsEvents, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
    """An example an event that is of the task's kinds and has both texts; the first, normalised, is its split key.

    The second is the event's field ``pair``, else the current text of the item that the event names.
    """
    for event in events:
        if event.kind not in task.kinds or event.task not in (None, task.name) or not event.text:
            continue
        key = normalised(event.text)
        if not key:  # nothing but space
            continue
        item = items.get(event.item) if event.item else None
        second = sent_pair(event) or (item.text if item else None)
        if not second or not second.strip():
            continue
        label = sent_label(event, task.name)
        yield Example(
            id=event.id,
            task=task.name,
            text=event.text,
            pair=second,
            label=None if label is None else task.label(label),
            time=event.time,
            category=category(event),
            split_key=key,
        )
