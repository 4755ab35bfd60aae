"""The gate: each rule refuses what it is there for, and lets a good release pass."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def finding_of(verdict: Verdict, rule: str) -> Finding:
    return next(finding for finding in verdict.findings if finding.rule == rule)


def few(number: int, lost: int = 0, ties: int = 0) -> tuple[Scorecard, Scorecard]:
    """Challenger and champion on ``number`` old examples, nine in ten right: ``lost`` sure answers and one in the
    middle of each of ``ties`` pairs of near ties are lost, and the other of each pair is gained."""
    right = np.arange(number) % 10 != 9
    after, sure = right.copy(), np.full(number, 0.9)
    at, wrong = np.flatnonzero(right), np.flatnonzero(~right)
    for one, other in zip(at[-ties:] if ties else (), wrong, strict=False):
        after[one], after[other] = False, True
        sure[[one, other]] = 0.501
    after[at[:lost]] = False
    return card(outcomes(after, sure.tolist())), card(outcomes(right, sure.tolist()))


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
    assert "Fewer than 300 examples see little" in verdict.findings[0].words
    assert "latest 200 held-out examples" in verdict.findings[0].words, "some of them came with earlier deltas"
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


def of_classes(answers: list[tuple[int, int]], classes: int) -> Scorecard:
    """True class and answer of each old example, among so many classes; where they differ, the true one comes next."""
    rows = []
    for place, (true, said) in enumerate(answers):
        likely = np.full(classes, 0.01)
        likely[true] = 0.1
        likely[said] = 0.9
        rows.append(Outcome(f"e{place:04d}", true, said, 0.9, tuple((likely / likely.sum()).tolist())))
    return card(rows, metrics=["accuracy"])


@pytest.mark.parametrize(("taken", "forgotten", "kept"), [(0, 0, True), (10, 0, True), (20, 0, False), (0, 20, False)])
def test_classes_that_have_come_may_take_a_little_of_what_is_old(taken: int, forgotten: int, kept: bool) -> None:
    truth = [place % 2 for place in range(800)]
    champion = of_classes([(true, true) for true in truth], 2)
    said = [2 if place < taken else 1 - true if place < taken + forgotten else true for place, true in enumerate(truth)]
    challenger = of_classes(list(zip(truth, said, strict=True)), 3)
    verdict = decided(challenger, champion)
    found = finding_of(verdict, "bound on old")
    assert found.passed is kept, found.words
    assert found.numbers["taken"] == pytest.approx(taken / 800)
    assert found.numbers["gain"] == pytest.approx(-forgotten / 800), "what is taken is not forgotten"
    assert f"{taken / 800:.1%} of the old answers were right and are now of a class that has come" in found.words


def test_what_new_classes_take_is_a_share_of_all_and_refuses_beyond_noise_only() -> None:
    truth = [place % 2 for place in range(800)]
    was = [true if place % 4 < 2 else 1 - true for place, true in enumerate(truth)]
    for taken, undecided, passed in ((16, False, True), (20, True, False), (40, False, False)):
        right = [place for place in range(800) if was[place] == truth[place]][:taken]
        said = [2 if place in set(right) else answer for place, answer in enumerate(was)]
        verdict = decided(
            of_classes(list(zip(truth, said, strict=True)), 3), of_classes(list(zip(truth, was, strict=True)), 2)
        )
        found = finding_of(verdict, "bound on old")
        assert found.numbers["taken"] == pytest.approx(taken / 800)
        assert (found.passed, verdict.undecided) == (passed, undecided), found.words


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


@pytest.mark.parametrize("number", [40, 78, 150])
def test_with_few_old_examples_what_changes_nothing_passes_and_a_clear_loss_is_refused(number: int) -> None:
    assert refused_by(decided(*few(number))) == set()
    assert "bound on old" not in refused_by(decided(*few(number, ties=2))), "as many near ties gained as lost"
    assert "bound on old" in refused_by(decided(*few(number, lost=number // 10)))
    found = finding_of(decided(*few(number)), "bound on old")
    allowance = 0.01 * (600 / number) ** 0.5
    assert found.numbers["allowance"] == pytest.approx(allowance)
    assert f"must lie above {-100 * allowance:.2f} points" in found.words
    assert "With 600 examples that limit is -1.00 points" in found.words


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.integers(1, 5_000), st.floats(0, 1))
def test_an_allowance_falls_with_examples_until_there_are_enough(
    one: int, more: int, enough: int, wrong: float
) -> None:
    one, more, gate, strict = min(one, more), max(one, more), Gate(enough_old=enough), Gate(enough_old=1)
    assert gate.old_allowance(one) >= gate.old_allowance(more) >= gate.max_old_loss
    assert gate.flips_allowance(one, wrong) >= gate.flips_allowance(more, wrong) >= gate.max_negative_flips
    assert gate.old_allowance(max(one, enough)) == gate.max_old_loss
    assert strict.old_allowance(one) == gate.max_old_loss
    assert strict.flips_allowance(one, wrong) == gate.flips_allowance(max(one, enough), wrong)


def test_harm_beyond_noise_refuses_and_what_noise_can_explain_is_undecided() -> None:
    level = card(outcomes(GOOD * 20), "new")
    for lost, undecided in ((1, True), (30, False)):
        after = np.array(GOOD * 20)
        after[np.flatnonzero(after)[:lost]] = False
        worse = card(outcomes(after), "new")
        old = card(outcomes(GOOD * 60))
        verdict = judge({"new": worse, "old": old}, {"new": level, "old": old}, NO_FACTS, None, Gate())
        assert not verdict.promote
        assert verdict.undecided is undecided, verdict.reasons
        assert ("within noise" in verdict.reasons[0]) is undecided
    poisoned = Finding("labels", False, {}, "Labels contradict.")
    old = card(outcomes(GOOD * 60))
    both = judge({"new": worse, "old": old}, {"new": level, "old": old}, NO_FACTS, poisoned, Gate())
    assert not both.undecided, "one rule that has shown harm is enough"
    assert not decided(old, old).undecided


@given(st.integers(0, 2**32 - 1), st.integers(20, 400))
def test_a_verdict_is_one_of_three_and_says_why(seed: int, number: int) -> None:
    random = np.random.default_rng(seed)
    right = random.random((2, number)) < 0.8
    sides = [{"new": card(outcomes(one), "new"), "old": card(outcomes(one))} for one in right]
    verdict = judge(sides[0], sides[1], NO_FACTS, None, Gate())
    assert verdict.promote == (not verdict.reasons)
    assert not (verdict.promote and verdict.undecided)


def test_the_strict_rule_refuses_what_few_examples_cannot_resolve() -> None:
    pair = card(outcomes([False] + [True] * 9 + GOOD * 14)), card(outcomes(GOOD * 15))  # one gained, one lost
    assert "bound on old" not in refused_by(decided(*pair))
    strict = decided(*pair, gate=Gate(enough_old=1))
    assert "bound on old" in refused_by(strict)
    assert "that limit" not in finding_of(strict, "bound on old").words


def test_a_true_share_of_flips_that_is_allowed_is_refused_no_more_often_with_few_examples() -> None:
    random, refused = np.random.default_rng(0), {}
    for number in (40, 78, 150, 600):
        flips = random.binomial(number, 0.05, 20_000) / number
        refused[number] = float((flips > Gate().flips_allowance(number, 0.05)).mean())
        assert 0.15 >= Gate().flips_allowance(number, 0.05) >= 0.05
    assert max(refused.values()) <= refused[600] + 0.02
    for number, lost in ((40, 3), (78, 5)):
        assert "negative flips" not in refused_by(decided(*few(number, lost=lost)))
        assert "negative flips" in refused_by(decided(*few(number, lost=2 * lost + 2)))


def test_a_rule_with_nothing_to_look_at_says_so_truly() -> None:
    new = card(outcomes(GOOD * 40), "new")
    without_old = judge({"new": new}, {"new": new}, NO_FACTS, None, Gate())
    unseen = {finding.rule for finding in without_old.findings if not finding.examined}
    assert unseen == {"slices", "negative flips", "size", "latency", "labels"}
    assert "No old" in finding_of(without_old, "negative flips").words
    graded = card([Outcome(f"{n}", n % 3, n % 3, n % 3, (), f"q{n // 9}") for n in range(90)], metrics=["ndcg_at_10"])
    ranked = judge({"new": graded, "old": graded}, {"new": graded, "old": graded}, NO_FACTS, None, Gate())
    unseen = {finding.rule for finding in ranked.findings if not finding.examined}
    assert unseen == {"slices", "negative flips", "calibration", "size", "latency", "labels"}
    assert "not classes" in finding_of(ranked, "negative flips").words
    assert "10 old queries" in finding_of(ranked, "bound on old").words
    all_seen = card(outcomes(GOOD * 60, 0.9, ["books", "手机"]))
    full = decided(all_seen, all_seen, ReleaseFacts(100, 100, 1.0), Finding("labels", True, {}, "Sound."))
    assert all(finding.examined for finding in full.findings)
    assert all(
        finding.passed for verdict in (without_old, ranked) for finding in verdict.findings if not finding.examined
    )


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


def test_one_sure_mistake_among_few_is_no_loss_of_calibration_but_wild_confidence_is() -> None:
    champion = outcomes([True] * 84, 0.999)
    mistaken = card(outcomes([False] + [True] * 83, [0.999] + [0.9989] * 83)), card(champion)
    verdict = decided(*mistaken)
    rise = finding_of(verdict, "calibration").numbers["old/nll"]
    assert Gate().max_nll_rise < rise < 2 * Gate().max_nll_rise
    assert "calibration" not in refused_by(verdict)
    assert "calibration" in refused_by(decided(*mistaken, gate=Gate(enough_old=1)))
    wild = card(outcomes(GOOD * 8, 0.9999)), card(outcomes(GOOD * 8, 0.9))
    assert "calibration" in refused_by(decided(*wild))
    doubtful = card(outcomes([True] * 84, 0.94)), card(champion)
    assert "calibration" in refused_by(decided(*doubtful)), "a small rise that all of them show"


def test_facts_and_labels_speak() -> None:
    same = card(outcomes(GOOD * 60))
    poisoned = Finding("labels", False, {}, "Labels contradict.")
    assert refused_by(decided(same, same, ReleaseFacts(200, 100, 1.0))) == {"size"}
    assert refused_by(decided(same, same, ReleaseFacts(100, 100, 2.0))) == {"latency"}
    assert decided(same, same, labels=poisoned).reasons == ("Labels contradict.",)
    for facts in (ReleaseFacts(200, 100, 1.0), ReleaseFacts(100, 100, 2.0)):
        assert decided(same, same, facts).undecided, "what it costs to serve says nothing of the data"


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


def test_a_first_release_on_few_examples_is_judged_on_all_of_them_at_once() -> None:
    def sides(new: list[bool], old: list[bool]) -> dict[str, Scorecard]:
        whole = outcomes(new + old)
        return {"new": card(whole[: len(new)], "new"), "old": card(whole[len(new) :], "old")}

    ours = sides([True] * 20 + [False] * 6, [True] * 50 + [False] * 2)
    baseline = sides([True] * 21 + [False] * 5, [True] * 30 + [False] * 22)
    verdict = judge_first(ours, {"tfidf": baseline}, Gate())
    assert verdict.promote, "one answer of 26 new ones is chance, 19 of all 78 are not"
    assert verdict.findings[0].numbers == {"new and old": pytest.approx(19 / 78)}
    assert refused_by(judge_first(ours, {"tfidf": baseline}, Gate(enough_new=26))) == {"against tfidf"}


def test_few_examples_cannot_show_a_first_release_to_be_below_but_many_can() -> None:
    def sides(right: int, number: int) -> dict[str, Scorecard]:
        whole = outcomes([True] * right + [False] * (number - right))
        return {"new": card(whole[::2], "new"), "old": card(whole[1::2], "old")}

    majority = sides(24, 44)
    verdict = judge_first(sides(40, 44), {"majority": majority, "tfidf": sides(41, 44)}, Gate())
    assert verdict.promote, "one answer of 44 is noise"
    assert "as far as so few can tell" in verdict.findings[1].words
    assert refused_by(judge_first(sides(32, 44), {"majority": majority, "tfidf": sides(41, 44)}, Gate())) == {
        "against tfidf"
    }
    many = judge_first(sides(400, 440), {"majority": sides(240, 440), "tfidf": sides(401, 440)}, Gate())
    assert refused_by(many) == {"against tfidf"}


def of_three(told: Outcome, taken: float, target: int | None = None, prediction: int | None = None) -> Outcome:
    """The same of a model with a class more, which takes a share of the others' probability."""
    likely = (*((1 - taken) * each for each in told.probabilities), taken)
    return replace(
        told, probabilities=likely, target=told.target if target is None else target,
        prediction=told.prediction if prediction is None else prediction,
    )  # fmt: skip


def test_a_class_more_takes_probability_and_that_is_no_loss_of_calibration() -> None:
    told = outcomes(GOOD * 60)
    champion = card(told)
    grown = decided(card([of_three(each, 0.2) for each in told]), champion)
    assert finding_of(grown, "calibration").passed
    assert finding_of(grown, "calibration").numbers["old/nll"] == pytest.approx(0, abs=1e-9)
    worse = [replace(each, probabilities=tuple(0.5 + (p - 0.5) / 5 for p in each.probabilities)) for each in told]
    assert "calibration" in refused_by(decided(card([of_three(each, 0.2) for each in worse]), champion))


def test_where_all_that_is_held_out_is_of_a_new_class_calibration_has_nothing_to_say() -> None:
    told = outcomes(GOOD * 60)
    champion = card([replace(each, target=2.0) for each in told])
    grown = card([of_three(each, 0.9, target=2, prediction=2) for each in told])
    verdict = decided(grown, champion)
    assert not any(name.startswith("old/") for name in finding_of(verdict, "calibration").numbers)
    assert verdict.promote, verdict.reasons
