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
    mix: Annotated[float, Field(ge=0)] = 1.0
    name: Literal["balanced"] = "balanced"

    def keep(self, kept: Iterable[Standing], learned: Iterable[Example]) -> tuple[Standing, ...]:
        """The memory after an update that learned these examples."""
        return stratified([*kept, *map(standing, learned)], self.size)

    def recall(self, kept: Sequence[Standing], new: int) -> tuple[Standing, ...]:
        """The remembered examples that mix with ``new`` new ones; even over the strata, the same ones each time.

        Those that were seen again and again hold the model best to what it knew; a changing choice showed no gain
        in the experiments of the log and would make an update depend on more than its delta and its champion.
        """
        return stratified(kept, round(self.mix * new))
