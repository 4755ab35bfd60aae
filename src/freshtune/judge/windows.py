"""Which held-out examples judge a release: the latest ones as *new*, a fair sample of all before them as *old*.

The windows follow the size of the shop. Until *old* is full, *new* reaches back only as far as leaves two thirds of all
that is held out to *old*: what was forgotten can be seen from the first update on, and *new* is short instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from freshtune.records import Example
from freshtune.strata import Standing, standing, stratified


@dataclass(frozen=True)
class WindowSizes:
    """How many examples each side holds.

    Attributes:
        new: the latest held-out examples, across deltas: all of the last delta, and reaching back up to this many.
        old: of what came before them at most this many, even over classes and categories.
    """

    new: Annotated[int, Field(ge=1)] = 300
    old: Annotated[int, Field(ge=1)] = 2_000


@dataclass(frozen=True, slots=True)
class Windows:
    """The two held-out sets of a task, disjoint; texts and labels stay in the event log."""

    new: tuple[Standing, ...] = ()
    old: tuple[Standing, ...] = ()

    def ids(self) -> tuple[str, ...]:
        """Of both sides."""
        return tuple(row.id for row in (*self.new, *self.old))


def advance(windows: Windows, arrived: Sequence[Example], sizes: WindowSizes) -> Windows:
    """The windows after a delta: what arrived is new, with the latest of what was new before; all else is old.

    Where nothing else is known, as on the first delta of all, what arrived is itself cut in two, its latest examples
    new, so that a release is judged on both sides.

    Args:
        windows: before.
        arrived: the delta's held-out side in log order; one that is known already (a corrected label) counts as new.
        sizes: of both sides.
    """
    fresh = tuple(map(standing, arrived))
    again = {row.id for row in fresh}
    latest = [row for row in windows.new if row.id not in again]
    older = [row for row in windows.old if row.id not in again]
    reach = _reach(len(fresh) + len(latest) + len(older), sizes)
    if not latest and not older:
        latest, fresh = list(fresh), ()
    passed = len(latest) - min(len(latest), max(0, reach - len(fresh)))
    return Windows((*latest[passed:], *fresh), stratified([*latest[:passed], *older], sizes.old))


def _reach(known: int, sizes: WindowSizes) -> int:
    """How many examples *new* reaches back to: a third of what is known, more where *old* is full without them."""
    third = max(1, known // 3)
    return min(sizes.new, max(third, known - sizes.old))


def held_out_sets(windows: Windows, examples: Mapping[str, Example]) -> dict[str, list[Example]]:
    """The examples of each side by name, ``new`` and ``old``; those that the log no longer labels are left out."""
    sides = {"new": windows.new, "old": windows.old}
    return {name: [examples[row.id] for row in rows if row.id in examples] for name, rows in sides.items()}
