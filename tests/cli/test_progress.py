"""Long acts off a terminal: plain lines, few of them, with the pace of the loop that runs."""

from collections.abc import Iterator

import pytest

from freshtune.cli.progress import PlainLines, progress
from freshtune.learn.fit import Step

TOTAL = 400


class Told:
    """Lines that were told, and a clock that only moves when it is set."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.plain = PlainLines(self.lines.append, lambda: self.now)

    def steps(self, first: int, last: int, seconds: float) -> Iterator[str]:
        """Step after step, each so many seconds; what is told of them."""
        already = len(self.lines)
        for number in range(first, last + 1):
            self.now += seconds
            self.plain.stepped(Step(number, TOTAL, 0.5, 1e-3, None))
        yield from self.lines[already:]


@pytest.fixture
def told() -> Told:
    """In the phase of learning."""
    made = Told()
    made.plain.started("delta")
    made.plain.ended("delta", 0.04)
    made.plain.started("learn")
    return made


def test_a_phase_is_told_when_it_begins_and_when_it_ends(told: Told) -> None:
    told.plain.ended("learn", 41.23)
    assert told.lines == ["delta 0.0 s", "learn …", "learn 41.2 s"], "the first one once it found something to do"


def test_the_loop_is_told_once_in_ten_seconds_at_most(told: Told) -> None:
    lines = list(told.steps(1, 100, 1.0))
    assert len(lines) == 10
    assert lines[0] == "learn step 10 of 400, loss 0.500, at most 390 s left"
    assert lines[-1] == "learn step 100 of 400, loss 0.500, at most 300 s left"
    assert list(told.steps(101, 105, 0.1)) == []


def test_a_run_that_goes_on_is_timed_from_where_it_went_on(told: Told) -> None:
    assert list(told.steps(200, 205, 2.0)) == ["learn step 204 of 400, loss 0.500, at most 392 s left"]


def test_the_first_step_of_a_loop_tells_no_time(told: Told) -> None:
    assert list(told.steps(7, 7, 60.0)) == ["learn step 7 of 400, loss 0.500"]
    list(told.steps(8, 20, 3.0))
    assert list(told.steps(1, 1, 60.0)) == ["learn step 1 of 400, loss 0.500"], "another loop has a pace of its own"


def test_off_a_terminal_nothing_is_drawn_over(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as phases:
        for name in ("delta", "learn"):
            with phases(name):
                phases.on_remark("mind this")
        with pytest.raises(ValueError, match="x"), phases("ship"):
            raise ValueError("x")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert not {"\r", "\x1b"} & set(captured.err)
    lines = captured.err.split("\n")
    assert lines[0] == lines[3] == "! mind this"
    assert [line.split()[0] for line in lines[1:3]] == ["delta", "learn"]
    assert lines[5:] == ["ship …", ""], "what did not end is not said to have ended"
