"""JSON out of hostile bytes: every failure has a reason, and none of them costs more than the bytes it came in."""

import json
import re
from typing import NoReturn

import orjson

from freshtune.intake.limits import Limits
from freshtune.intake.reasons import BadRecord
from freshtune.records import Json

# A string, or one character of structure; a string that is never closed is taken to the end.
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)


def parse_json(text: bytes, limits: Limits) -> Json:
    """Read one JSON value in UTF-8.

    Raises:
        BadRecord: ``record_too_large``, ``broken_encoding``, ``too_deep``, ``not_finite``, ``lone_surrogate`` or
            ``broken_json``.

    >>> parse_json(b'{"text": "ok"}', Limits())
    {'text': 'ok'}
    """
    if len(text) > limits.max_record_bytes:
        raise BadRecord("record_too_large", f"{len(text)} bytes, the limit is {limits.max_record_bytes}")
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        _explain(text, limits, str(error))
    return value


def split_array(body: bytes) -> list[bytes]:
    """Cut a JSON array into its elements without reading them, so that a broken one leaves the others whole.

    Raises:
        BadRecord: ``broken_json`` where the body is no array.

    >>> split_array(b'[{"a": [1, 2]}, NaN, "]"]')
    [b'{"a": [1, 2]}', b'NaN', b'"]"']
    """
    body = body.strip()
    if body[:1] != b"[" or body[-1:] != b"]":
        raise BadRecord("broken_json", "the body is not an array")
    elements: list[bytes] = []
    depth, start = 0, 1
    for mark in _MARKS.finditer(body):
        sign = mark.group()[0]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
        if (sign == 0x2C and depth == 1) or (depth == 0 and sign == 0x5D):
            elements.append(body[start : mark.start()].strip())
            start = mark.end()
    if depth != 0:
        raise BadRecord("broken_json", "a list or object of the body is never closed")
    return [] if elements == [b""] else elements


def _explain(text: bytes, limits: Limits, message: str) -> NoReturn:
    """Find out why the strict reader refused."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise BadRecord("broken_encoding", f"not UTF-8 at byte {error.start}") from None
    if _depth(text) > limits.max_depth:
        raise BadRecord("too_deep", f"deeper than {limits.max_depth}")
    try:
        json.loads(decoded, parse_constant=_refuse_constant, parse_float=_finite)
    except BadRecord:
        raise
    except (ValueError, RecursionError):
        raise BadRecord("broken_json", message) from None
    raise BadRecord("lone_surrogate" if re.search(r"\\u[dD][89a-fA-F]", decoded) else "broken_json", message)


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for mark in _MARKS.finditer(text):
        sign = mark.group()[0]
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> NoReturn:
    raise BadRecord("not_finite", name)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise BadRecord("not_finite", digits[:80])
    return number
