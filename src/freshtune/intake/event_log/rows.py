"""Events and dead letters as rows of a table, and back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from freshtune.records import DeadLetter, Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def event_row(event: Event) -> tuple[str, str, str | None, str | None, bytes]:
    """Columns id, kind, item, example and body; what no query asks for is in the body."""
    example = event.fields.get("example") if event.kind == "label" else None
    time = None if event.time is None else (event.time - _EPOCH) // _MICROSECOND
    content = (event.schema_version, time, event.task, event.user, event.session, event.text, event.fields)
    return event.id, event.kind, event.item, None if example is None else str(example), orjson.dumps(content)


def event_of(row: Any) -> Event:
    """The event of a row of position, id, kind, item and body."""
    position, identity, kind, item, body = row
    schema_version, time, task, user, session, text, fields = orjson.loads(body)
    when = None if time is None else _EPOCH + timedelta(microseconds=time)
    return Event(identity, kind, when, task, user, item, session, text, fields, position, schema_version)


def dead_letter_row(dead: DeadLetter) -> tuple[str, str, str, str, int]:
    """Columns reason, detail, record, source and time."""
    return dead.reason, dead.detail, dead.record, dead.source, (dead.time - _EPOCH) // _MICROSECOND


def dead_letter_of(row: Any) -> DeadLetter:
    """The dead letter of such a row."""
    reason, detail, record, source, time = row
    return DeadLetter(reason, detail, record, source, _EPOCH + timedelta(microseconds=time))
