"""The one number: the mean of fresh and old, less what was forgotten beyond the gate's allowance."""

from dataclasses import replace

import pytest

from freshtune.judge.case import Gate
from freshtune.records import Outcome
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment
from freshtune.tune.play import Stage
from freshtune.tune.score import PRICE, Judge, Score


def outcomes(right: int, wrong: int, name: str = "o") -> tuple[Outcome, ...]:
    sure = [(1.0, (0.0, 1.0))] * right + [(0.0, (1.0, 0.0))] * wrong
    return tuple(Outcome(f"{name}{i}", 1.0, said, said, odds) for i, (said, odds) in enumerate(sure))


JUDGE = Judge(Sentiment(), Gate(max_old_loss=0.01, enough_old=100))


def test_without_a_loss_it_is_the_mean_of_both() -> None:
    found = JUDGE.score([Stage(outcomes(30, 10), outcomes(90, 10), outcomes(90, 10), 1)])
    assert found.value == pytest.approx((0.75 + 0.9) / 2)
    assert replace(found, value=0.0) == Score(0.0, 0.75, 0.9, 0.0, (0.75, 0.9))


def test_a_loss_within_the_allowance_costs_nothing_and_one_beyond_it_its_price() -> None:
    fresh = outcomes(40, 0)
    within = JUDGE.score([Stage(fresh, outcomes(900, 100), outcomes(910, 90), 1)])
    beyond = JUDGE.score([Stage(fresh, outcomes(860, 140), outcomes(910, 90), 1)])
    assert within.forgotten == pytest.approx(0.0)
    assert beyond.forgotten == pytest.approx(0.04)
    assert beyond.value == pytest.approx((1 + 0.86) / 2 - PRICE * 0.04)


def test_fewer_old_examples_allow_more_as_the_gate_does() -> None:
    found = JUDGE.score([Stage(outcomes(40, 0), outcomes(23, 2), outcomes(24, 1), 1)])
    assert found.forgotten == pytest.approx(0.04 - JUDGE.gate.old_allowance(25))


def test_what_one_of_several_updates_forgot_counts_in_part() -> None:
    kept, lost = (Stage(outcomes(40, 0), outcomes(now, 1000 - now), outcomes(910, 90), 1) for now in (910, 860))
    assert JUDGE.score([lost, kept]).forgotten == pytest.approx(0.02)
    assert JUDGE.score([lost, kept]).old == 0.91


def test_a_near_tie_counts_in_part_where_the_gate_counts_it_so() -> None:
    tie = tuple(Outcome(f"t{i}", 1.0, 1.0, 0.5, (0.49, 0.51)) for i in range(10))
    smoothed, plain = (
        Judge(Sentiment(), Gate(tie_margin=margin)).score([Stage(tie, tie, tie, 1)]) for margin in (0.25, 0.0)
    )
    assert smoothed.fresh == pytest.approx(0.54)
    assert plain.fresh == 1.0
    assert smoothed.shown == plain.shown == (1.0, 1.0)


def test_a_ranking_is_scored_as_one() -> None:
    ranked = tuple(Outcome(f"q{i}", float(i % 2), 0.0, float(i % 2), (), f"query {i // 4}") for i in range(12))
    assert Judge(Relevance(), Gate()).score([Stage(ranked, ranked, ranked, 1)]).fresh == 1.0


def test_the_error_of_a_difference_falls_with_examples_and_is_zero_between_equals() -> None:
    def stage(right: int, wrong: int) -> Stage:
        return Stage(outcomes(right, wrong), outcomes(right, wrong), (), 1)

    assert JUDGE.error(stage(50, 50), stage(50, 50)) == 0
    few, many = JUDGE.error(stage(15, 5), stage(13, 7)), JUDGE.error(stage(1500, 500), stage(1300, 700))
    assert few > 5 * many > 0
