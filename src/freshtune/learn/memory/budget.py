"""What a remembered row costs, and as many rows as a budget holds."""

from collections.abc import Callable

from freshtune.learn.memory.evidence import Evidence
from freshtune.strata import Standing

_ROW_BYTES = 2 + 7 + 2 + 2
"""Length of the id, hash, stratum, and number of logits."""
_RANK_BYTES, _LOGIT_BYTES = 8, 2


def row_bytes(row: Standing, outputs: int) -> int:
    """Bytes of one row in a release: id, hash, stratum and rank, and a logit an output.

    An id that was made of an event's content is hexadecimal, and takes half as many bytes as it has digits.

    >>> row_bytes(Standing("r17", "positive", "home", 2**55), outputs=2)
    20
    >>> row_bytes(Standing("0f" * 16, "positive", "home", 2**55), outputs=2)
    33
    """
    identity = row.id.encode()
    hexadecimal = len(identity) % 2 == 0 and bool(identity) and not identity.strip(b"0123456789abcdef")
    size = len(identity) // 2 if hexadecimal else len(identity)
    return size + _ROW_BYTES + (0 if row.rank is None else _RANK_BYTES) + _LOGIT_BYTES * outputs


def fitting(
    pick: Callable[[int], tuple[Standing, ...]], size: int, max_bytes: int, evidence: Evidence | None
) -> tuple[Standing, ...]:
    """As many rows as fit into both budgets.

    Args:
        pick: the best so many rows, each pick part of the next larger one.
        size, max_bytes: rows and bytes at most.
        evidence: its head says how many logits a row has.
    """
    outputs = evidence.head.outputs if evidence else 0
    picked = pick(size)
    if sum(row_bytes(row, outputs) for row in picked) <= max_bytes:
        return picked
    fits, breaks = 0, len(picked)
    while breaks - fits > 1:
        middle = (fits + breaks) // 2
        within = sum(row_bytes(row, outputs) for row in pick(middle)) <= max_bytes
        fits, breaks = (middle, breaks) if within else (fits, middle)
    return pick(fits)
