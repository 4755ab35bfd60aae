"""A record that was refused, in a form that is safe to keep and to show."""

import re
from datetime import UTC, datetime

import orjson

from freshtune.intake.masking import Masker
from freshtune.intake.reasons import BadRecord
from freshtune.records import DeadLetter

_DETAIL, _RECORD = 500, 2_048
_SEEN = 8 * _RECORD
_ESCAPE = re.compile(r"\\u(?!d[89a-f])([0-9a-f]{4})", re.IGNORECASE)


def dead_letter(bad: BadRecord, record: object, source: str, masker: Masker) -> DeadLetter:
    """Keep why a record was refused, and its masked start.

    Args:
        record: what was sent; shown as JSON unless it is text.
        source: where it came from, such as a file and a record number.
    """
    detail, _ = masker.mask(_printable(bad.detail))
    shown, _ = masker.mask(_printable(_as_text(record))[:_SEEN])
    return DeadLetter(bad.reason, detail[:_DETAIL], shown[:_RECORD], source, datetime.now(UTC))


def _as_text(record: object) -> str:
    if isinstance(record, str):
        # Digits can hide behind escapes in text that was to be JSON.
        return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), record[: 2 * _SEEN])
    try:
        return orjson.dumps(record, default=str).decode()
    except TypeError:
        pass
    try:
        return repr(record)
    except RecursionError:
        return "(nested too deep to be shown)"


def _printable(text: str) -> str:
    """Text that any store can keep: no NUL, no lone surrogate."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
