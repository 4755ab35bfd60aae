"""The loop everybody writes, on all data: too dear to be played to its end, so that its time alone is told."""

import time
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import mean
from typing import TYPE_CHECKING

from freshtune.records import Example
from freshtune.rivals.whole_model import EVERYBODYS, Loop, WholeModel, WholeModelStrategy

if TYPE_CHECKING:
    from freshtune.rivals import Setting

_WARM_UP, _TIMED = 1, 3


@dataclass(frozen=True)
class Took:
    """What an update would take, by the clock and by the processor."""

    seconds: float
    cpu_seconds: float


class TextbookRetrain(WholeModelStrategy):
    """The naive loop on all data so far. A few steps are taken for real, and timed; the rest is extrapolated.

    Every text is padded to the same length, so that one step costs what another does. The model that answers is no
    result: it has taken those few steps.
    """

    loop: Loop = EVERYBODYS

    def __init__(self, setting: "Setting") -> None:
        super().__init__(setting)
        self._seen: tuple[Example, ...] = ()
        self.took = Took(0.0, 0.0)

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        self.update(history, judges)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._seen += new
        self._whole = WholeModel(self.setting)
        steps = self._whole.steps(self._seen, self.loop)
        times = [_now()]
        for _ in islice(steps, _WARM_UP + _TIMED):
            times.append(_now())
        steps.close()
        counted = times[-1 - _TIMED :]
        number = self.loop.steps(len(self._seen))
        self.took = Took(*(number * mean(_apart([each[kind] for each in counted])) for kind in (0, 1)))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _apart(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]
