"""When something happened, out of the many ways in which senders write it."""

import math
import re
from datetime import UTC, datetime, timedelta

from freshtune.intake.reasons import BadRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(2101, 1, 1, tzinfo=UTC)

_LOOSE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]?(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?", re.ASCII)
_YEAR = re.compile(r"(\d{4})\D", re.ASCII)


def parse_time(value: object) -> datetime:
    """Read a time as UTC; one without a zone is taken as UTC.

    Args:
        value: ISO 8601 text, ``2013/4/5 6:07``, ``2013年4月5日``, a datetime, or a number: ``YYYYMMDD``, else the
            time since 1970 in seconds, milli-, micro- or nanoseconds, told apart by size.

    Raises:
        BadRecord: ``bad_time`` or ``time_out_of_range``.

    >>> parse_time("2013-04-05T06:07:08+08:00")
    datetime.datetime(2013, 4, 4, 22, 7, 8, tzinfo=datetime.timezone.utc)
    >>> parse_time(1365114428) == parse_time("1365114428000")
    True
    """
    try:
        time = _read(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise BadRecord("time_out_of_range", f"{value!r}") from None
    if not EPOCH <= time < END:
        raise BadRecord("time_out_of_range", f"{value!r}")
    return time


def _read(value: object) -> datetime:
    if isinstance(value, str):
        return _from_text(value.strip())
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    raise BadRecord("wrong_type", f"time is a {type(value).__name__}")


def _from_text(text: str) -> datetime:
    if _NUMBER.fullmatch(text) and len(text) != 4:
        return _from_number(float(text) if "." in text else int(text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    loose = _LOOSE.fullmatch(text)
    try:
        if loose:
            return datetime(*(int(part or 0) for part in loose.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        pass
    year = _YEAR.match(text)
    outside = year is not None and not EPOCH.year <= int(year[1]) < END.year
    raise BadRecord("time_out_of_range" if outside else "bad_time", repr(text[:80]))


def _from_number(number: int | float) -> datetime:
    if not math.isfinite(number):
        raise BadRecord("not_finite", "time")
    if 19700101 <= number < 21010101 and number == int(number):
        year, month, day = int(number) // 10_000, int(number) // 100 % 100, int(number) % 100
        if 1 <= month <= 12 and 1 <= day <= 31:
            try:
                return datetime(year, month, day, tzinfo=UTC)
            except ValueError:
                raise BadRecord("bad_time", f"{number}") from None
    size = abs(number)
    microseconds = 1_000_000.0 if size < 1e11 else 1_000.0 if size < 1e14 else 1.0 if size < 1e17 else 0.001
    if isinstance(number, int) and microseconds >= 1:
        return EPOCH + timedelta(microseconds=number * int(microseconds))
    return EPOCH + timedelta(microseconds=number * microseconds)
