"""What the gate said, laid out for people: a word in both languages, and a plain line before the numbers."""

import re
from collections.abc import Mapping
from typing import Literal

from freshtune.records import Verdict

Decision = Literal["promoted", "refused", "undecided"]

CHINESE: Mapping[Decision, str] = {"promoted": "上线", "refused": "拒绝", "undecided": "待定"}

_END_OF_HEADLINE = re.compile(r": |; |\. ")


def decided(verdict: Verdict) -> Decision:
    """What became of a candidate. An undecided one has shown no harm: the next update learns its reviews again."""
    return "promoted" if verdict.promote else "undecided" if verdict.undecided else "refused"


def headline(words: str) -> tuple[str, str]:
    """A finding's words, cut into a plain line without its full stop, and the numbers behind it.

    >>> headline("It may have forgotten: accuracy on 200 old examples changed by -1.86 points; none may be lost.")
    ('It may have forgotten', 'accuracy on 200 old examples changed by -1.86 points; none may be lost.')
    >>> headline("The size was not measured.")
    ('The size was not measured', '')
    """
    plain, *numbers = _END_OF_HEADLINE.split(words, maxsplit=1)
    return plain.removesuffix("."), "".join(numbers)
