"""How commands speak: data on stdout, progress and errors on stderr, one document with ``--json``."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from freshtune.errors import FreshtuneError
from freshtune.phases import Phases

P = ParamSpec("P")
R = TypeVar("R")

THE_ANSWER_IS_NO = 3
"""Exit code of a command that did its work and whose answer is no: the gate refused, a package is missing."""

NO_RELEASE = "no release yet"
"""What is shown in the place of a release that answers."""

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Root = Annotated[str, typer.Option("--workspace", "-w", help="The workspace folder.")]
Flags = Annotated[list[str] | None, typer.Option("--set", help="A setting, such as learn.fit.epochs=3; may repeat.")]

INTERRUPTED = (
    "Interrupted. Nothing is half-written. The same command goes on from the last batch that it stored or the last "
    "checkpoint that it wrote; where there is none, it begins anew."
)
"""True of every command, whether it stores batches, writes checkpoints or does neither."""

_errors = Console(stderr=True, highlight=False, emoji=False)
_WIDE = 200
"""Columns of a table that goes to a file or a pipe: nothing is folded there."""

_data = Console(highlight=False, emoji=False, soft_wrap=True)

PHASES = {
    "delta": "collecting what is new · 收集增量",
    "learn": "learning · 学习",
    "ship": "compressing · 压缩",
    "judge": "judging on new and old · 评判新旧数据",
    "publish": "publishing · 发布",
}


def command(act: Callable[P, R]) -> Callable[P, R]:
    """Turn what goes wrong into three lines on stderr and an exit code."""

    @wraps(act)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except FreshtuneError as error:
            stop(error)
        except KeyboardInterrupt:
            note(INTERRUPTED)
            raise typer.Exit(128 + signal.SIGINT) from None
        except BrokenPipeError:
            raise typer.Exit(0) from None

    return guarded


def stop(error: FreshtuneError) -> NoReturn:
    """Say what, why and the mend, and leave."""
    for mark, part in zip(("✗", " ", "→"), (error.what, error.why, error.mend), strict=True):
        if part:
            note(f"{mark} {part}")
    raise typer.Exit(error.exit_code)


def say(document: Any, as_json: bool, text: Callable[[], None]) -> None:
    """Print a result: as one JSON document, or as ``text`` does it."""
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")
    else:
        text()


def line(words: str) -> None:
    """One line of data on stdout, as it is: a console would turn tabs into spaces."""
    sys.stdout.write(f"{words}\n")


def note(words: str) -> None:
    """One line about the work on stderr."""
    _errors.print(words, markup=False, soft_wrap=True)


def table(headings: Mapping[str, str], rows: list[list[str]]) -> None:
    """A table on stdout; cells are shown as they are.

    Args:
        headings: name → "left" or "right".
    """
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in headings.items():
        shown.add_column(Text(name), justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))  # as text: rich reads [square brackets] in a string as markup
    if not _data.is_terminal:
        _data.width = _WIDE
    with _data.capture() as drawn:
        _data.print(shown)
    line("\n".join(row.rstrip() for row in drawn.get().rstrip("\n").split("\n")))


def watched() -> bool:
    """Whether a person looks on: stderr is a terminal, not a file or another program."""
    return sys.stderr.isatty()


@contextmanager
def steps_on() -> Iterator[Callable[[], Phases]]:
    """Show the phases of long acts, and the loop's loss, rate and time left, on stderr where it is a terminal.

    Yields:
        A function that gives the timer of the next act.
    """
    words = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[told]}"))
    columns = (*words, TimeElapsedColumn(), TimeRemainingColumn())
    # Where nobody looks on, a progress display writes nothing but an empty line at its end.
    with Progress(*columns, console=_errors, transient=True, disable=not _errors.is_interactive) as bar:
        shown = bar.add_task("", total=None, told="")

        def on_start(phase: str) -> None:
            bar.reset(shown, total=None, description=PHASES.get(phase, phase), told="")

        def on_step(step: Any) -> None:
            told = f"loss {step.loss:.3f} · rate {step.learning_rate:.1e}"
            bar.update(shown, total=step.total, completed=step.number, told=told)

        yield lambda: Phases(on_start, on_step, lambda words: note(f"! {words}"))


@contextmanager
def progress_bar() -> Iterator[Phases]:
    """The same for one act."""
    with steps_on() as phases:
        yield phases()
