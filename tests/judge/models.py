"""Models and outcomes for the tests of the judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freshtune.judge.intervals import estimates
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Example, Outcome, Scorecard


@dataclass(frozen=True)
class Told:
    """Answers each text with the logits it was told; refuses an empty call, as some runtimes do."""

    head: Head
    of_text: dict[str, Sequence[float]]

    def logits(self, inputs: Sequence[Input]) -> NDArray[np.float32]:
        assert inputs
        return np.array([self.of_text[one.text] for one in inputs], np.float32)


def outcomes(
    right: Sequence[bool] | NDArray[np.bool_], sure: Sequence[float] | float = 0.9, categories: Sequence[str] = ("",)
) -> tuple[Outcome, ...]:
    """Two-class outcomes, truth alternating; ``sure`` is the probability of the answer given."""
    told = []
    for number, is_right in enumerate(right):
        target = number % 2
        prediction = target if is_right else 1 - target
        probability = sure if isinstance(sure, float) else sure[number]
        one = probability if prediction else 1 - probability
        category = categories[number % len(categories)]
        told.append(Outcome(f"{number:05d}", target, prediction, one, (1 - one, one), category=category))
    return tuple(told)


def card(told: Sequence[Outcome], name: str = "old", metrics: Sequence[str] = ("accuracy", "nll", "ece")) -> Scorecard:
    """A scorecard of outcomes."""
    table = OutcomeTable.of(told)
    return Scorecard(name, len(told), estimates(table, metrics, 50), {}, tuple(told))


def review(number: int, label: str | int | None, text: str | None = None, category: str | None = None) -> Example:
    """A labelled review."""
    return Example(f"r{number}", "sentiment", text or f"text {number}", label=label, category=category)
