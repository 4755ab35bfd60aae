"""How the learning rate goes after the warm-up, as a factor on its top."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from freshtune.learn.schedules.constant import Constant
from freshtune.learn.schedules.cosine import Cosine
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.schedules.plateau import Plateau
from freshtune.learn.schedules.rewarm import Rewarm


class Schedule(Protocol):
    """A shape. A member is a frozen dataclass whose fields are its settings, and a pure function of where a run stands,
    so that an interrupted run goes on alike."""

    @property
    def name(self) -> str:
        """Its key in SCHEDULES."""

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:
        """The factor, in (0, 1].

        Args:
            step: steps since the warm-up ended, ``0 <= step < total``.
            total: steps after the warm-up, at least 1.
            looks: development loss of each look so far.
        """


SCHEDULES: Mapping[str, type[Schedule]] = {
    "linear": Linear,
    "constant": Constant,
    "cosine": Cosine,
    "plateau": Plateau,
    "rewarm": Rewarm,
}


def scheduled(schedule: Schedule, step: int, total: int, warmup_ratio: float, looks: Sequence[float] = ()) -> float:
    """Factor on the learning rate: up over the first ``warmup_ratio`` of all steps, then as the schedule goes.

    >>> [round(scheduled(Linear(), step, 10, 0.2), 2) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.12]
    """
    warmup = max(1, round(total * warmup_ratio))
    risen = min((step + 1) / warmup, 1.0)
    return risen * schedule(max(0, step - warmup), max(1, total - warmup), looks)
