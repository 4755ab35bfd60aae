"""The gate: each rule refuses what it is there for, and lets a good release pass."""

import numpy as np
import pytest

from freshtune.errors import UsageError
from freshtune.judge.gate import Gate, ReleaseFacts, judge, judge_first
from freshtune.records import Finding, Outcome, Scorecard, Verdict
from tests.judge.models import card, outcomes

GOOD = [True] * 9 + [False]
NO_FACTS = ReleaseFacts()


def decided(
    challenger: Scorecard,
    champion: Scorecard,
    facts: ReleaseFacts = NO_FACTS,
    labels: Finding | None = None,
    gate: Gate | None = None,
) -> Verdict:
    """Judge a pair on old, level on new."""
    same = card(outcomes(GOOD * 40), "new", list(champion.metrics)[:1])
    return judge({"old": challenger, "new": same}, {"old": champion, "new": same}, facts, labels, gate or Gate())


def refused_by(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings if not finding.passed}


def test_an_equal_challenger_is_promoted_and_every_rule_speaks() -> None:
    same = card(outcomes(GOOD * 60))
    verdict = decided(same, same, ReleaseFacts(100, 100, 1.0))
    assert verdict.promote
    assert verdict.reasons == ()
    assert [finding.rule for finding in verdict.findings] == [
        "gain on new",
        "bound on old",
        "slices",
        "negative flips",
        "calibration",
        "size",
        "latency",
        "labels",
    ]
    assert all(finding.words for finding in verdict.findings)


def test_a_loss_on_new_is_refused_and_low_power_is_said() -> None:
    better, worse = card(outcomes(GOOD * 20), "new"), card(outcomes(([True] * 8 + [False] * 2) * 20), "new")
    old = card(outcomes(GOOD * 60))
    verdict = judge({"new": worse, "old": old}, {"new": better, "old": old}, NO_FACTS, None, Gate())
    assert refused_by(verdict) >= {"gain on new"}
    assert "power" in verdict.findings[0].words
    assert verdict.findings[0].numbers["gain"] == pytest.approx(-0.1)


def test_without_new_or_old_examples_nothing_is_shown() -> None:
    empty, old = card((), "new"), card(outcomes(GOOD * 60))
    verdict = judge({"new": empty}, {"new": empty}, NO_FACTS, None, Gate())
    assert refused_by(verdict) == {"gain on new", "bound on old"}
    assert refused_by(judge({"old": old}, {"old": old}, NO_FACTS, None, Gate())) == {"gain on new"}


def test_forgetting_two_points_is_refused_and_zero_is_not() -> None:
    champion = outcomes(GOOD * 60)
    lost = outcomes([True] * 8 + [False] * 2 + GOOD * 59)
    many = outcomes(([True] * 8 + [False] * 2) * 12 + GOOD * 48)
    assert decided(card(lost), card(champion)).promote
    verdict = decided(card(many), card(champion))
    assert "bound on old" in refused_by(verdict)
    assert "-2.00 points" in verdict.reasons[0]


def test_flips_among_near_ties_pass_the_smoothed_bound_but_not_the_plain_one() -> None:
    right = np.array(GOOD * 60)
    flips = np.arange(0, 600, 30)
    after = right.copy()
    after[flips] ^= np.arange(len(flips)) % 2 == 0
    after[flips + 5] ^= ~right[flips + 5]
    sure = np.full(600, 0.9)
    sure[np.concatenate([flips, flips + 5])] = 0.51
    champion, challenger = card(outcomes(right, sure.tolist())), card(outcomes(after, sure.tolist()))
    numbers = next(one for one in decided(challenger, champion).findings if one.rule == "bound on old").numbers
    assert numbers["plain_bound"] < -0.01 < numbers["bound"] or abs(numbers["gain"]) >= 0.01
    strict = decided(challenger, champion, gate=Gate(tie_margin=0))
    assert next(one for one in strict.findings if one.rule == "bound on old").numbers["bound"] == numbers["plain_bound"]


def test_smoothing_cannot_hide_an_observed_loss_of_a_point() -> None:
    right = np.array(GOOD * 60)
    after = right.copy()
    after[np.flatnonzero(right)[:8]] = False
    sure = np.full(600, 0.9)
    sure[np.flatnonzero(right)[:8]] = 0.5001
    verdict = decided(card(outcomes(after, sure.tolist())), card(outcomes(right, sure.tolist())))
    numbers = next(one for one in verdict.findings if one.rule == "bound on old").numbers
    assert numbers["bound"] > -0.01
    assert "bound on old" in refused_by(verdict)


def test_ten_slices_do_not_refuse_a_level_release_by_chance() -> None:
    random = np.random.default_rng(0)
    names = [f"类别{place}" for place in range(10)]
    refusals = 0
    for _ in range(12):
        right = random.random(1_000) < 0.9
        after = np.where(random.random(1_000) < 0.05, ~right, right)
        after = np.where((after != right) & (random.random(1_000) < 0.4), True, after)
        pair = card(outcomes(after, 0.9, names), metrics=["accuracy"]), card(outcomes(right, 0.9, names))
        refusals += "slices" in refused_by(decided(*pair))
    assert refusals <= 2


def test_a_slice_that_collapsed_is_refused_by_name_even_without_variance() -> None:
    names = ["books", "手机"]
    right = np.array([True] * 600)
    for after in (np.arange(600) % 2 == 0, (np.arange(600) % 2 == 0) | (np.arange(600) % 8 == 1)):
        verdict = decided(card(outcomes(after, 0.9, names)), card(outcomes(right, 0.9, names)))
        assert "slices" in refused_by(verdict)
        assert any("old/手机" in words for words in verdict.reasons)
    few = decided(card(outcomes(after[:150], 0.9, names)), card(outcomes(right[:150], 0.9, names)))
    assert next(one for one in few.findings if one.rule == "slices").numbers["slices"] == 0


def test_negative_flips_are_counted_even_when_as_many_are_gained() -> None:
    champion = outcomes(([True] * 9 + [False]) * 60)
    challenger = outcomes(([False] + [True] * 9) * 60)
    verdict = decided(card(challenger), card(champion))
    assert "negative flips" in refused_by(verdict)
    assert "bound on old" in refused_by(verdict) or verdict.findings[1].numbers["gain"] == 0


def test_wild_confidence_is_refused() -> None:
    champion, challenger = outcomes(GOOD * 60, 0.9), outcomes(GOOD * 60, 0.9999)
    assert refused_by(decided(card(challenger), card(champion))) == {"calibration"}


def test_facts_and_labels_speak() -> None:
    same = card(outcomes(GOOD * 60))
    poisoned = Finding("labels", False, {}, "Labels contradict.")
    assert refused_by(decided(same, same, ReleaseFacts(200, 100, 1.0))) == {"size"}
    assert refused_by(decided(same, same, ReleaseFacts(100, 100, 2.0))) == {"latency"}
    assert decided(same, same, labels=poisoned).reasons == ("Labels contradict.",)


def test_ranking_is_resampled_by_query() -> None:
    random = np.random.default_rng(0)

    def ranked(noise: float) -> tuple[Outcome, ...]:
        grades = np.tile([2.0, 1.0, 0.0, 0.0, 0.0], 80)
        scores = grades + noise * random.standard_normal(400)
        rows = zip(grades, scores, strict=True)
        return tuple(Outcome(f"{n:04d}", g, round(s), s, (), f"q{n // 5}") for n, (g, s) in enumerate(rows))

    cards = [card(ranked(noise), metrics=["ndcg_at_10"]) for noise in (0.1, 2.0)]
    for challenger, champion, promote in ((cards[0], cards[1], True), (cards[1], cards[0], False)):
        sides = [{"new": one, "old": one} for one in (challenger, champion)]
        assert judge(sides[0], sides[1], NO_FACTS, None, Gate()).promote is promote


def test_what_cannot_be_compared_is_an_error() -> None:
    one, other = card(outcomes(GOOD * 10)), card(outcomes(GOOD * 11))
    with pytest.raises(UsageError, match="different examples"):
        judge({"old": one}, {"old": other}, NO_FACTS, None, Gate())
    with pytest.raises(UsageError, match="compared"):
        judge({"old": one}, {"new": one}, NO_FACTS, None, Gate())
    changed = card(tuple(Outcome(o.id, 1 - o.target, o.prediction, o.score, o.probabilities) for o in one.outcomes))
    with pytest.raises(UsageError, match="compared"):
        judge({"old": one}, {"old": changed}, NO_FACTS, None, Gate())


def test_first_release_must_be_below_no_baseline_and_beat_one() -> None:
    best, middle, worst = (card(outcomes(([True] * n + [False] * (10 - n)) * 30)) for n in (9, 8, 5))
    baselines = {"majority": {"old": worst}, "tfidf": {"old": middle}}
    assert judge_first({"old": best}, baselines, Gate()).promote
    below = judge_first({"old": middle}, {"majority": {"old": worst}, "tfidf": {"old": best}}, Gate())
    assert refused_by(below) == {"against tfidf"}
    level = judge_first({"old": worst}, {"majority": {"old": worst}, "tfidf": {"old": worst}}, Gate())
    assert refused_by(level) == {"beats a baseline"}
