"""Which texts may be near-duplicates: sets of character 5-grams, their MinHash signatures, and the bands that meet.

Source: Broder, *On the resemblance and containment of documents*, 1997; Leskovec, Rajaraman and Ullman, *Mining of
Massive Datasets*, chapter 3 (banding).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRAM = 5
"""Characters in a gram."""

BANDS, ROWS = 8, 6
"""At Jaccard .9 a pair meets in a band with probability 1 - (1 - .9^6)^8 = .998; at .3 with .006."""

Hashes = NDArray[np.uint64]
Grams = NDArray[np.uint32]

_NO_CHARACTER = 0x110000  # one above the last code point
_BASE = np.uint64(0x9E3779B97F4A7C15)
_PAIR = np.uint64(0xA5A5A5A55A5A5A5A)
_draws = np.random.default_rng(20240229).integers(0, 2**64, (2, BANDS * ROWS), np.uint64)
_FLIPS, _FACTORS = _draws[0], _draws[1] | np.uint64(1)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the index keeps of one text, or of one pair of texts.

    Attributes:
        grams, pair_grams: sorted distinct 32-bit hashes of the 5-grams; a text shorter than 5 characters is one gram.
        bands: int64 ``[BANDS]``; two near-duplicates share at least one.
    """

    grams: Grams
    pair_grams: Grams | None
    bands: NDArray[np.int64]


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: each bit of the input moves half of the output's."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def gram_hashes(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.intp]]:
    """Hash the 5-grams of many texts at once.

    Returns:
        The hashes of all texts one after another, uint64 ``[sum of grams]``, and where each text starts, ``[texts]``.
    """
    codes = [np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32) for text in texts]
    # Short texts are filled up with what is no character: one gram that only the same text has.
    codes = [
        np.append(c, [np.uint32(_NO_CHARACTER)] * (GRAM - len(c))).astype(np.uint32) if len(c) < GRAM else c
        for c in codes
    ]
    sizes = np.array([len(c) for c in codes], np.intp)
    flat = np.concatenate(codes).astype(np.uint64)
    hashes = flat[: len(flat) - GRAM + 1].copy()
    for offset in range(1, GRAM):
        hashes = hashes * _BASE + flat[offset : len(flat) - GRAM + 1 + offset]
    ends = np.cumsum(sizes)
    inside = np.ones(len(flat), bool)
    for offset in range(1, GRAM):
        inside[ends - offset] = False  # grams that would run into the next text
    grams = sizes - GRAM + 1
    return _mixed(hashes[inside[: len(hashes)]]), np.cumsum(grams) - grams


def signatures(hashes: Hashes, starts: NDArray[np.intp]) -> Hashes:
    """The least hash of each text under each permutation, uint64 ``[texts, BANDS * ROWS]``."""
    columns = [
        np.minimum.reduceat((hashes ^ flip) * factor, starts) for flip, factor in zip(_FLIPS, _FACTORS, strict=True)
    ]
    return np.stack(columns, axis=1)


def band_hashes(signed: Hashes, seed: int) -> NDArray[np.int64]:
    """One hash a band, int64 ``[texts, BANDS]``; ``seed`` keeps the bands of different spaces apart."""
    rows = signed.reshape(len(signed), BANDS, ROWS)
    folded = np.broadcast_to(_mixed(np.arange(BANDS, dtype=np.uint64) + np.uint64(seed)), (len(signed), BANDS))
    for row in range(ROWS):
        folded = _mixed(folded * _BASE + rows[:, :, row])
    return folded.view(np.int64)


def _gram_sets(hashes: Hashes, starts: NDArray[np.intp]) -> list[Grams]:
    return [np.unique((part >> np.uint64(32)).astype(np.uint32)) for part in np.split(hashes, starts[1:])]


def fingerprints(contents: Sequence[tuple[str, str | None]], seed: int) -> list[Fingerprint]:
    """Fingerprint normalised texts, or pairs of them.

    Args:
        contents: all with a second text, or all without.
        seed: 64-bit number of the space in which they are compared.
    """
    if not contents:
        return []
    hashes, starts = gram_hashes([text for text, _ in contents])
    signed, grams = signatures(hashes, starts), _gram_sets(hashes, starts)
    pair_grams: Sequence[Grams | None] = [None] * len(contents)
    if contents[0][1] is not None:
        hashes, starts = gram_hashes([pair or "" for _, pair in contents])
        # The least of a union is the lesser of the two leasts.
        signed, pair_grams = np.minimum(signed, signatures(_mixed(hashes ^ _PAIR), starts)), _gram_sets(hashes, starts)
    bands = band_hashes(signed, seed)
    return [Fingerprint(g, p, b) for g, p, b in zip(grams, pair_grams, bands, strict=True)]


def near(one: Grams | None, other: Grams | None) -> bool:
    """Whether the Jaccard index of two gram sets is at least .9, in whole numbers; nothing is near nothing alone."""
    if one is None or other is None:
        return one is other
    shorter, longer = sorted((len(one), len(other)))
    if 10 * shorter < 9 * longer:
        return False
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return 10 * shared >= 9 * (len(one) + len(other) - shared)
