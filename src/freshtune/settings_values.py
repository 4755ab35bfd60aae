"""Plain values → frozen dataclasses: what is given over what stands by default, every wrong key with its mend."""

import dataclasses
import re
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from freshtune.errors import ConfigurationError
from freshtune.nearest import did_you_mean

FILE = "freshtune.toml"


def built(kind: Any, value: Any, place: str, default: Any = None) -> Any:
    """A checked value of a kind: what is given over a default's values, by default those of the kind itself."""
    default = kind() if default is None else default
    value = _over(default, value)
    _known_keys(kind, value, place)
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([place, *map(str, first["loc"])]).strip(".")
        meant = did_you_mean(str(first["input"]), re.findall(r"'(.*?)'", str(first.get("ctx", {}).get("expected", ""))))
        why = f"{first['msg']}; it is {first['input']!r}. {meant}".rstrip()
        raise ConfigurationError(f"The setting {where} is wrong.", why, _mend(default, first["loc"])) from None


def _mend(default: Any, path: Sequence[int | str]) -> str:
    """What to write instead of a wrong value, by the default that stands in its place.

    Args:
        default: of the whole tree.
        path: from there to the value; of a family's member also its name.
    """
    for key in path:
        if isinstance(default, tuple) and isinstance(key, int):
            default = default[key] if key < len(default) else None
        elif key != getattr(default, "name", None):
            default = getattr(default, str(key), None)
    if dataclasses.is_dataclass(default):
        keys = ", ".join(place.name for place in dataclasses.fields(default))
        return f"It is a table: set its keys, one by one. Here are: {keys}."
    where = f"in {FILE}, in the environment, or with --set."
    if isinstance(default, str | int | float):
        return f"Its default is {orjson.dumps(default).decode()}: write such a value {where}"
    return f"Write another value {where}"


def _over(default: Any, given: Any) -> Any:
    """What is given over a default's own values: a table with one key leaves the others as they stand there.

    Not over another member of a family: its fields are others.
    """
    if not dataclasses.is_dataclass(default) or not isinstance(given, dict):
        return given
    if "name" in given and given["name"] != getattr(default, "name", given["name"]):
        return given
    whole = {place.name: getattr(default, place.name) for place in dataclasses.fields(default) if place.init}
    return whole | {key: _over(whole.get(key), value) for key, value in given.items()}


def _known_keys(kind: Any, value: Any, place: str) -> None:
    """Refuse keys that a dataclass, or the member that ``name`` chooses, does not have."""
    kind = _member(kind, value, place)
    if isinstance(value, list | tuple):
        for index, part in enumerate(value):
            _known_keys(typing.get_args(kind)[0] if typing.get_args(kind) else Any, part, f"{place}.{index}")
        return
    if not dataclasses.is_dataclass(kind) or not isinstance(value, dict):
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    names = [part.name for part in dataclasses.fields(kind)]
    for key, part in value.items():
        if key not in names:
            raise ConfigurationError(
                f"There is no setting {'.'.join(filter(None, (place, key)))}.",
                did_you_mean(key, names),
                f"Here are: {', '.join(names)}.",
            )
        _known_keys(hints[key], part, f"{place}.{key}".strip("."))


def _member(kind: Any, value: Any, place: str) -> Any:
    """The class behind a hint: out of ``Annotated``, and of a family the member that is named."""
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) in (typing.Union, types.UnionType) and isinstance(value, dict):
        members: dict[str, Any] = {getattr(member, "name", ""): member for member in typing.get_args(kind)}
        members.pop("", None)
        name = value.get("name")
        if members and name not in members:
            raise ConfigurationError(
                f"{place}.name = {name!r} is none that there is.",
                did_you_mean(str(name), members),
                f"There are {', '.join(members)}.",
            )
        return members.get(str(name), kind)
    return kind
