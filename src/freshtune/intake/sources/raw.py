"""What every source gives: one raw record, where it ends, or why it could not be read."""

from collections.abc import Mapping
from typing import NamedTuple

from freshtune.intake.reasons import BadRecord
from freshtune.records import Json

Record = Mapping[str, Json]
"""Column or key → value, as the file has it."""


class Raw(NamedTuple):
    """One record of a source.

    Attributes:
        content: the record, or why there is none.
        position: where to go on after it; only its source can read it.
        number: its place in the source, from 1; broken ones counted.
    """

    content: Record | BadRecord
    position: str
    number: int
