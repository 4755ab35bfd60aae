"""Names that labels bring: classes, values of attributes, nodes of a tree."""

import math
import unicodedata
from collections.abc import Iterable

from freshtune.errors import ConfigurationError
from freshtune.records import Json

LONGEST_NAME = 64
"""Characters of a name, at most."""


def name_of(value: Json, what: str = "label") -> str:
    """A name as it is kept: composed characters, no space around it; whole numbers are read as their digits.

    Args:
        what: the value is, for the refusal.

    Raises:
        ValueError: it is no text, empty, too long, or holds what cannot be printed.

    >>> name_of(" 退货 "), name_of(7.0)
    ('退货', '7')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{what} {str(value)[:80]!r} is no name")
    name = unicodedata.normalize("NFC", str(value)).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{what} {name[:80]!r} is no name of 1 to {LONGEST_NAME} characters")
    return name


def listed(value: Json) -> list[Json]:
    """The parts of a label that says several things: a list, or one text with ``|`` between; empty ones are left out.

    Raises:
        ValueError: it is neither.

    >>> listed("red | |blue"), listed(["red", None, ""])
    (['red ', 'blue'], ['red'])
    """
    parts = value.split("|") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError(f"label {str(value)[:80]!r} is no list")
    return [part for part in parts if not is_empty(part)]


def is_empty(value: Json) -> bool:
    """Whether a value says nothing: none, no number, or space alone."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def require_named(names: Iterable[str], named: tuple[str, ...], more: bool) -> None:
    """ValueError where the names are settled, and one of these is none of them.

    Args:
        named, more: see :func:`names_known`.
    """
    unknown = next((name for name in names if named and not more and name not in named), None)
    if unknown is not None:
        raise ValueError(f"label {unknown!r} is none of the {len(named)} that are named")


def names_known(task: str, named: tuple[str, ...], more: bool, most: int, brought: Iterable[str]) -> tuple[str, ...]:
    """The names that a task answers with: those that are known, in their order, then the others that are named.

    Args:
        named: in the settings; none leaves all to the labels.
        more: whether labels may bring others beside those that are named.
        most: it answers with so many at most.
        brought: known so far, and what labels bring.

    Raises:
        ConfigurationError: they are more than it may answer with.
    """
    known = (name for name in brought if more or not named or name in named)
    names = tuple(dict.fromkeys((*known, *named)))
    if len(names) > most:
        raise ConfigurationError(
            f"{task} has met {len(names):,} names.",
            f"tasks.{task}.most_names allows {most:,}; the last is {names[-1]!r}.",
            f"Raise most_names if they are right; if not, name those that are in tasks.{task}.labels.",
        )
    return names
