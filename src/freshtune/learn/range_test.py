"""A learning rate found by trying: it rises from step to step, and where the loss falls fastest is where to learn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from freshtune.learn.batches import TrainingSet, length_batches
from freshtune.learn.fit import Fit, Step, fit
from freshtune.learn.losses import Loss
from freshtune.learn.state import Diverged

if TYPE_CHECKING:
    from freshtune.model.blocks import TextModel

_SMOOTHING = 0.85
_HOPELESS = 3.0
"""A smoothed loss so many times the lowest ends the test: from here on it only grows."""
_SLOPE = 6
"""Steps over which a slope is taken: one batch differs from the next by more than a step changes."""


@dataclass(frozen=True)
class RangeTest:
    """What was tried and what came of it.

    Attributes:
        rate: where the smoothed loss falls fastest on the axis of log rate; the least that was tried where it never
            falls.
        rates, losses: of every step; the losses smoothed.
    """

    rate: float
    rates: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Rising:
    """From 1 / ``span`` to 1 in ``steps`` steps, by the same factor each time."""

    span: float
    steps: int
    name: str = "rising"

    def __call__(self, step: int, total: int, looks: Sequence[float]) -> float:  # noqa: ARG002
        return float(self.span ** (step / max(1, self.steps - 1) - 1))


class _Enough(Exception):  # noqa: N818 (reads as what happened)
    """The test has seen what it needs."""


def range_test(
    model: "TextModel",
    cut: int,
    examples: TrainingSet,
    terms: Sequence[Loss],
    settings: Fit,
    tried: tuple[float, float, int] = (1e-6, 1.0, 60),
) -> RangeTest:
    """Find a learning rate for what of a model is trained, on a lesson; the model ends as it was.

    Source: Smith, *Cyclical learning rates for training neural networks*, 2017.

    Args:
        model, cut, examples, terms: as for :func:`freshtune.learn.fit.fit`; a lesson of one example or more.
        settings: optimiser, batches, dropout and the ratios of rates are taken from here.
        tried: the least and the largest rate, and the number of steps between.

    Raises:
        ValueError: there is no example.
    """
    if not len(examples):
        raise ValueError("a range test needs an example")
    least, largest, steps = tried
    begun = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    seen: list[Step] = []
    smoothed: list[float] = []

    def on_step(step: Step) -> None:
        seen.append(step)
        smoothed.append(_smoothed([one.loss for one in seen]))
        if len(seen) >= steps or smoothed[-1] > _HOPELESS * min(smoothed):
            raise _Enough

    rising = _rising(examples, settings, largest, Rising(largest / least, steps))
    try:
        fit(model, cut, examples, replace(examples, inputs=()), terms, rising, None, on_step)
    except (_Enough, Diverged):
        pass  # that the loss breaks is what the largest rates are there to show
    finally:
        model.load_top(begun)
        model.eval()
    rates = tuple(step.learning_rate for step in seen)
    return RangeTest(_steepest(rates, smoothed) if rates else least, rates, tuple(smoothed))


def _rising(examples: TrainingSet, settings: Fit, largest: float, schedule: Rising) -> Fit:
    """The settings of a run that is long enough, however few its batches."""
    batches = len(length_batches([len(row) for row in examples.inputs], settings.batch_tokens))
    epochs = math.ceil(schedule.steps / math.ceil(batches / settings.accumulate)) + 1
    return replace(settings, epochs=epochs, learning_rate=largest, schedule=schedule, warmup_ratio=0.0)


def _smoothed(losses: Sequence[float]) -> float:
    """The exponential mean up to the last, without a bias towards the first."""
    weights = _SMOOTHING ** np.arange(len(losses) - 1, -1, -1.0)
    return float(np.average(losses, weights=weights))


def _steepest(rates: Sequence[float], losses: Sequence[float]) -> float:
    """The rate in the middle of the stretch over which the smoothed loss falls most; the least where it never falls."""
    falls = [losses[first + _SLOPE] - losses[first] for first in range(len(losses) - _SLOPE)]
    if not falls or min(falls) >= 0:
        return rates[0]
    return rates[int(np.argmin(falls)) + _SLOPE // 2]
