"""Folding the log into the index: each event once, in log order, as of its own position, so that no cut changes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from freshtune.intake.delta_index import DeltaIndex, LateLabel, split_space
from freshtune.intake.event_log import EventLog
from freshtune.intake.held_out import bucket
from freshtune.intake.near_duplicates import Content
from freshtune.intake.standings import Member
from freshtune.records import Event, Example, LogRange
from freshtune.tasks import Task
from freshtune.tasks.event_fields import sent_label
from freshtune.tasks.split_key import normalised

CHUNK = 4_096
"""Events folded in one transaction."""


class Arrival(NamedTuple):
    """An example, its event's position, and where it became an example: there, or at a later item."""

    example: Example
    event: int
    position: int


@dataclass(slots=True)
class Found:
    """What a run of events says to a task.

    Attributes:
        arrivals: examples by id, in the order in which they became one.
        late: labels of label events.
        refused: positions of labels that the task does not accept.
    """

    arrivals: dict[str, Arrival] = field(default_factory=dict)
    late: list[LateLabel] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


def fold(log: EventLog, task: Task, index: DeltaIndex, upto: int) -> None:
    """Bring a task's part of the index forward to a log position, a chunk a transaction.

    What is folded already is not read again; a crash loses no more than its chunk, and the next call goes on there.
    """
    since = index.folded(task.name, repr(task), log.head())
    if since >= upto:
        return
    for chunk in _chunks(log.read(LogRange(since, upto))):
        with index.transaction():
            done = index.upto(task.name)  # another process may have been quicker
            _fold_chunk(log, task, index, [event for event in chunk if event.position > done])
            index.advance(task.name, chunk[-1].position)
    with index.transaction():
        index.advance(task.name, upto)


def _chunks(events: Iterator[Event]) -> Iterator[list[Event]]:
    while chunk := list(islice(events, CHUNK)):
        yield chunk


def _fold_chunk(log: EventLog, task: Task, index: DeltaIndex, events: Sequence[Event]) -> None:
    if not events:
        return
    found = _read_chunk(log, task, events)
    index.add_refused(task.name, found.refused)
    known = index.standings.members(task.name, found.arrivals)
    arrivals = [arrival for id_, arrival in found.arrivals.items() if id_ not in known]
    members = _placed(task.name, index, arrivals)
    index.add_members(
        task.name, [(member, arrival.example.label) for member, arrival in zip(members, arrivals, strict=True)]
    )
    index.add_late_labels(task.name, found.late)


def _read_chunk(log: EventLog, task: Task, events: Sequence[Event]) -> Found:
    """Read events as of their own position; an item's first text makes examples of the events that waited for it."""
    found = Found()
    items = dict(log.items({event.item for event in events if event.item}, events[0].position - 1))
    for event in events:
        if event.kind == "item" and event.item:
            had_text = event.item in items and items[event.item].text
            items[event.item] = event
            if event.text and not had_text:
                for earlier in log.about_items([event.item], event.position - 1):
                    _arrive(task, earlier, items, event.position, found)
        if event.kind == "label":
            say(task, event, found)
        _arrive(task, event, items, event.position, found)
    return found


def _arrive(task: Task, event: Event, items: Mapping[str, Event], position: int, found: Found) -> None:
    example, refused = example_of(task, event, items)
    if refused and position == event.position:
        found.refused.append(position)
    if example:
        found.arrivals.setdefault(example.id, Arrival(example, event.position, position))


def say(task: Task, event: Event, found: Found) -> None:
    """Read a label event; one that says nothing to this task, or names no example, is passed over."""
    example, value = event.fields.get("example"), sent_label(event, task.name)
    if not isinstance(example, str) or value is None:
        return
    try:
        found.late.append(LateLabel(example, event.position, task.label(value)))
    except ValueError:
        found.refused.append(event.position)


def example_of(task: Task, event: Event, items: Mapping[str, Event]) -> tuple[Example | None, bool]:
    """The example of one event, without its label when the task refuses that; and whether it did."""
    try:
        return next(iter(task.examples([event], items)), None), False
    except ValueError:
        fields = {name: value for name, value in event.fields.items() if name not in ("label", task.name)}
        return next(iter(task.examples([replace(event, fields=fields)], items)), None), True


def _placed(task: str, index: DeltaIndex, arrivals: Sequence[Arrival]) -> list[Member]:
    examples = [arrival.example for arrival in arrivals]
    contents = [_content(example) for example in examples]
    places = index.texts.place(task, contents)
    buckets = _split_buckets(task, index, examples, contents)
    members = []
    for (example, event, position), content, place in zip(arrivals, contents, places, strict=True):
        is_text = content == (example.split_key, None)
        side = place.bucket if is_text else buckets.get(example.split_key, bucket(example.split_key))
        members.append(Member(example.id, place.cluster, side, event, position, place.how))
    return members


def _split_buckets(
    task: str, index: DeltaIndex, examples: Sequence[Example], contents: Sequence[Content]
) -> dict[str, int]:
    """Buckets of split keys that are one of two texts: near ones share a side; a user or a session is no text."""
    two = [
        (example.split_key, content)
        for example, content in zip(examples, contents, strict=True)
        if content.pair is not None
    ]
    keys = list(dict.fromkeys(key for key, content in two if key in content))
    places = index.texts.place(split_space(task), [Content(key) for key in keys], chained=True)
    return {key: place.bucket for key, place in zip(keys, places, strict=True)}


def _content(example: Example) -> Content:
    return Content(normalised(example.text), None if example.pair is None else normalised(example.pair))
