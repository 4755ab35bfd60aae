"""What a cell came to is the same once it was kept, but for scores and probabilities."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.replay.kept import keep, kept
from freshtune.records import Outcome
from freshtune.replay.figures import figures
from freshtune.replay.play import Found, Pace, play
from tests.replay.fakes import TASK, Estimated, Recorder, stream


def answers(outcomes: tuple[Outcome, ...]) -> list[tuple[str, float, float, str]]:
    return [(each.id, each.target, each.prediction, each.category) for each in outcomes]


@pytest.mark.parametrize("pace", [Pace(), Pace(at=(2, 4)), Pace(steps=3), Pace(label_delay=1)])
@pytest.mark.parametrize("strategy", [Recorder, Estimated])
def test_what_is_kept_is_found_again(tmp_path: Path, pace: Pace, strategy: type[Recorder]) -> None:
    of = stream(4)
    found = replace(play(of, strategy(), TASK, "recorder", pace), processor="some, with avx2")
    keep(tmp_path / "10cats-0" / "recorder-1.json", found)
    again = kept(tmp_path / "10cats-0" / "recorder-1.json", of, TASK.head())
    assert again is not None
    assert answers(again.final) == answers(found.final)
    assert answers(again.fresh) == answers(found.fresh)
    assert replace(again, final=(), fresh=()) == replace(found, final=(), fresh=())
    assert figures({"one": again}, "accuracy")["strategies"] == figures({"one": found}, "accuracy")["strategies"]


def test_what_was_not_played_is_none(tmp_path: Path) -> None:
    assert kept(tmp_path / "no.json", stream(1), TASK.head()) is None


@pytest.mark.parametrize("answer", [0.5, -1.0, 256.0, float("nan")])
def test_an_answer_that_would_not_come_back_is_refused(tmp_path: Path, answer: float) -> None:
    found: Found = play(stream(1), Recorder(), TASK, "recorder")
    bad = replace(found, final=tuple(replace(each, prediction=answer) for each in found.final))
    with pytest.raises(ValueError, match="no whole number"):
        keep(tmp_path / "cell.json", bad)
    assert list(tmp_path.iterdir()) == []
