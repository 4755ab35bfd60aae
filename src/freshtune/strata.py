"""A bounded, fair sample that can be kept up to date without looking back: the lowest hashes of each stratum.

Bottom-k sampling (Cohen and Kaplan, *Summarizing data using bottom-k sketches*, 2007): the k rows with the smallest
hashes are a uniform sample of all rows ever offered, whatever their order, and merging two samples is taking the k
smallest of both. The hash is of the text, unsalted: two shops with the same texts keep the same ones.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from freshtune.records import Example, Label, names_of

_HASH_BYTES = 7
_HASHES = 1 << 8 * _HASH_BYTES


@dataclass(frozen=True, slots=True)
class Standing:
    """One kept example: where to find it, and what it stands for.

    Attributes:
        hash: of its text, 56 bits; the order of a fair sample.
        rank: its place in the order of a memory that chooses otherwise, the lowest first; None where none did.
    """

    id: str
    label: str
    category: str
    hash: int
    rank: float | None = None

    @property
    def stratum(self) -> tuple[str, str]:
        """Label and category."""
        return self.label, self.category


def standing(example: Example) -> Standing:
    """The standing of a labelled example; soft labels count as one stratum, numbers as whole ones.

    >>> standing(Example("1", "attributes", "", label=("colour=red",))).label
    'colour=red'
    """
    content = f"{example.split_key}\0{example.pair or ''}".encode("utf-8", "surrogatepass")
    digest = int.from_bytes(hashlib.blake2b(content, digest_size=_HASH_BYTES).digest())
    return Standing(example.id, _stratum(example.label, digest), example.category or "", digest)


def _stratum(label: Label | None, digest: int) -> str:
    """The label as it counts for strata; of several names one, by chance, so that rare ones have strata, too."""
    if isinstance(label, tuple):
        names = names_of(label)
        return names[digest % len(names)] if names else "soft"
    return str(round(label)) if isinstance(label, float) else str(label)


Order = Callable[[Standing], tuple[float, int, str]]


def by_hash(row: Standing) -> tuple[float, int, str]:
    """The order of a fair sample."""
    return 0.0, row.hash, row.id


def by_rank(row: Standing) -> tuple[float, int, str]:
    """The order of a memory; what it did not rank comes at a fair place in [0, 1]."""
    return uniform(row) if row.rank is None else row.rank, row.hash, row.id


def uniform(row: Standing) -> float:
    """The hash as a number in [0, 1]."""
    return row.hash / _HASHES


def stratified(standings: Iterable[Standing], size: int, order: Order = by_hash) -> tuple[Standing, ...]:
    """Keep at most ``size``, as evenly over the strata as they allow: what a small stratum leaves goes to the others.

    Args:
        order: of each stratum the lowest stay.

    >>> rows = [Standing(str(i), "a" if i < 90 else "b", "", i * 7919 % 101) for i in range(100)]
    >>> kept = stratified(rows, 30)
    >>> sum(row.label == "a" for row in kept), sum(row.label == "b" for row in kept)
    (20, 10)
    """
    strata: dict[tuple[str, str], dict[str, Standing]] = defaultdict(dict)
    for row in standings:
        strata[row.stratum][row.id] = row
    shares = _even_shares({stratum: len(rows) for stratum, rows in strata.items()}, size)
    kept = [row for stratum in sorted(strata) for row in sorted(strata[stratum].values(), key=order)[: shares[stratum]]]
    return tuple(kept)


def _even_shares(sizes: Mapping[tuple[str, str], int], total: int) -> dict[tuple[str, str], int]:
    """Fill all strata to one level; of what is left, the first by name that hold more take one each.

    By name, not by size: the sample of a sample and of what came since is then the sample of all.
    """
    level, left, unfilled = 0, total, len(sizes)
    for size in sorted(sizes.values()):
        step = min(size - level, left // unfilled)
        level, left = level + step, left - step * unfilled
        if level < size:
            break
        unfilled -= 1
    shares = {stratum: min(size, level) for stratum, size in sizes.items()}
    for stratum in sorted(stratum for stratum, size in sizes.items() if size > level)[:left]:
        shares[stratum] += 1
    return shares
