"""What goes into the log beside events, and what comes back."""

from typing import NamedTuple


class SourcePosition(NamedTuple):
    """Where a source was read to; stored in the transaction of the events that were read up to there."""

    source: str
    position: str


class Appended(NamedTuple):
    """What became of a batch: events kept, events whose id was there before, and the position of the last event."""

    kept: int
    duplicates: int
    head: int
