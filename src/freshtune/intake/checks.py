"""Every check that stands between what a sender sent and the log."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

import orjson

from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.masking import Masker
from freshtune.intake.reasons import BadRecord, json_type, wrong_type
from freshtune.intake.times import parse_time
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.records import KINDS, Event, Json, Kind
from freshtune.tasks import Task
from freshtune.tasks.event_fields import SHARED_FIELDS

_NAMES = frozenset({"id", "kind", "time", "task", "user", "item", "session", "text", "fields"})
_KNOWN = _NAMES | frozenset(SHARED_FIELDS)
_KINDS: Mapping[str, Kind] = {kind: kind for kind in KINDS}
_WITH_TEXT = frozenset({"review", "item", "query", "chat"})
_CONTENT = ("id", "kind", "task", "time", "user", "item", "session", "text", "fields")


class Checked(NamedTuple):
    """An event that may be kept, how many personal values it held, and whether a text of it was cut."""

    event: Event
    masked: int
    shortened: bool


@dataclass(frozen=True)
class EventChecks:
    """Turns what a sender calls an event into one that may be kept.

    Attributes:
        tasks: the workspace's tasks by name; they judge labels.
        masker: takes personal data out of every string; its salt also keys the ids of events that have none.
    """

    tasks: Mapping[str, Task]
    masker: Masker
    limits: Limits = DEFAULT_LIMITS

    def event(self, sent: Mapping[str, Json]) -> Checked:
        """Check, name and mask one event.

        Args:
            sent: names of ``records.Event``; ``label``, ``pair``, ``category`` and ``example`` may stand beside
                ``fields`` or in it. Without a ``kind`` it is of the first that its ``task`` reads. Without an ``id``
                the event gets a keyed digest of its content as it was before masking and cutting: equal events are
                equal, and nothing can be read from it.

        Raises:
            BadRecord: with one of ``reasons.REASONS``.
        """
        if not sent.keys() <= _KNOWN:
            found = ", ".join(sorted(repr(name)[:80] for name in sent.keys() - _KNOWN)[:5])
            raise BadRecord(
                "unknown_field",
                f"{found}: the names are {', '.join(sorted(_KNOWN))}; others go into fields, "
                "or the columns of a file are named with --text, --label …",
            )
        kind = self._kind(sent)
        task = self._task(sent.get("task"))
        text = _text(sent.get("text"), "text")
        if text is None and kind in _WITH_TEXT:
            raise BadRecord("missing_text", f"text is empty, and a {kind} event needs one")
        sent_time = sent.get("time")
        time = None if sent_time is None or sent_time == "" else parse_time(sent_time)
        names = (_name(sent, "user"), _name(sent, "item"), _name(sent, "session"))
        if kind == "item" and names[1] is None:
            raise BadRecord("missing_item", "item is empty, and an item event needs the id of its item")
        fields = self._fields(sent)
        task = self._checked_labels(kind, task, fields)
        identity = _name(sent, "id")
        canonical = self._canonical((identity, kind, task, time, *names, text, fields))
        event = Event(identity or "", kind, time, task, *names, text, fields)
        return self._masked(event, self._digest(canonical) if identity is None else None)

    def _kind(self, sent: Mapping[str, Json]) -> Kind:
        kind = sent.get("kind")
        if kind is None or kind == "":
            task = self._task(sent.get("task"))
            if task is not None:
                return self.tasks[task].kinds[0]
        return _kind(kind)

    def _digest(self, canonical: bytes) -> str:
        return blake2b(canonical, key=self.masker.salt, digest_size=16, person=b"freshtune.event").hexdigest()

    def _task(self, task: Json) -> str | None:
        if task is None or task == "":
            return None
        if not isinstance(task, str):
            raise wrong_type("task", task, "text")
        if task not in self.tasks:
            raise BadRecord("unknown_task", f"{task[:80]!r} is none of {', '.join(self.tasks)}")
        return task

    def _fields(self, sent: Mapping[str, Json]) -> dict[str, Json]:
        given = sent.get("fields")
        if given is None:
            given = {}
        if not isinstance(given, Mapping):
            raise wrong_type("fields", given, "an object")
        fields = dict(given)
        for name in SHARED_FIELDS:
            value = sent.get(name)
            if value is not None and value != "":
                fields[name] = value
        if fields:
            _check_json(fields, self.limits)
            for name, read in (("pair", _text), ("category", _name_of), ("example", _name_of)):
                if name in fields:
                    fields[name] = read(fields[name], name)
        return fields

    def _checked_labels(self, kind: Kind, task: str | None, fields: dict[str, Json]) -> str | None:
        """Put the tasks' own values in place of the sent labels; the task that ``label`` is for."""
        label = fields.get("label")
        if label is not None:
            task = task or self._only_reader(kind)
            fields["label"] = self._label(self.tasks[task], label)
        elif kind != "label" and not fields:
            return task
        sent = [name for name in self.tasks if fields.get(name) is not None and name not in SHARED_FIELDS]
        named = [name for name in sent if self._reads(name, kind)]
        for name in named:
            fields[name] = self._label(self.tasks[name], fields[name])
        if kind == "label":
            if label is None and not named:
                raise BadRecord("missing_label", "fields has no label, and a label event says which it is")
            if fields.get("example") is None:
                raise BadRecord("missing_example", "fields has no example: the id of the event that is labelled")
        return task

    def _reads(self, task: str, kind: Kind) -> bool:
        return kind == "label" or kind in self.tasks[task].kinds

    def _only_reader(self, kind: Kind) -> str:
        readers = [name for name in self.tasks if self._reads(name, kind)]
        if len(readers) != 1:
            who = f"{' and '.join(readers)} read" if readers else "no task reads"
            raise BadRecord("missing_task", f"{who} {kind} events: name in task the one that the label is for")
        return readers[0]

    def _label(self, task: Task, value: Json) -> Json:
        try:
            label = task.label(value)
            return list(label) if isinstance(label, tuple) else label
        except (ValueError, OverflowError) as error:
            raise BadRecord(_label_reason(task, value), str(error)[:500]) from None

    def _canonical(self, content: tuple[Json | datetime, ...]) -> bytes:
        """The content as bytes, equal for equal content; what cannot be written so cannot be kept."""
        try:
            canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        except TypeError as error:
            if _any_string(content, _has_surrogate):
                raise BadRecord("lone_surrogate", f"{_place(content, _has_surrogate)} holds half a character") from None
            raise BadRecord("wrong_type", f"a value cannot be kept: {error}") from None
        if len(canonical) > self.limits.max_record_bytes:
            raise BadRecord("record_too_large", f"{len(canonical)} bytes, the limit is {self.limits.max_record_bytes}")
        # The first test is fast and also meets a backslash that was sent as text.
        if b"\\u0000" in canonical and _any_string(content, _has_nul):
            raise BadRecord("nul_character", f"{_place(content, _has_nul)} holds it")
        return canonical

    def _masked(self, event: Event, digest: str | None) -> Checked:
        """The event without personal data and within the limits; ``digest`` in place of an id that was not sent."""
        mask, longest = self.masker.mask, self.limits.max_text_characters
        total, shortened = 0, False
        names: list[str | None] = []
        for place, name in (("id", event.id), ("user", event.user), ("item", event.item), ("session", event.session)):
            if name:
                name, count = mask(name)
                total += count
                self._check_length(place, name)
            names.append(name)
        text, fields = event.text, event.fields
        if text is not None:
            text, count = mask(text)
            total += count
            if len(text) > longest:
                text, shortened = text[:longest], True
        if fields:
            fields, count = self.masker.mask_mapping(fields)
            total += count
            pair = fields.get("pair")
            if isinstance(pair, str) and len(pair) > longest:
                fields["pair"], shortened = pair[:longest], True
            for key in ("category", "example"):
                self._check_length(key, str(fields.get(key, "")))
        identity, user, item, session = names
        kept = Event(digest or str(identity), event.kind, event.time, event.task, user, item, session, text, fields)
        return Checked(kept, total, shortened)

    def _check_length(self, place: str, name: str) -> None:
        longest = self.limits.max_id_characters
        if len(name) > longest:
            raise BadRecord("id_too_long", f"{place} has {len(name)} characters, the limit is {longest}")


def _kind(value: Json) -> Kind:
    if isinstance(value, str) and value in _KINDS:
        return _KINDS[value]
    if value is None or isinstance(value, str):
        found = f"{value[:80]!r} is none of" if value else "kind is empty, and no task says it; it is one of"
        raise BadRecord("unknown_kind", f"{found} {', '.join(KINDS)}")
    raise wrong_type("kind", value, "text")


def _text(value: Json, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(name, value, "text")
    return None if not value or value.isspace() else value


def _name(sent: Mapping[str, Json], name: str) -> str | None:
    value = sent.get(name)
    return value or None if value is None or type(value) is str else _name_of(value, name)


def _name_of(value: Json, name: str) -> str | None:
    """An id or a category as text; whole numbers are read as their digits."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRecord("not_finite", f"{name} is {value}")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise wrong_type(name, value, "text or a whole number")
    return str(int(value))


def _label_reason(task: Task, value: Json) -> str:
    head = task.head()
    if isinstance(head, Ordinal | Score) and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return "bad_label"
        if not math.isfinite(number):
            return "not_finite"
        if not head.lowest <= number <= head.highest:
            return "rating_outside_scale"
    return "bad_label"


def _check_json(fields: Mapping[str, Json], limits: Limits) -> None:
    """Bounds and types of everything inside ``fields``, without recursion."""
    waiting: list[tuple[str, object, int]] = [(str(name)[:80], value, 2) for name, value in fields.items()]
    seen = len(waiting)
    while waiting:
        if seen > limits.max_fields:
            raise BadRecord("too_many_fields", f"fields holds more than {limits.max_fields} values, the limit")
        name, value, depth = waiting.pop()
        if value is None or isinstance(value, str | int):
            continue
        if isinstance(value, float):
            if not math.isfinite(value):
                raise BadRecord("not_finite", f"fields.{name} holds {value}")
            continue
        if not isinstance(value, list | dict):
            raise BadRecord("wrong_type", f"fields.{name} holds {json_type(value)}, which JSON does not have")
        if depth >= limits.max_depth:
            raise BadRecord("too_deep", f"fields.{name} is nested deeper than {limits.max_depth}, the limit")
        seen += len(value)
        inner = value.values() if isinstance(value, dict) else value
        waiting += [(name, item, depth + 1) for item in inner]


def _any_string(value: object, test: Callable[[str], bool]) -> bool:
    if isinstance(value, str):
        return test(value)
    if isinstance(value, Mapping):
        return any(_any_string(item, test) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple) and any(_any_string(item, test) for item in value)


def _place(content: tuple[Json | datetime, ...], test: Callable[[str], bool]) -> str:
    """Which part of an event holds such a string."""
    return next(name for name, value in zip(_CONTENT, content, strict=True) if _any_string(value, test))


def _has_surrogate(string: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in string)


def _has_nul(string: str) -> bool:
    return "\0" in string
