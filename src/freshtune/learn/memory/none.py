"""Nothing of the past is kept."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from freshtune.learn.memory.evidence import Evidence
from freshtune.records import Example
from freshtune.strata import Standing


@dataclass(frozen=True)
class NoMemory:
    """For shops that may not keep past data, and the null member.

    A release then holds no id and no logit of a text that was learned, and what was kept before is forgotten with the
    next one. What keeps the model from forgetting are terms that need no past data: give distillation a factor on what
    is new (``distillation.new``), or anchor the weights. Held-out examples go on judging as long as the log has them.
    """

    name: Literal["none"] = "none"

    def keep(
        self,
        kept: Iterable[Standing],  # noqa: ARG002
        learned: Sequence[Example],  # noqa: ARG002
        evidence: Evidence | None = None,  # noqa: ARG002
    ) -> tuple[Standing, ...]:
        return ()

    def recall(
        self,
        kept: Sequence[Standing],  # noqa: ARG002
        new: int | None,  # noqa: ARG002
        distance: Callable[[], float] = lambda: 0.0,  # noqa: ARG002
    ) -> tuple[Standing, ...]:
        return ()
