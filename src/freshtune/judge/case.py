"""What the gate looks at: its thresholds, facts measured elsewhere, and two models on the same examples."""

from collections.abc import Mapping
from dataclasses import dataclass

from freshtune.errors import UsageError
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Scorecard


@dataclass(frozen=True)
class Gate:
    """Thresholds; shares and metric values, so ``0.01`` is one point.

    Attributes:
        max_old_loss: the bound on old must lie above minus this.
        confidence: of every bound, one-sided.
        tie_margin: answers whose margin is within this are near ties in the bound on old; 0 counts them in full.
        enough_new: below this many new examples the finding says that its power is low.
        slice_examples: slices with fewer are not looked at.
        max_slice_loss: a slice refuses when it is shown, over all slices together (Holm), to have lost more than this.
        max_negative_flips: share of old examples that the champion had right and the challenger wrong.
        max_flips_of_errors: the same as a share of the champion's errors; the larger allowance of the two holds.
        max_nll_rise, max_ece_rise: calibration may worsen by this before it counts, and then only beyond noise.
        max_bytes_ratio, max_latency_ratio: challenger over champion, as served.
    """

    max_old_loss: float = 0.01
    confidence: float = 0.95
    tie_margin: float = 0.25
    enough_new: int = 300
    slice_examples: int = 100
    max_slice_loss: float = 0.02
    max_negative_flips: float = 0.05
    max_flips_of_errors: float = 0.5
    max_nll_rise: float = 0.05
    max_ece_rise: float = 0.03
    max_bytes_ratio: float = 1.1
    max_latency_ratio: float = 1.25


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What was measured about the two releases as files; None where it was not.

    Attributes:
        bytes, champion_bytes: size of all that must be loaded to serve.
        latency_ratio: challenger's median time an answer over the champion's, measured in turns.
    """

    bytes: int | None = None
    champion_bytes: int | None = None
    latency_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Challenger and champion on the same examples in the same order."""

    challenger: OutcomeTable
    champion: OutcomeTable


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
    if any(mine.target != other.target for mine, other in zip(challenger.outcomes, others, strict=True)):
        raise UsageError(f"two models cannot be compared on {challenger.held_out!r}", "a label changed in between")
    return Pair(OutcomeTable.of(challenger.outcomes), OutcomeTable.of(others))
