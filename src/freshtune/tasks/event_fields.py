"""The fields of an event that have a meaning for every task."""

from freshtune.records import Event, Json

SHARED_FIELDS = ("label", "pair", "category", "example")
"""Fields of an event that mean the same to every task."""


def sent_label(event: Event, task: str) -> Json:
    """The label that an event carries for a task: ``label`` when it was sent for it, else the field of the task's name.

    A field that means something to every task is no label: ``category`` is a slice, also where there is a task of that
    name.

    >>> sent_label(Event("1", "review", fields={"rating": 5}), "rating")
    5
    >>> sent_label(Event("1", "item", fields={"category": "summer sale"}), "category") is None
    True
    """
    if event.task == task:
        return event.fields.get("label")
    return None if task in SHARED_FIELDS else event.fields.get(task)


def sent_pair(event: Event) -> str | None:
    """The second text that an event carries itself; a number is read as text, anything else is none."""
    value = event.fields.get("pair")
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def category(event: Event) -> str | None:
    """The slice that an event belongs to."""
    value = event.fields.get("category")
    return None if value is None else str(value)
