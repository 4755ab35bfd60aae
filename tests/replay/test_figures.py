"""The figures are what their words say, on a stream small enough to count by hand."""

import pytest

from freshtune.records import Outcome
from freshtune.replay.figures import figures
from freshtune.replay.play import Found


def found(name: str, right: int, seconds: float, scores: tuple[tuple[float, ...], ...]) -> Found:
    final = tuple(Outcome(f"e{n}", 1, 1 if n < right else 0, 0.5, ()) for n in range(400))
    return Found(name, 9.0, (seconds, 2 * seconds), (seconds, seconds), scores, (0.1, 0.3), 7, (100, 300), final)


OURS = found("freshtune", 360, 2.0, ((0.8,), (0.7, 0.9), (0.75, 0.8, 1.0)))


def test_each_figure_is_what_its_words_say() -> None:
    told = figures({"freshtune": OURS}, "accuracy")["strategies"]["freshtune"]
    assert told["fresh"] == pytest.approx((0.9 + 1.0) / 2)
    assert told["old"] == pytest.approx((0.7 + (0.75 + 0.8) / 2) / 2)
    assert told["final"] == pytest.approx(0.9)
    assert told["forgetting"] == pytest.approx(((0.8 - 0.75) + (0.9 - 0.8)) / 2)
    assert told["negative_flips"] == pytest.approx(0.2)
    assert told["intervals"]["final"][0] < 0.9 < told["intervals"]["final"][1]
    assert told["update_seconds"] == [2.0, 4.0]
    assert told["delta_bytes"] == 200


def test_parts_that_were_learned_together_are_each_fresh_once() -> None:
    dear = found("retrain", 360, 2.0, ((0.8,), (0.7, 0.9, 0.6), (0.75, 0.8, 0.7, 1.0)))
    told = figures({"retrain": dear}, "accuracy")["strategies"]["retrain"]
    assert told["fresh"] == pytest.approx((0.9 + 0.6 + 1.0) / 3)
    assert told["old"] == pytest.approx((0.7 + (0.75 + 0.8 + 0.7) / 3) / 2)
    assert told["forgetting"] == pytest.approx(((0.8 - 0.75) + (0.9 - 0.8) + (0.6 - 0.7)) / 3)


def test_ratios_are_of_what_was_played() -> None:
    frozen, naive = found("frozen", 320, 0.0, OURS.scores), found("naive", 330, 50.0, OURS.scores)
    retrain = found("retrain", 370, 9.0, OURS.scores)
    played = {"frozen": frozen, "naive": naive, "retrain": retrain, "freshtune": OURS}
    ratios = figures(played, "accuracy")["ratios"]
    assert ratios["speedup_vs_naive"] == pytest.approx(25)
    assert ratios["share_of_retrain"] == pytest.approx(360 / 370)
    assert ratios["share_of_retrain_gain"] == pytest.approx(0.8)
    alone = figures({"freshtune": OURS}, "accuracy")["ratios"]
    assert set(alone.values()) == {None}
    level = figures(played | {"retrain": found("retrain", 321, 9.0, OURS.scores)}, "accuracy")["ratios"]
    assert level["share_of_retrain_gain"] is None, "a gain within noise is no yardstick"
