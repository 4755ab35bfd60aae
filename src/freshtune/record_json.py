"""Records as JSON and back: strict on keys and types, NaN as null, so that any JSON reader can take them."""

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from freshtune.errors import IntegrityError
from freshtune.records import Json

T = TypeVar("T")


def to_json(record: object) -> Json:
    """Turn a record of ``records.py`` (Scorecard, Verdict, Release, Example …) into plain JSON values.

    Raises:
        ValueError: an infinite number, which JSON cannot hold.

    >>> from freshtune.records import Estimate, LogRange
    >>> to_json(LogRange(3, 5))
    {'since': 3, 'upto': 5}
    >>> to_json(Estimate(float("nan"), 0.0, 1.0))["value"] is None
    True
    """
    if is_dataclass(record) and not isinstance(record, type):
        return {field.name: to_json(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    if isinstance(record, tuple | list):
        return [to_json(value) for value in record]
    if isinstance(record, datetime):
        return record.isoformat()
    if isinstance(record, float):
        if math.isinf(record):
            raise ValueError("an infinite number has no JSON")
        return None if math.isnan(record) else record
    if record is None or isinstance(record, str | int | bool):
        return record
    raise TypeError(f"{type(record).__name__} has no JSON")


def from_json(kind: type[T], value: Json) -> T:
    """Build a record of a kind from what ``to_json`` made.

    Raises:
        IntegrityError: an unknown or missing key, or a value of another type; it names the place.

    >>> from freshtune.records import LogRange
    >>> from_json(LogRange, {"since": 3, "upto": 5})
    LogRange(since=3, upto=5)
    """
    built: T = _build(kind, value, kind.__name__)
    return built


def dumps(record: object) -> bytes:
    """A record as UTF-8 JSON, the same bytes for the same record."""
    return json.dumps(to_json(record), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def loads(kind: type[T], data: bytes) -> T:
    """The reverse of ``dumps``.

    Raises:
        IntegrityError: the bytes are no JSON, or not of this kind.
    """
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"a stored {kind.__name__} cannot be read", f"it is no JSON: {error}") from None
    return from_json(kind, value)


def _refuse(place: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{place} cannot be read", why, "The file was changed, or was written by another version of freshtune."
    )


def _build(kind: Any, value: Json, place: str) -> Any:
    """One value of a type hint."""
    origin = get_origin(kind)
    if is_dataclass(kind):
        return _dataclass(kind, value, place)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind), value, place)
    if origin is tuple:
        return _tuple(get_args(kind)[0], value, place)
    if origin is Literal:
        if value in get_args(kind):
            return value
        raise _refuse(place, f"{value!r} is none of {get_args(kind)}")
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _refuse(place, "a JSON object is needed")
        return {key: _build(get_args(kind)[1], part, f"{place}.{key}") for key, part in value.items()}
    if kind is datetime:
        return _time(value, place)
    return _plain(kind, value, place)


def _dataclass(kind: Any, value: Json, place: str) -> Any:
    if not isinstance(value, dict):
        raise _refuse(place, "a JSON object is needed")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise _refuse(place, f"unknown key {unknown[0]!r}")
    for name, field in known.items():
        if name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise _refuse(place, f"key {name!r} is missing")
    return kind(**{name: _build(hints[name], part, f"{place}.{name}") for name, part in value.items()})


def _tuple(kind: Any, value: Json, place: str) -> Any:
    if not isinstance(value, list):
        raise _refuse(place, "a JSON array is needed")
    return tuple(_build(kind, part, f"{place}[{number}]") for number, part in enumerate(value))


def _union(kinds: tuple[Any, ...], value: Json, place: str) -> Any:
    if any(get_origin(kind) is dict for kind in kinds):  # the type Json itself: whatever was read is one
        return value
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, list):
        text = bool(value) and all(isinstance(part, str) for part in value)
        tuples = [kind for kind in kinds if get_origin(kind) is tuple]
        kinds = tuple(sorted(tuples, key=lambda kind: (get_args(kind)[0] is str) != text))
    else:
        kinds = tuple(kind for kind in kinds if kind is type(value)) or kinds
    for kind in kinds:
        if kind is not type(None):
            return _build(kind, value, place)
    raise _refuse(place, f"{value!r} is not of a type that it can have")


def _time(value: Json, place: str) -> datetime:
    try:
        return datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise _refuse(place, f"{value!r} is no ISO 8601 time") from None


def _plain(kind: Any, value: Json, place: str) -> Any:
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif type(value) is kind:
        return value
    raise _refuse(place, f"{value!r} is no {getattr(kind, '__name__', kind)}")
