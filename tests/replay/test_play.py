"""Who is given what, and when: increments left out are not lost, and no label comes before its time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.replay.figures import figures
from freshtune.replay.play import Pace, play
from tests.replay.fakes import TASK, Estimated, Recorder, TextTaker, stream


def parts_of(ids: list[str]) -> list[int]:
    """The increments that ids belong to, each once, in order."""
    return list(dict.fromkeys(int(each.partition("-")[0]) for each in ids))


def test_a_dear_strategy_learns_at_some_increments_all_that_came() -> None:
    strategy = Recorder()
    found = play(stream(7), strategy, TASK, "dear", Pace(at=(3, 7)))
    assert [parts_of(ids) for ids in strategy.learned] == [[0], [1, 2, 3], [4, 5, 6, 7]]
    assert [parts_of(ids) for ids in strategy.judges] == [[0], [1, 2, 3], [4, 5, 6, 7]]
    assert [len(row) for row in found.scores] == [1, 4, 8]
    assert found.played == found.updated_at() == (3, 7)
    assert len(found.update_seconds) == len(found.update_cpu_seconds) == len(found.update_bytes) == 2
    assert found.scores == ((0.0,), (0.0,) * 4, (1.0,) * 8)
    assert found.negative_flips == (0.0, 0.0)
    assert len(found.final) == len(found.fresh) == 16
    assert {outcome.prediction for outcome in found.final} == {1}
    assert [outcome.prediction for outcome in found.fresh] == [0] * 8 + [1] * 8


def test_what_comes_after_the_last_increment_played_is_left_out() -> None:
    strategy = Recorder()
    found = play(stream(5), strategy, TASK, "dear", Pace(steps=4, at=(2,)))
    assert [parts_of(ids) for ids in strategy.learned] == [[0], [1, 2]]
    assert [len(row) for row in found.scores] == [1, 3]


@given(st.integers(1, 6), st.integers(0, 5), st.sets(st.integers(1, 6)))
def test_labels_come_late_once_and_never_before_their_texts(increments: int, delay: int, at: set[int]) -> None:
    strategy = TextTaker()
    played = sorted(at & set(range(1, increments + 1))) or list(range(1, increments + 1))
    found = play(stream(increments), strategy, TASK, "late", Pace(at=tuple(at and played), label_delay=delay))
    learned = [part for ids in strategy.learned[1:] for part in parts_of(ids)]
    assert learned == list(range(1, max(0, played[-1] - delay) + 1))
    assert strategy.learned[0] == ["0-0", "0-1", "0-2"], "the history is labelled at once"
    texts = [part for ids in strategy.texts for part in parts_of(ids)]
    assert texts == (list(range(1, played[-1] + 1)) if delay else [])
    assert [len(row) - 1 for row in found.scores[1:]] == played, "judging is not delayed"
    assert list(found.played) == [each for each in played if each > delay]
    assert found.label_delay == delay


def test_a_part_is_forgotten_from_when_its_labels_came() -> None:
    strategy = Recorder()
    found = play(stream(4), strategy, TASK, "late", Pace(label_delay=2))
    assert [parts_of(ids) for ids in strategy.learned] == [[0], [1], [2]]
    assert found.scores[2] == (0.0,) * 3
    assert found.scores[3] == (0.0,) * 4
    assert found.scores[4] == (1.0,) * 5
    told = figures({"late": found}, "accuracy")["strategies"]["late"]
    assert told["forgetting"] == pytest.approx(-1.0), "the history and the first part went from 0 to 1"
    assert told["fresh"] == pytest.approx(0.25)


def test_a_strategy_without_a_use_for_texts_is_not_given_any() -> None:
    strategy = Recorder()
    found = play(stream(3), strategy, TASK, "late", Pace(label_delay=1))
    assert [parts_of(ids) for ids in strategy.learned] == [[0], [1], [2]]
    assert len(found.update_seconds) == 2


def test_an_extrapolated_strategy_has_times_and_no_scores() -> None:
    found = play(stream(3), Estimated(), TASK, "textbook", Pace(at=(2, 3)))
    assert found.extrapolated
    assert found.update_seconds == (20.0, 30.0)
    assert found.update_cpu_seconds == (1.0, 1.0)
    assert found.begin_seconds == 10.0
    assert found.played == (2, 3)
    assert {len(found.scores), len(found.final), len(found.negative_flips)} == {0}
    told = figures({"textbook": found}, "accuracy")["strategies"]["textbook"]
    assert told["extrapolated"] is True
    assert {told[key] for key in ("fresh", "old", "final", "forgetting", "negative_flips")} == {None}
    assert told["intervals"] == {"final": None}
