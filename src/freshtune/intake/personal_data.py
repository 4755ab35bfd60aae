"""What personal data looks like: one pattern a kind over folded text, and the check that a candidate must pass."""

import re
from collections.abc import Callable
from datetime import date
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

_GAP = r"[ .\-]{0,2}"
# A decimal such as 0.13800138000 is no telephone number; a numbered list "1.13800138000" holds one.
_FREE = r"(?<!\d)(?<!0\.)"
_OCTETS = r"(?:\d{1,3}\.){3}\d{1,3}"

_EMAIL = r"(?<![\w.%+-])[\w.%+-]++@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}"
_IPV6 = (
    rf"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_OCTETS}|[0-9A-Fa-f]{{1,4}}|(?<=::))"
    r"(?![0-9A-Za-z]|:[0-9A-Fa-f:])"
)
_IPV4 = rf"(?<!\d)(?<!\d\.)(?<![vV]){_OCTETS}(?!\.?\d)"
_IDENTITY = r"(?<!\d)[1-9]\d{5}[ -]?(?:19|20)\d{6}[ -]?\d{3}[\dXx](?!\d)"
_CARD = (
    r"(?<!\d)(?:[2-6]\d{3}(?P<card_gap>[ -]?)\d{4}(?P=card_gap)\d{4}(?P=card_gap)\d{4}(?:(?P=card_gap)\d{1,3})?"
    r"|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}|6\d{5}[ -]\d{10,13})(?!\d)"
)
_CHINESE_MOBILE = (
    rf"{_FREE}(?:\(?(?:\+|00)?86\)?{_GAP})?"
    r"(?:1(?:[35-9]\d|4[5-9])(?P<gap>[ .\-]{0,2})\d{4}(?P=gap)\d{4}|1[3-9]\d[ .\-]\d{8}|1[3-9]\d{5}[ .\-]\d{4}"
    r"|1[3-9]\d{2}(?P<gap4>[ .\-])\d{3}(?P=gap4)\d{4}|1(?P<gap1>[ .\-])[3-9](?:(?P=gap1)\d){9})(?!\d)"
)
_LANDLINE = rf"{_FREE}(?:\(0(?:10|2\d|[3-9]\d\d)\) ?|0(?:10|2\d|[3-9]\d\d)(?: ?- ?| ))\d{{7,8}}(?!\d)"
# Without gaps, "00…" is the start of many product barcodes.
_INTERNATIONAL = r"(?<![\dA-Za-z+])(?:\+ ?|00(?=\d{1,3}[ .\-(]))(?:[ .\-()/]{0,3}\d){8,15}(?!\d)"
_NORTH_AMERICAN = (
    rf"{_FREE}(?:\+ ?1{_GAP}\(?[2-9]\d{{2}}\)?{_GAP}[2-9]\d{{2}}{_GAP}|(?<!-)\([2-9]\d{{2}}\) ?[2-9]\d{{2}}[-. ]"
    r"|(?<!-)[2-9]\d{2}(?P<us_gap>[-.])[2-9]\d{2}(?P=us_gap))\d{4}(?![\dA-Za-z-])"
)

# Which first two digits no country code of ITU-T E.164 starts with; 1 has a pattern of its own.
_NO_COUNTRY = frozenset(range(10, 20)) | {28, 83, 89}
# The first two digits of GB/T 2260: six regions, their provinces, and the abode of people from elsewhere.
_PROVINCES = frozenset(
    (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83, 91)
)
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_VERSION_WORDS = ("version", "ver", "ver.", "firmware", "release", "版本", "版本号", "固件", "系统")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit (ISO/IEC 7812-1, annex B) of those before it.

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def passes_mod_11_2(number: str) -> bool:
    """Whether an 18-character Chinese identity number ends in its ISO 7064 MOD 11-2 check character.

    >>> passes_mod_11_2("11010519491231002X"), passes_mod_11_2("110105194912310021")
    (True, False)
    """
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _IDENTITY_WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _email(match: re.Match[str]) -> str | None:
    return match.group().lower().lstrip(".")


def _ipv4(match: re.Match[str]) -> str | None:
    octets = [int(octet) for octet in match.group().split(".")]
    before = match.string[max(0, match.start() - 12) : match.start()]
    is_version = before.rstrip(" :：").lower().endswith(_VERSION_WORDS)
    return None if is_version or not 1 <= octets[0] <= 255 or max(octets) > 255 else ".".join(map(str, octets))


def _ipv6(match: re.Match[str]) -> str | None:
    # "12::30" or "a::b" in prose are no addresses: ask for three groups, or a first group of full width.
    groups = [group for group in match.group().split(":") if group]
    if len(groups) < 3 and not (len(groups) == 2 and len(groups[0]) == 4):
        return None
    try:
        return IPv6Address(match.group()).compressed
    except AddressValueError:
        return None


def _identity(match: re.Match[str]) -> str | None:
    number = match.group().replace(" ", "").replace("-", "").upper()
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    return number if int(number[:2]) in _PROVINCES and passes_mod_11_2(number) else None


def _card(match: re.Match[str]) -> str | None:
    number = _digits(match.group())
    issued = len(number) in _card_lengths(number)
    return number if issued and passes_luhn(number) else None


def _card_lengths(number: str) -> range:
    """The lengths that the issuer named by the first digits gives out; source: ISO/IEC 7812 registry."""
    if number[:2] in ("34", "37"):
        return range(15, 16)
    if "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720":
        return range(16, 17)
    if number[0] == "4" or number[:2] in ("30", "35", "36", "38", "50", "56", "58", "60", "62", "63", "64", "65", "67"):
        return range(16, 20)
    return range(0)


def _chinese_mobile(match: re.Match[str]) -> str | None:
    return _digits(match.group())[-11:]


def _phone(match: re.Match[str]) -> str | None:
    return _digits(match.group())


def _north_american(match: re.Match[str]) -> str | None:
    return "1" + _digits(match.group())[-10:]


def _international(match: re.Match[str]) -> str | None:
    number = _digits(match.group().replace("(0)", ""))
    number = number[2:] if match.group().startswith("00") else number
    return None if int(number[:2]) in _NO_COUNTRY else number


class Pattern(NamedTuple):
    """One kind of personal data.

    Attributes:
        kind: the token's name.
        sign: what every such value holds; a text without it is not searched.
        regex: finds candidates in folded text, in time linear in its length.
        canonical: a candidate → what all its spellings share, or None: not personal.
    """

    kind: str
    sign: str
    regex: re.Pattern[str]
    canonical: Callable[[re.Match[str]], str | None]


PATTERNS: tuple[Pattern, ...] = tuple(
    Pattern(kind, sign, re.compile(regex, re.ASCII), canonical)
    for kind, sign, regex, canonical in (
        ("email", "@", _EMAIL, _email),
        ("ip", ":", _IPV6, _ipv6),
        ("ip", ".", _IPV4, _ipv4),
        ("identity", "", _IDENTITY, _identity),
        ("card", "", _CARD, _card),
        ("phone", "1", _CHINESE_MOBILE, _chinese_mobile),
        ("phone", "", _NORTH_AMERICAN, _north_american),
        ("phone", "", _INTERNATIONAL, _international),
        ("phone", "0", _LANDLINE, _phone),
    )
)
"""Longest and best checked first: a card holds digits that would pass for a phone number."""
