"""Which old examples stay, and how many of them mix with what is new."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from freshtune.records import Example
from freshtune.strata import Standing, standing, stratified


@dataclass(frozen=True)
class Memory:
    """A bounded memory, even over classes and categories.

    Attributes:
        size: examples kept at most; they are kept by id, their texts stay in the event log.
        mix: remembered examples that an update learns beside each new one, at most.
    """

    size: Annotated[int, Field(ge=0)] = 2_000
    mix: Annotated[float, Field(ge=0)] = 1.5
    name: Literal["balanced"] = "balanced"

    def keep(self, kept: Iterable[Standing], learned: Iterable[Example]) -> tuple[Standing, ...]:
        """The memory after an update that learned these examples."""
        return stratified([*kept, *map(standing, learned)], self.size)

    def recall(self, kept: Sequence[Standing], new: int) -> tuple[Standing, ...]:
        """The remembered examples that mix with ``new`` new ones: a fair sample of the memory, the same one each time.

        Not even over the strata but in the memory's own proportions: where much is remembered of a category, much can
        be forgotten of it.
        """
        return tuple(sorted(kept, key=lambda row: (row.hash, row.id))[: round(self.mix * new)])
