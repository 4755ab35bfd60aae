"""Which column is what: a sender's records in the words of an event."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

import orjson

from freshtune.errors import UsageError
from freshtune.intake.checks import Checked, EventChecks
from freshtune.intake.dead_letters import dead_letter
from freshtune.intake.json_text import parse_json, split_array
from freshtune.intake.reasons import BadRecord, json_type
from freshtune.intake.sources.raw import Record
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.nearest import did_you_mean
from freshtune.records import KINDS, DeadLetter, Event, Json
from freshtune.tasks import TASKS, Task, class_names

_EXCERPT = 8_192
_WRAPPED = re.compile(rb'\s*\{\s*"events"\s*:\s*(\[.*\])\s*\}\s*', re.DOTALL)
_COLUMNS = ("text", "pair", "label", "time", "id", "user", "item", "session", "category", "example")
_SEVERAL = ("text", "label")
_NARROW = str.maketrans("，＝", ",=")


@dataclass(frozen=True)
class ColumnMapping:
    """How the columns of a file become events.

    Without any column, records are events already: they have the names of ``records.Event``.

    Attributes:
        task: the task that the labels are for; None where the file is for every task or says it itself.
        kind: the kind of all events; the first kind that ``task`` reads where None.
        text, pair, label, time, id, user, item, session, category, example: names of columns. Of text and label there
            may be several with commas between: texts are put one below the other, labels are told by their column.
        label_map: a label as the file has it → as the task knows it, such as ``{"0": "negative"}``.
        fields: columns that are kept under their own names.
    """

    task: str | None = None
    kind: str | None = None
    text: str | None = None
    pair: str | None = None
    label: str | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    time: str | None = None
    id: str | None = None
    user: str | None = None
    item: str | None = None
    session: str | None = None
    category: str | None = None
    example: str | None = None
    fields: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Pairs of an event's name and the column that it is read from."""
        named = ((name, getattr(self, name)) for name in _COLUMNS)
        return tuple((name, column) for name, column in named if column is not None)

    def check(self, tasks: Mapping[str, Task], header: Sequence[str] | None) -> None:
        """Refuse a mapping that cannot fit, before anything is read.

        Args:
            header: the file's columns, where the format says them.

        Raises:
            UsageError: it names a task, a kind, a label or a column that is not there.
        """
        if self.task is not None and self.task not in tasks:
            raise unknown_task(self.task, tasks)
        if self.kind is not None and self.kind not in KINDS:
            raise UsageError(
                f"There is no event kind {self.kind!r}.",
                f"The kinds are {', '.join(KINDS)}.",
                "Name one of them, or none: then the task's own kind is taken.",
            )
        if self.label is not None and self.label_map:
            self._check_label_map(tasks, header)
        for name, column in self.columns:
            if not _columns(name, column, header or ()):
                raise UsageError(f"--{name} names no column.", f"It is {column!r}.", "Write the columns' names.")
        known = () if header is None else header
        wanted = [part for name, column in self.columns for part in _columns(name, column, known)] + list(self.fields)
        absent = [column for column in wanted if header is not None and column not in header]
        if absent:
            raise UsageError(
                f"the file has no column {', '.join(map(repr, absent))}",
                f"Its columns are {', '.join(map(repr, header or ()))}.",
                "Name the right column, by flag or in freshtune.toml.",
            )

    def _check_label_map(self, tasks: Mapping[str, Task], header: Sequence[str] | None) -> None:
        """Each target is a label of the task that is named, else of one that could be meant."""
        if self.label is not None and len(_columns("label", self.label, header or ())) > 1:
            raise UsageError(
                "A label map fits one column of labels.",
                f"--label names several, {self.label}.",
                "Map the values in the file, or name one column.",
            )
        meant = [tasks[self.task]] if self.task is not None else [*tasks.values()]
        for target in self.label_map.values():
            if meant and not any(_takes(task, target) for task in meant):
                raise UsageError(
                    f"The label map says {target!r}, which is no label of {' or '.join(task.name for task in meant)}.",
                    " ".join(f"Labels of {task.name} are {_labels(task)}." for task in meant),
                    "Map to one of them, such as --label-map 0=negative,1=positive.",
                )

    def event(self, record: Record, tasks: Mapping[str, Task]) -> Mapping[str, Json]:
        """What ``checks.EventChecks`` takes: the record's values under an event's names."""
        sent: dict[str, Json] = {"task": self.task, "kind": self.kind or self._kind(tasks)}
        if not self.columns and not self.fields:
            return sent | dict(record)
        for name, column in self.columns:
            sent[name] = _value(record, name, column)
        if self.label_map and "label" in sent:
            sent["label"] = self._mapped_label(sent["label"])
        if self.fields:
            kept = ((column, record.get(column)) for column in self.fields)
            sent["fields"] = {column: _as_json(value) for column, value in kept if value is not None and value != ""}
        return sent

    def _kind(self, tasks: Mapping[str, Task]) -> str | None:
        return tasks[self.task].kinds[0] if self.task else "review" if self.columns else None

    def _mapped_label(self, label: Json) -> Json:
        if isinstance(label, bool):
            written = str(label).lower()
        elif isinstance(label, float) and label.is_integer():
            written = str(int(label))
        else:
            written = str(label).strip()
        return self.label_map.get(written, label)


def joined_text(record: Record, column: str) -> Json:
    """The text of a column; of several, with commas between, each that is not empty on a line of its own.

    >>> joined_text({"title": "Towel", "about": "Soft.", "size": ""}, "title,about,size")
    'Towel\\nSoft.'
    """
    return _value(record, "text", column)


def _value(record: Record, name: str, column: str) -> Json:
    columns = _columns(name, column, record)
    if len(columns) == 1:
        return record.get(column)
    sent = ((part, _as_json(record.get(part))) for part in columns)
    held: dict[str, Json] = {part: value for part, value in sent if value is not None and str(value).strip()}
    if name == "label" or not held:
        return held or None
    return "\n".join(str(value).strip() for value in held.values())


def _columns(name: str, column: str, known: Collection[str]) -> tuple[str, ...]:
    """The columns that are meant: one of that very name, or those between its commas."""
    if name not in _SEVERAL or column in known or "," not in column.translate(_NARROW):
        return (column,)
    return tuple(part.strip() for part in column.translate(_NARROW).split(",") if part.strip())


class JsonEvents(NamedTuple):
    """A batch of events out of JSON: those to keep, and those refused with their place in the batch."""

    events: tuple[Checked, ...]
    dead: tuple[tuple[int, DeadLetter], ...]

    @property
    def kept(self) -> list[Event]:
        return [checked.event for checked in self.events]


def unknown_task(name: str, tasks: Mapping[str, Task]) -> UsageError:
    """The error of a call that names a task which the workspace does not have."""
    return UsageError(
        f"This workspace has no task {name!r}.",
        f"It has {', '.join(tasks) or 'none'}. {did_you_mean(name, tasks)}".rstrip(),
        f"Add a table [tasks.{name}] to freshtune.toml." if name in TASKS else "Name one that it has.",
    )


def _takes(task: Task, label: str) -> bool:
    try:
        task.label(label)
    except (ValueError, OverflowError):
        return False
    return True


def _labels(task: Task) -> str:
    head = task.head()
    if isinstance(head, Ordinal | Score):
        return f"{head.lowest:g} to {head.highest:g}"
    return ", ".join(class_names(head)) or "names that are not too long"


def parse_label_map(written: str) -> dict[str, str]:
    """Read a label map as a flag has it; commas and equals signs may be full-width ones.

    Raises:
        UsageError: a part is not ``sent=label``.

    >>> parse_label_map("0=negative,1=positive")
    {'0': 'negative', '1': 'positive'}
    >>> parse_label_map("差评＝negative，好评＝positive")
    {'差评': 'negative', '好评': 'positive'}
    """
    narrow = written.translate(_NARROW)
    pairs = [part.partition("=") for part in narrow.split(",") if part.strip()]
    for sent, equals, label in pairs:
        if not equals or not sent.strip() or not label.strip():
            raise UsageError(f"{written!r} is no label map", "", "Write it as 0=negative,1=positive.")
    return {sent.strip(): label.strip() for sent, _, label in pairs}


def events_from_json(batch: Sequence[Json | BadRecord], checks: EventChecks, source: str = "http") -> JsonEvents:
    """Check a batch of event objects, as ``POST /v1/events`` gets them. A bad one is refused alone.

    Raises:
        UsageError: more objects than ``limits.max_batch_records``.
    """
    if len(batch) > checks.limits.max_batch_records:
        raise UsageError(
            f"{len(batch)} events in one batch",
            f"The limit is {checks.limits.max_batch_records}.",
            "Send fewer at once.",
        )
    events: list[Checked] = []
    dead: list[tuple[int, DeadLetter]] = []
    for place, sent in enumerate(batch):
        try:
            if isinstance(sent, BadRecord):
                raise sent
            if not isinstance(sent, Mapping):
                raise BadRecord("not_an_object", f"{json_type(sent)}, and an event is an object")
            events.append(checks.event(sent))
        except BadRecord as bad:
            shown = bad.excerpt if isinstance(sent, BadRecord) else sent
            dead.append((place, dead_letter(bad, shown, source, checks.masker)))
    return JsonEvents(tuple(events), tuple(dead))


def parse_events(body: bytes, checks: EventChecks) -> list[Json | BadRecord]:
    """Read a JSON array, plain or as ``{"events": [...]}``, so that a broken element leaves the others whole.

    The result is for ``events_from_json``.

    Raises:
        BadRecord: the body is no array.
    """
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    else:
        events = whole.get("events") if isinstance(whole, dict) else whole
        if not isinstance(events, list):
            raise BadRecord("broken_json", "the body is not an array of events")
        return events
    wrapped = _WRAPPED.fullmatch(body)
    elements: list[Json | BadRecord] = []
    for written in split_array(wrapped[1] if wrapped else body):
        try:
            elements.append(parse_json(written, checks.limits))
        except BadRecord as bad:
            elements.append(BadRecord(bad.reason, bad.detail, written[:_EXCERPT].decode("utf-8", "replace")))
    return elements


def _as_json(value: object) -> Json:
    return value.isoformat() if isinstance(value, date) else value  # type: ignore[return-value]
