"""Which held-out examples judge a release: the latest ones as *new*, a fair sample of all before them as *old*."""

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
        new: the latest held-out examples, across deltas, at least this many where there are.
        old: of what came before them at most this many, even over classes and categories.
    """

    new: Annotated[int, Field(ge=1)] = 300
    old: Annotated[int, Field(ge=1)] = 600


@dataclass(frozen=True, slots=True)
class Windows:
    """The two held-out sets of a task, disjoint; texts and labels stay in the event log."""

    new: tuple[Standing, ...] = ()
    old: tuple[Standing, ...] = ()

    def ids(self) -> tuple[str, ...]:
        """Of both sides."""
        return tuple(row.id for row in (*self.new, *self.old))


def advance(windows: Windows, arrived: Sequence[Example], sizes: WindowSizes) -> Windows:
    """The windows after a delta: what arrived is new; of what was new before, all but the latest becomes old.

    The first delta of all is cut in two, its latest examples new, so that a first release is judged on both sides.

    Args:
        windows: before.
        arrived: the delta's held-out side in log order; one that is known already (a corrected label) counts as new.
        sizes: of both sides.
    """
    if windows == Windows() and len(arrived) > sizes.new:
        windows, arrived = Windows(new=tuple(map(standing, arrived[: -sizes.new]))), arrived[-sizes.new :]
    fresh = tuple(map(standing, arrived))
    again = {row.id for row in fresh}
    before = [row for row in windows.new if row.id not in again]
    passed = max(0, len(before) + min(0, len(fresh) - sizes.new))
    old = stratified([*before[:passed], *(row for row in windows.old if row.id not in again)], sizes.old)
    return Windows((*before[passed:], *fresh), old)


def held_out_sets(windows: Windows, examples: Mapping[str, Example]) -> dict[str, list[Example]]:
    """The examples of each side by name, ``new`` and ``old``; those that the log no longer labels are left out."""
    sides = {"new": windows.new, "old": windows.old}
    return {name: [examples[row.id] for row in rows if row.id in examples] for name, rows in sides.items()}
