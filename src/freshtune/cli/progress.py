"""How long acts show that they go on: a bar where somebody looks on, else plain lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from freshtune.cli.terminal import note, on_stderr
from freshtune.phases import Phases

if TYPE_CHECKING:
    from freshtune.learn.fit import Step

PHASES = {
    "delta": "collecting what is new · 收集增量",
    "learn": "learning · 学习",
    "ship": "compressing · 压缩",
    "judge": "judging on new and old · 评判新旧数据",
    "publish": "publishing · 发布",
    "prepare": "reading what the trunk says · 准备数据",
    "search": "trying recipes · 搜索配方",
    "confirm": "comparing on what was not looked at · 复核",
}
EVERY_SECONDS = 10.0
"""Between two plain lines about the loop, at least."""


@contextmanager
def steps_on() -> Iterator[Callable[[], Phases]]:
    """Show the phases of long acts, and the loop's loss, rate and time left, on stderr where it is a terminal.

    Yields:
        A function that gives the timer of the next act.
    """
    words = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[told]}"))
    columns = (*words, TimeElapsedColumn(), TimeRemainingColumn())
    # Where nobody looks on, a progress display writes nothing but an empty line at its end.
    with Progress(*columns, console=on_stderr, transient=True, disable=not on_stderr.is_interactive) as bar:
        shown = bar.add_task("", total=None, told="")

        def on_start(phase: str) -> None:
            bar.reset(shown, total=None, description=PHASES.get(phase, phase), told="")

        def on_step(step: "Step") -> None:
            told = f"loss {step.loss:.3f} · rate {step.learning_rate:.1e}"
            bar.update(shown, total=step.total, completed=step.number, told=told)

        yield lambda: Phases(on_start, on_step, _remark)


@contextmanager
def progress() -> Iterator[Phases]:
    """Show the phases of one long act: as :func:`steps_on` does on a terminal, elsewhere in plain lines."""
    if not on_stderr.is_interactive:
        lines = PlainLines(note)
        yield Phases(lines.started, lines.stepped, _remark, lines.ended)
        return
    with steps_on() as phases:
        yield phases()


class PlainLines:
    """A line when a phase begins and when it ends, and now and then one about the loop: for a log file.

    The first phase is told at its end alone: it looks whether there is anything to do, and where there is not, the
    error stands alone on stderr.

    Args:
        tell: writes a line.
        clock: seconds, of any beginning.
    """

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._clock = tell, clock
        self._phase, self._last_line = "", clock()
        self._first: tuple[int, float] | None = None
        self._number = 0

    def started(self, phase: str) -> None:
        """A phase begins."""
        if self._phase:
            self._tell(f"{phase} …")
        self._phase, self._last_line, self._first = phase, self._clock(), None

    def ended(self, phase: str, seconds: float) -> None:
        """It has come to its end."""
        self._tell(f"{phase} {seconds:.1f} s")

    def stepped(self, step: "Step") -> None:
        """The loop has made a step; a line is due ten seconds after the last one."""
        now = self._clock()
        if self._first is None or step.number <= self._number:  # the first one of a loop, which may go on from another
            self._first = step.number, now
        self._number = step.number
        if now - self._last_line < EVERY_SECONDS:
            return
        self._last_line = now
        number, began = self._first
        pace = (now - began) / (step.number - number) if step.number > number else None
        left = "" if pace is None else f", at most {pace * (step.total - step.number):.0f} s left"
        self._tell(f"{self._phase} step {step.number:,} of {step.total:,}, loss {step.loss:.3f}{left}")


def _remark(words: str) -> None:
    note(f"! {words}")
