"""The fields of an event that have a meaning for every task."""

from freshtune.records import Event, Json


def sent_label(event: Event, task: str) -> Json:
    """The label that an event carries for a task: ``label`` when it was sent for it, else the field of the task's name.

    >>> sent_label(Event("1", "review", fields={"rating": 5}), "rating")
    5
    """
    return event.fields.get("label") if event.task == task else event.fields.get(task)


def sent_pair(event: Event) -> str | None:
    """The second text that an event carries itself; a number is read as text, anything else is none."""
    value = event.fields.get("pair")
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def category(event: Event) -> str | None:
    """The slice that an event belongs to."""
    value = event.fields.get("category")
    return None if value is None else str(value)
