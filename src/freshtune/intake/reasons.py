"""Why a record is refused: reasons that a machine can count, and what they mean."""

import math
from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "broken_json": "the line is not JSON",
    "not_an_object": "the JSON value is not an object",
    "too_deep": "lists and objects are nested deeper than the limit",
    "broken_csv": "the row has more or fewer cells than the header, or a quote is never closed",
    "broken_encoding": "the bytes are not text in the file's encoding, such as truncated UTF-8",
    "broken_file": "the file cannot be read beyond this point, such as a truncated gzip",
    "decompression_limit": "the file grows beyond the stated ratio when decompressed",
    "record_too_large": "the record has more bytes than the limit",
    "too_many_fields": "the record has more values than the limit",
    "unknown_field": "an event has a name that no event has",
    "wrong_type": "a value has another type than its name asks for",
    "not_finite": "a number is NaN or infinite",
    "lone_surrogate": "a string holds half of a surrogate pair",
    "nul_character": "a string holds the character NUL",
    "missing_text": "an event of this kind needs a text",
    "missing_item": "an event of kind item needs the item's id",
    "missing_label": "a label event needs fields.label",
    "missing_example": "a label event needs fields.example, the id of the example that it labels",
    "missing_task": "a label needs the task that it is for",
    "id_too_long": "an id or category has more characters than the limit",
    "unknown_kind": "the kind is none of the event kinds",
    "unknown_task": "the task is none of the workspace's tasks",
    "bad_time": "the time cannot be read",
    "time_out_of_range": "the time is before 1970 or after 2100",
    "bad_label": "the label is none of the task's",
    "rating_outside_scale": "the rating or grade is outside its task's scale",
}


class BadRecord(ValueError):  # noqa: N818 - a finding that sources also hand over as a value
    """A record that cannot become an event.

    Args:
        reason: a key of REASONS.
        detail: what was found, for a person; masked before it is kept.
        excerpt: the start of what was sent, where it is no record at all.
    """

    def __init__(self, reason: str, detail: str = "", excerpt: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.excerpt = reason, detail, excerpt


def wrong_type(name: str, value: object, wanted: str) -> BadRecord:
    """The finding that a value has another type than its name asks for.

    >>> wrong_type("text", 5, "text").detail
    'text is a number, not text'
    """
    fraction = isinstance(value, float) and math.isfinite(value) and not value.is_integer()
    return BadRecord("wrong_type", f"{name} is {value if fraction else json_type(value)}, not {wanted}")


def json_type(value: object) -> str:
    """The type of a value in the words of JSON; Python's own for what JSON does not have.

    >>> json_type(None), json_type([1]), json_type({"a": 1}), json_type(b"")
    ('null', 'a list', 'an object', 'a bytes')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    return f"a {type(value).__name__}"
