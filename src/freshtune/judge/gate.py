"""Promote, refuse or leave undecided: a pure decision from scorecards and facts; the rules are ``judge.rules``."""

from collections.abc import Mapping
from dataclasses import replace

from freshtune.errors import UsageError
from freshtune.judge.case import Case, Gate, Pair, ReleaseFacts, paired, primary_metric, together
from freshtune.judge.metrics import METRICS, Metric
from freshtune.judge.rules import RULES, change, counted, points
from freshtune.records import Estimate, Finding, Scorecard, Verdict

__all__ = ["Gate", "ReleaseFacts", "change_between", "judge", "judge_first"]


def judge(
    challenger: Mapping[str, Scorecard],
    champion: Mapping[str, Scorecard],
    facts: ReleaseFacts,
    labels: Finding | None,
    settings: Gate,
) -> Verdict:
    """Decide about an update.

    Args:
        challenger, champion: scorecards by the name of their held-out set, ``new`` and ``old`` among them, of the same
            examples; the first metric is the primary one.
        facts: sizes and latency, measured elsewhere.
        labels: what ``label_test`` found about the delta; None when it was not run.
        settings: thresholds.

    Raises:
        UsageError: the two sides were judged on different sets or examples.
    """
    if set(challenger) != set(champion):
        raise UsageError(
            "challenger and champion cannot be compared", f"{sorted(challenger)} against {sorted(champion)}"
        )
    pairs = {name: replace(paired(card, champion[name]), known=facts.known) for name, card in challenger.items()}
    case = Case(pairs, primary_metric(challenger), facts, settings)
    findings = [rule(case) for rule in RULES]
    findings.append(labels or Finding("labels", True, {}, "The delta's labels were not tested.", examined=False))
    return Verdict(all(finding.passed for finding in findings), tuple(findings))


def change_between(ours: Scorecard, theirs: Scorecard) -> Estimate:
    """The gain in the primary metric over another model on the same examples, with its paired 95 % interval."""
    pair = paired(ours, theirs)
    metric = METRICS[primary_metric({ours.held_out: ours, theirs.held_out: theirs})]
    return Estimate(*change(metric, pair, 0.975))


def judge_first(
    challenger: Mapping[str, Scorecard], baselines: Mapping[str, Mapping[str, Scorecard]], settings: Gate
) -> Verdict:
    """Decide about a first release, which has no champion.

    It must not be below any baseline on any set, and must beat one of them beyond noise: a model that is level with
    the majority class and with TF-IDF has learned nothing. Where a set holds fewer than ``settings.enough_new``
    examples, all sets count as one, for alone it would say no by chance; where all together are fewer, too, it must
    not be *shown* to be below: so few cannot tell models apart that lie close together.

    Args:
        challenger: scorecards by held-out set.
        baselines: the same of each baseline, by its name.
    """
    metric = METRICS[primary_metric(challenger)]
    few = any(card.examples < settings.enough_new for card in challenger.values())
    ours = _one(challenger) if few else challenger
    findings: list[Finding] = []
    beaten = False
    for name, cards in baselines.items():
        theirs = _one({held_out: cards[held_out] for held_out in challenger}) if few else cards
        pairs = {held_out: paired(card, theirs[held_out]) for held_out, card in ours.items()}
        found, bound = _against(name, pairs, metric, settings)
        findings.append(found)
        beaten = beaten or bound > 0
    words = "A baseline is beaten beyond noise." if beaten else "No baseline is beaten beyond noise."
    findings.append(Finding("beats a baseline", beaten, {}, words, shown=False))
    return Verdict(all(finding.passed for finding in findings), tuple(findings))


def _against(name: str, pairs: Mapping[str, Pair], metric: Metric, settings: Gate) -> tuple[Finding, float]:
    """Whether a first release is not below a baseline, and the highest of the lower bounds of its gains."""
    numbers: dict[str, float] = {}
    told: list[str] = []
    below, within_noise, highest = False, True, float("-inf")
    for held_out, pair in pairs.items():
        numbers[held_out], bound, most = change(metric, pair, settings.confidence)
        number, units = counted(metric, pair.challenger)
        told.append(f"{points(numbers[held_out])} on {number} {units} ({held_out})")
        highest = max(highest, bound)
        if not numbers[held_out] >= 0:
            below, within_noise = True, within_noise and most >= 0 and number < settings.enough_new
    passed = bool(pairs) and (not below or within_noise)
    words = f"Against {name}: {', '.join(told)}; it must not be below."
    if below and within_noise:
        words = f"Level with {name} as far as so few can tell: {', '.join(told)}."
    return Finding(f"against {name}", passed, numbers, words), highest


def _one(cards: Mapping[str, Scorecard]) -> dict[str, Scorecard]:
    whole = together(cards)
    return {whole.held_out: whole}
