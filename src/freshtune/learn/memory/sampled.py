"""What the memories that keep rows have in common: their budget, and how much of them an update learns again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from freshtune.strata import Standing, by_hash


@dataclass(frozen=True)
class Sampled:
    """A memory of which a fair sample is recalled; its members say in ``keep`` what stays.

    Attributes:
        size, max_bytes: examples kept at most, and bytes of their rows.
        mix: remembered examples that an update learns beside each new one, at most.
        max_mix: the same where what is new lies as far as can be from what is known; at or below ``mix``, distance
            counts for nothing.
    """

    size: Annotated[int, Field(ge=0)] = 5_000
    max_bytes: Annotated[int, Field(ge=0)] = 8_000_000
    mix: Annotated[float, Field(ge=0)] = 50.0
    max_mix: Annotated[float, Field(ge=0)] = 0.0

    def recall(
        self, kept: Sequence[Standing], new: int | None, distance: Callable[[], float] = lambda: 0.0
    ) -> tuple[Standing, ...]:
        """A fair sample, the same one each time; all that is kept where ``new`` is None.

        Not even over the strata but in the memory's own proportions: where much is remembered of a category, much can
        be forgotten of it. Its size grows from ``mix`` to ``max_mix`` in proportion to the distance, which is not asked
        where ``max_mix`` is no larger.
        """
        if new is None:
            return tuple(sorted(kept, key=by_hash))
        share = self.mix
        if self.max_mix > self.mix and kept and new:
            share += (self.max_mix - self.mix) * min(max(distance(), 0.0), 1.0)
        return tuple(sorted(kept, key=by_hash)[: round(share * new)])
