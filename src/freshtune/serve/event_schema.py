"""What an event looks like to a sender: JSON Schema and examples, of a workspace's tasks, bounds and reasons."""

from collections.abc import Mapping
from typing import Protocol

import orjson

from freshtune.model.heads import Head
from freshtune.model.heads.several import Several
from freshtune.records import KINDS, Json
from freshtune.tasks import Task, class_names

EVENT, BATCH = "Event", "EventBatch"
"""Names of the two schemas."""

OF_FILES = frozenset({"broken_csv", "broken_file", "decompression_limit"})
"""Reasons that no batch over HTTP meets."""

Schema = dict[str, Json]


class EventBounds(Protocol):
    """The bounds of intake that a sender must know."""

    @property
    def max_text_characters(self) -> int: ...
    @property
    def max_id_characters(self) -> int: ...
    @property
    def max_fields(self) -> int: ...
    @property
    def max_depth(self) -> int: ...
    @property
    def max_record_bytes(self) -> int: ...
    @property
    def max_batch_records(self) -> int: ...


def event_schemas(tasks: Mapping[str, Task], bounds: EventBounds, reasons: Mapping[str, str]) -> dict[str, Schema]:
    """The schemas ``Event`` and ``EventBatch``.

    Args:
        tasks: the workspace's, by name.
        reasons: reason of a refusal → what it means.
    """
    refusals = "; ".join(f"`{name}`: {words}" for name, words in reasons.items() if name not in OF_FILES)
    event: Schema = {
        "type": "object",
        "additionalProperties": False,
        "description": (
            "One thing that happened in the shop. Null and an empty string stand for a field that is not sent. "
            "Without `kind` it needs a task, its own or that of the address. "
            "Personal data is masked before it is stored. "
            f"An event has {bounds.max_record_bytes:,} bytes at most. One that is "
            f"refused fails alone, with one of these reasons: {refusals}."
        ),
        "properties": _properties(tasks, bounds),
        "examples": list(event_examples(tasks).values()),
    }
    batch: Schema = {
        "description": f"1 to {bounds.max_batch_records:,} events: an object with `events`, or the array alone.",
        "anyOf": [
            {"type": "object", "required": ["events"], "properties": {"events": _array(bounds)}},
            _array(bounds),
        ],
    }
    return {EVENT: event, BATCH: batch}


def _array(bounds: EventBounds) -> Schema:
    items: Json = {"$ref": f"#/components/schemas/{EVENT}"}
    return {"type": "array", "maxItems": bounds.max_batch_records, "items": items}


def _properties(tasks: Mapping[str, Task], bounds: EventBounds) -> Schema:
    def name(words: str) -> Schema:
        return {"type": ["string", "integer", "null"], "maxLength": bounds.max_id_characters, "description": words}

    def text(words: str) -> Schema:
        longest = f"{words} Cut after {bounds.max_text_characters:,} characters; the reply counts it as shortened."
        return {"type": ["string", "null"], "description": longest}

    label = "What a person said. " + " ".join(_label_words(task) for task in tasks.values())
    return {
        "kind": {
            "type": ["string", "null"],
            "enum": [*KINDS, None],
            "description": "What happened; where it is not sent, the first kind that the task learns from: "
            + _kinds(tasks),
        },
        "task": {
            "type": ["string", "null"],
            "enum": [*tasks, None],
            "description": "The task that it is for; where it is not sent, every task that reads this kind. A label "
            "needs it where several tasks do.",
        },
        "text": text("The review, the query, the product's title; needed for review, item, query and chat."),
        "label": {"type": ["string", "number", "array", "object", "null"], "description": label},
        "pair": text("The second text of a two-text task, such as the title beside a query."),
        "id": name("Yours. The same id is stored once, whatever comes with it; without one, the same content is."),
        "time": {
            "type": ["string", "number", "null"],
            "description": "When it happened, 1970 to 2100: ISO 8601, `2026-01-31 08:00`, or seconds or milliseconds "
            "since 1970. UTC where it has no zone.",
        },
        "user": name("Who did it."),
        "item": name("The product; needed for kind item."),
        "session": name("The visit."),
        "category": name("Scores are also told by category."),
        "example": name("For kind label: the id of the event that is labelled."),
        "fields": {
            "type": ["object", "null"],
            "description": f"Anything else, {bounds.max_fields} values at most, {bounds.max_depth} levels at most. "
            "label, pair, category and example may stand here as well.",
        },
    }


def _kinds(tasks: Mapping[str, Task]) -> str:
    return ", ".join(f"{name} learns from {' and '.join(task.kinds)}" for name, task in tasks.items()) + "."


def _label_words(task: Task) -> str:
    head = task.head()
    lowest, highest = getattr(head, "lowest", None), getattr(head, "highest", None)
    if lowest is not None and highest is not None:
        return (
            f"{task.name}: {'a whole number' if head.kind == 'ordinal' else 'a number'} from {lowest:g} to {highest:g}."
        )
    named = ", ".join(class_names(head))
    if head.kind == "several":
        return f"{task.name}: names, as a list or as the task reads them; of {named or 'any that labels bring'}."
    return f"{task.name}: {named or 'the name of a class; one that no label has named before is a new class'}."


def _last_label(head: Head) -> Json:
    """A label that the task takes, as the examples have it."""
    highest = getattr(head, "highest", None)
    if highest is not None:
        return int(highest) if head.kind == "ordinal" else float(highest)
    names = class_names(head)
    if isinstance(head, Several):
        return [names[-1] if names else f"home{head.path}bath" if head.path else "colour=white"]
    return names[-1] if names else "great_room"  # as the text is


def event_examples(tasks: Mapping[str, Task]) -> dict[str, dict[str, Json]]:
    """One event for each task, with its last label; a label that comes late; and a product."""
    made: dict[str, dict[str, Json]] = {}
    for name, task in tasks.items():
        head = task.head()
        said = _last_label(head)
        made[name] = {
            "id": f"{name}-1",
            "kind": task.kinds[0],
            "task": name,
            "text": "房间很干净，下次还来",
            "label": said,
        }
        if task.kinds[0] == "item":
            made[name] |= {"text": "浴室毛巾 白色 纯棉 bath towel", "item": "4712"}
        if task.pairs:
            made[name] |= {"text": "手机壳", "pair": "透明防摔手机壳"}
        made[f"late {name}"] = {"kind": "label", "task": name, "example": f"{name}-1", "label": said}
    made["product"] = {"kind": "item", "item": "4711", "text": "透明防摔手机壳", "category": "accessories"}
    return made


def batch_examples(tasks: Mapping[str, Task]) -> dict[str, dict[str, Json]]:
    """By media type and name, bodies that are taken as they are."""
    events: list[Json] = [*event_examples(tasks).values()]
    lines = "".join(orjson.dumps(event).decode() + "\n" for event in events)
    return {
        "application/json": {"batch": {"events": events}, "array": events[:1]},
        "application/x-ndjson": {"lines": lines},
    }
