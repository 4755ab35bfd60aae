"""Which old examples stay, and how many of them mix with what is new."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from freshtune.learn.memory.balanced import Balanced
from freshtune.learn.memory.evidence import Evidence
from freshtune.learn.memory.herding import Herding
from freshtune.learn.memory.loss_aware import LossAware
from freshtune.learn.memory.none import NoMemory
from freshtune.learn.memory.reservoir import Reservoir
from freshtune.records import Example
from freshtune.strata import Standing


class Memory(Protocol):
    """A bounded memory of rows; the texts stay in the event log.

    A member is a frozen dataclass whose fields are its settings. What a row costs in a release: see
    :func:`freshtune.learn.memory.budget.row_bytes`; some 30 bytes and 2 more a logit.
    """

    @property
    def name(self) -> str:
        """Its key in MEMORIES."""

    def keep(
        self, kept: Iterable[Standing], learned: Sequence[Example], evidence: Evidence | None = None
    ) -> tuple[Standing, ...]:
        """The memory after an update that learned these examples.

        Args:
            kept: the memory before it; an example that comes again is no longer in it.
            learned: what was new, in any order; never what is held out.
            evidence: what the update saw of ``learned``; without it a member that asks for it goes by the hash.
        """

    def recall(
        self, kept: Sequence[Standing], new: int | None, distance: Callable[[], float] = lambda: 0.0
    ) -> tuple[Standing, ...]:
        """The remembered examples that mix with ``new`` new ones, the same ones each time.

        Args:
            new: None asks for all of them: something begins again.
            distance: gives how far the new ones lie from what is known, in [0, 1]; asked only where it counts.
        """


MEMORIES: Mapping[str, type[Memory]] = {
    "balanced": Balanced,
    "reservoir": Reservoir,
    "herding": Herding,
    "loss_aware": LossAware,
    "none": NoMemory,
}
