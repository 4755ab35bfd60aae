"""On which side of the held-out split a key is, for life: an unsalted hash says it, so no store has to remember it."""

from hashlib import blake2b
from typing import Literal

Side = Literal["held_out", "train"]

BUCKETS = 1_000_000
"""Resolution of a share."""


def _hashes(split_key: str) -> tuple[int, int]:
    """Two independent 64-bit hashes; the same on every machine and in every release of Python."""
    digest = blake2b(split_key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def bucket(split_key: str) -> int:
    """Where a key falls among BUCKETS equal parts.

    >>> bucket("the king")
    672880
    """
    return _hashes(split_key)[0] % BUCKETS


def side_of_bucket(place: int, held_out_share: float) -> Side:
    """The side of a bucket. A larger share keeps everything that a smaller one held out.

    Raises:
        ValueError: the share is not in [0, 1].
    """
    if not 0 <= held_out_share <= 1:
        raise ValueError(f"held-out share {held_out_share!r} is not between 0 and 1")
    return "held_out" if place < held_out_share * BUCKETS else "train"


def side(split_key: str, held_out_share: float) -> Side:
    """The side of a split key.

    >>> side("the king", 0.6), side("the king", 0.7)
    ('train', 'held_out')
    """
    return side_of_bucket(bucket(split_key), held_out_share)


def is_development(split_key: str, share: float) -> bool:
    """Whether a training example is set aside to stop early; independent of ``side``, stable over updates."""
    return _hashes(split_key)[1] % BUCKETS < share * BUCKETS
