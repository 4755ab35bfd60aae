"""Personal data out of every text, before it is written, predicted on or logged."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from freshtune.intake.personal_data import PATTERNS, Pattern
from freshtune.records import Json

# Most texts hold none of these characters and are done after one scan of a literal character set.
_ANY_SIGN = re.compile("[@＠:0-9０-９]").search
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_SPACES = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000\t"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d·"
_DIGIT = "[0-9０-９]"
_BETWEEN = rf"[ .\-()/（）．{_SPACES}{_DASHES}{_INVISIBLE}]{{0,4}}"
# What every pattern needs: an @, a + before a number, ten digits, four numbers with dots, or two colons.
_PROMISING = re.compile(
    rf"[@＠]|[+＋] ?[(（]?{_DIGIT}|{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{9}}|{_DIGIT}(?:[.．]{_DIGIT}{{1,3}}){{3}}"
    "|[:：][0-9A-Fa-f]{0,4}[:：]"
).search
_HIDDEN_IN_NUMBER = re.compile(rf"(?<=[0-9０-９])[{_INVISIBLE}]+(?=[0-9０-９])")

# One character to one, so that places in the folded text are places in the text itself.
_FOLD = (
    {0xFF01 + offset: chr(0x21 + offset) for offset in range(94)}
    | dict.fromkeys(map(ord, _SPACES), " ")
    | dict.fromkeys(map(ord, _DASHES), "-")
)


class Masked(NamedTuple):
    """A text without personal data, and how many values were taken out."""

    text: str
    count: int  # type: ignore[assignment]  # a count of its own in place of the tuple's search


@dataclass(frozen=True)
class Masker:
    """Replaces personal data with tokens that are stable for one salt, whatever way the value is written.

    A token holds 32 bits of a keyed digest: equal values stay equal, the value cannot be found by trying all
    numbers without the salt, and among 65,000 different values two share a token with probability 0.4.

    Args:
        salt: 16 to 64 secret bytes of the workspace.

    >>> Masker(b"0123456789abcdef").mask("call +86 138-0013-8000 or 13800138000, 299元")
    Masked(text='call <phone:e8f1daaf> or <phone:e8f1daaf>, 299元', count=2)
    """

    salt: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 16 <= len(self.salt) <= 64:
            raise ValueError(f"a salt of {len(self.salt)} bytes, 16 to 64 are needed")

    def mask(self, text: str) -> Masked:
        """Mask one text. Masking twice changes nothing more."""
        if _ANY_SIGN(text) is None or _PROMISING(text) is None:
            return Masked(text, 0)
        masked, count = self._mask_promising(_HIDDEN_IN_NUMBER.sub("", text))
        return Masked(masked, count) if count else Masked(text, 0)

    def mask_json(self, value: Json) -> tuple[Json, int]:
        """Mask every string in a JSON value, keys too, and every number that reads as a phone or card number."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, Mapping):
            return self.mask_mapping(value)
        if isinstance(value, list):
            pairs = [self.mask_json(item) for item in value]
            return [item for item, _ in pairs], sum(count for _, count in pairs)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 1e10 <= value < 1e19
            or value != int(value)
        ):
            return value, 0
        masked, count = self.mask(str(int(value)))
        return (masked, count) if count else (value, 0)

    def mask_mapping(self, value: Mapping[str, Json]) -> tuple[dict[str, Json], int]:
        """Mask the keys and values of one JSON object."""
        masked: dict[str, Json] = {}
        total = 0
        for key, item in value.items():
            name, in_key = self.mask(key)
            masked[name], in_item = self.mask_json(item)
            total += in_key + in_item
        return masked, total

    def _mask_promising(self, text: str) -> Masked:
        folded, total = text.translate(_FOLD), 0
        # A replaced neighbour can uncover a value that it shielded: go on until nothing is found.
        while True:
            found = 0
            for pattern in PATTERNS:
                if pattern.sign not in folded:
                    continue
                text, folded, count = self._replace(pattern, text, folded)
                found += count
            if not found:
                return Masked(text, total)
            total += found

    def _replace(self, pattern: Pattern, text: str, folded: str) -> tuple[str, str, int]:
        parts: list[str] = []
        folded_parts: list[str] = []
        end = count = 0
        for match in pattern.regex.finditer(folded):
            canonical = pattern.canonical(match)
            if canonical is None:
                continue
            token = self._token(pattern.kind, canonical)
            parts += (text[end : match.start()], token)
            folded_parts += (folded[end : match.start()], token)
            end, count = match.end(), count + 1
        if not count:
            return text, folded, 0
        return "".join(parts) + text[end:], "".join(folded_parts) + folded[end:], count

    def _token(self, kind: str, canonical: str) -> str:
        digest = blake2b(f"{kind}:{canonical}".encode(), key=self.salt, digest_size=4).hexdigest()
        return f"<{kind}:{digest}>"
