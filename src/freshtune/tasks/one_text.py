"""From events to the examples of a task that reads one text."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.event_fields import category, sent_label
from freshtune.tasks.split_key import normalised


class ReadsEvents(Protocol):
    """What is asked of a task; see :class:`freshtune.tasks.Task`."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> tuple[Kind, ...]: ...

    def label(self, value: Json) -> str | int | float | tuple[str, ...]: ...


def examples_of_one_text(task: ReadsEvents, events: Iterable[Event]) -> Iterator[Example]:
    """An example an event that is of the task's kinds and has a text; the normalised text is its split key."""
    for event in events:
        if event.kind not in task.kinds or event.task not in (None, task.name) or not event.text:
            continue
        key = normalised(event.text)
        if not key:  # nothing but space
            continue
        label = sent_label(event, task.name)
        yield Example(
            id=event.id,
            task=task.name,
            text=event.text,
            label=None if label is None else task.label(label),
            time=event.time,
            category=category(event),
            split_key=key,
        )
