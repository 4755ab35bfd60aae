"""What a remembered row costs, and as many rows as a budget holds."""

from collections.abc import Callable

import orjson

from freshtune.learn.memory.evidence import Evidence
from freshtune.strata import Standing

_LOGIT_BYTES = 10
"""Of a logit with its comma: four decimals are kept."""


def row_bytes(row: Standing, outputs: int) -> int:
    """Bytes of one row in a release: id, label, category, hash and rank, and its id again with a logit an output.

    >>> row_bytes(Standing("r17", "positive", "home", 2**55), outputs=2)
    73
    """
    told = orjson.dumps([row.id, row.label, row.category, row.hash, *([] if row.rank is None else [row.rank])])
    return len(told) + 1 + len(orjson.dumps(row.id)) + len(":[],") + _LOGIT_BYTES * outputs


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
