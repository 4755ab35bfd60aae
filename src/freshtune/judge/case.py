"""What the gate looks at: its thresholds, facts measured elsewhere, and two models on the same examples."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Annotated

import numpy as np
from pydantic import Field

from freshtune.errors import UsageError
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Scorecard

Share = Annotated[float, Field(ge=0, le=1)]
Allowance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
_LEAST_SUM = 1e-12


@dataclass(frozen=True)
class Gate:
    """Thresholds; shares and metric values, so ``0.01`` is one point.

    Attributes:
        max_old_loss: the bound on old must lie above minus this.
        max_taken: where classes have come, share of old examples that were right and that they may take.
        enough_old: old examples (queries, where the task ranks) from which on the allowances on old hold as they are;
            fewer see less, and what is allowed is what they can see. 1 is the strict rule for every number.
        confidence: of every bound, one-sided.
        tie_margin: answers whose margin is within this are near ties, on new and on old; 0 counts them in full.
        enough_new: the same for calibration on new. Below it the finding of the gain says that its power is low, and a
            first release is judged on both sides together.
        slice_examples: slices with fewer are not looked at.
        max_slice_loss: a slice refuses when it is shown, over all slices together (Holm), to have lost more than this.
        max_negative_flips: share of old examples that the champion had right and the challenger wrong.
        max_flips_of_errors: the same as a share of the champion's errors; the larger allowance of the two holds.
        max_nll_rise, max_ece_rise: calibration may worsen by this before it counts, and then only beyond noise: the
            bound of the rise must lie above 0, and with few examples above a part of the allowance.
        max_bytes_ratio, max_latency_ratio: challenger over champion, as served.
    """

    max_old_loss: Ratio = 0.01
    max_taken: Share = 0.02
    enough_old: Count = 600
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    tie_margin: Share = 0.25
    enough_new: Count = 300
    slice_examples: Count = 100
    max_slice_loss: Allowance = 0.02
    max_negative_flips: Share = 0.05
    max_flips_of_errors: Allowance = 0.5
    max_nll_rise: Allowance = 0.05
    max_ece_rise: Allowance = 0.03
    max_bytes_ratio: Ratio = 1.1
    max_latency_ratio: Ratio = 1.25

    def stricter(self, look: int) -> "Gate":
        """For the ``look``-th time, from 1, that the same examples are asked about one update: one that does harm
        passes at one of many looks more often than at one.

        >>> [round(Gate().stricter(look).confidence, 4) for look in (1, 2, 3)]
        [0.95, 0.975, 0.9833]
        """
        return replace(self, confidence=1 - (1 - self.confidence) / look)

    def old_allowance(self, number: int) -> float:
        """What ``number`` old examples may be seen to lose.

        >>> Gate().old_allowance(150), Gate().old_allowance(600), Gate(enough_old=1).old_allowance(150)
        (0.02, 0.01, 0.01)
        """
        return self.max_old_loss * noise_of(number, self.enough_old)

    def flips_allowance(self, number: int, wrong: float) -> float:
        """The share of ``number`` old examples that may flip to wrong, of which the champion had the share ``wrong``.

        Below ``enough_old`` it grows by what chance adds, so that a challenger whose true share is allowed is refused
        no more often than with ``enough_old`` examples.

        >>> [round(Gate().flips_allowance(number, 0.1), 3) for number in (40, 600, 6_000)]
        [0.092, 0.05, 0.05]
        """
        share = min(1.0, max(self.max_negative_flips, self.max_flips_of_errors * wrong))
        chance = NormalDist().inv_cdf(self.confidence) * math.sqrt(share * (1 - share))
        return share + chance * max(0.0, 1 / math.sqrt(number) - 1 / math.sqrt(self.enough_old))


def noise_of(number: int, enough: int) -> float:
    """How much noisier a mean of ``number`` examples is than one of ``enough``; 1 where there are enough.

    >>> noise_of(150, 600), noise_of(6_000, 600)
    (2.0, 1.0)
    """
    return math.sqrt(max(1.0, enough / number))


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What was measured about the two releases as files; None where it was not.

    Attributes:
        bytes, champion_bytes: size of all that must be loaded to serve.
        latency_ratio: challenger's least time for some answers over the champion's, measured in turns.
        known: the names that the champion answers with, where an answer is several.
    """

    bytes: int | None = None
    champion_bytes: int | None = None
    latency_ratio: float | None = None
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """Challenger and champion on the same examples in the same order.

    Attributes:
        known: see :class:`ReleaseFacts`.
    """

    challenger: OutcomeTable
    champion: OutcomeTable
    known: tuple[str, ...] = ()

    @property
    def has_grown(self) -> bool:
        """Whether the challenger answers with classes or names that the champion does not know."""
        if self.known:
            return not set(self.challenger.names) <= set(self.known)
        return bool(self.champion.probabilities.shape[1] < self.challenger.probabilities.shape[1])

    @property
    def taken(self) -> float:
        """Share of the examples that the champion had right and that a class which it lacks takes now.

        Of several names: to which one that it lacks is given, and does not hold.
        """
        if not self.has_grown:
            return 0.0
        if self.known:
            ours, right = self.challenger, self.champion.among(self.known)
            come = np.array([name not in self.known for name in ours.names], np.bool_)
            wrongly = (ours.said & ~ours.true)[:, come].any(axis=1)
            return float(((right.prediction == right.target) & wrongly).mean())
        right_before = self.champion.prediction == self.champion.target
        return float((right_before & (self.challenger.prediction >= self.champion.probabilities.shape[1])).mean())

    def among_known(self) -> "Pair":
        """Both where the champion knows the true class, and among the classes or names that it knows.

        A class more takes probability from all others, of which the champion, that cannot give it any, knows nothing.
        """
        if self.known:
            ours, theirs = self.challenger.among(self.known), self.champion.among(self.known)
            rows = np.flatnonzero(theirs.true.any(axis=1))
            return Pair(ours.at(rows), theirs.at(rows), self.known)
        known = self.champion.probabilities.shape[1]
        if known >= self.challenger.probabilities.shape[1]:
            return self
        rows = self.champion.target < known
        challenger = self.challenger.at(rows)
        likely = challenger.probabilities[:, :known]
        likely = likely / np.maximum(likely.sum(axis=1, keepdims=True), _LEAST_SUM)
        prediction = likely.argmax(axis=1).astype(np.float64)
        return Pair(replace(challenger, probabilities=likely, prediction=prediction), self.champion.at(rows))


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule may look at."""

    pairs: Mapping[str, Pair]
    primary: str
    facts: ReleaseFacts
    settings: Gate


def primary_metric(cards: Mapping[str, Scorecard]) -> str:
    """The first metric of the scorecards."""
    names = {next(iter(card.metrics)) for card in cards.values() if card.metrics}
    if len(names) != 1:
        raise UsageError("the scorecards cannot be compared", f"their primary metrics are {sorted(names)}")
    return names.pop()


def together(cards: Mapping[str, Scorecard]) -> Scorecard:
    """The outcomes of one model on several held-out sets as those on one; it has no metrics of its own."""
    outcomes = tuple(outcome for card in cards.values() for outcome in card.outcomes)
    return Scorecard(" and ".join(cards), len(outcomes), {}, {}, outcomes)


def paired(challenger: Scorecard, champion: Scorecard) -> Pair:
    """Bring the outcomes of two models into the same order.

    Raises:
        UsageError: they are of different examples, or the truth is not the same.
    """
    champion_of = {outcome.id: outcome for outcome in champion.outcomes}
    if champion_of.keys() != {outcome.id for outcome in challenger.outcomes}:
        raise UsageError(
            f"two models cannot be compared on {challenger.held_out!r}", "they were judged on different examples"
        )
    others = [champion_of[outcome.id] for outcome in challenger.outcomes]
    pairs = zip(challenger.outcomes, others, strict=True)
    if any((mine.target, mine.true) != (other.target, other.true) for mine, other in pairs):
        raise UsageError(f"two models cannot be compared on {challenger.held_out!r}", "a label changed in between")
    return Pair(OutcomeTable.of(challenger.outcomes), OutcomeTable.of(others))
