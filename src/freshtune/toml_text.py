"""Plain values as TOML, which the standard library reads but does not write."""

import re
from collections.abc import Mapping

import orjson


def toml_lines(tree: Mapping[str, object], place: str = "") -> list[str]:
    """A tree of plain values as TOML lines, values before tables; TOML says None by leaving it out.

    A table that holds nothing but tables needs no line of its own.

    >>> toml_lines({"fit": {"epochs": 3}, "average": [0.5], "cut": None})
    ['average = [0.5]', '', '[fit]', 'epochs = 3']
    """
    told = {_key(key): value for key, value in tree.items() if value is not None}
    lines = [f"{key} = {toml_value(value)}" for key, value in told.items() if not isinstance(value, dict)]
    if place and (lines or not told):
        lines.insert(0, f"[{place}]")
    for key, value in told.items():
        if isinstance(value, dict):
            lines += [*([""] if lines else []), *toml_lines(value, f"{place}.{key}".strip("."))]
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else orjson.dumps(name).decode()


def toml_value(value: object) -> str:
    """A plain value as TOML has it, on one line.

    >>> toml_value([{"name": "fgm", "weight": 0.5}])
    '[{name = "fgm", weight = 0.5}]'
    """
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        parts = [f"{_key(key)} = {toml_value(part)}" for key, part in value.items() if part is not None]
        return "{" + ", ".join(parts) + "}"
    return orjson.dumps(value).decode()
