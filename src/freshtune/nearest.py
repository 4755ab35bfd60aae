"""The name that somebody may have meant."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.5


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names the nearest known name; empty where none is near.

    >>> did_you_mean("sentimnt", ["rating", "sentiment"])
    "Did you mean 'sentiment'?"
    >>> did_you_mean("x", ["rating", "sentiment"])
    ''
    """
    close = difflib.get_close_matches(name, list(known), 1, _ALIKE)
    return f"Did you mean {close[0]!r}?" if close else ""
