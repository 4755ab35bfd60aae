"""How commands speak: data on stdout, progress and errors on stderr, one document with ``--json``."""

import re
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import orjson
import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from freshtune.errors import FreshtuneError
from freshtune.tasks import TASKS

P = ParamSpec("P")
R = TypeVar("R")

THE_ANSWER_IS_NO = 3
"""Exit code of a command that did its work and whose answer is no: the gate refused, a package is missing."""

NO_RELEASE = "no release yet"
"""What is shown in the place of a release that answers."""

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Root = Annotated[str, typer.Option("--workspace", "-w", help="The workspace folder.")]
Flags = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, such as judge.gate.max_old_loss=0.02; may repeat.")
]

INTERRUPTED = (
    "Interrupted. Nothing is half-written. The same command goes on from the last batch that it stored or the last "
    "checkpoint that it wrote; where there is none, it begins anew."
)
"""True of every command, whether it stores batches, writes checkpoints or does neither."""

HERE = "."
"""The workspace where none is named."""

_workspace = ContextVar("workspace", default=HERE)
"""Of the command that runs, as it was given."""

_NAMED = re.compile(
    r"\bfreshtune (?:train|update|refresh|tune|ingest|predict|evaluate|serve|doctor|(?:keys|releases|config) [a-z]+)\b"
    rf"(?: (?:{'|'.join(TASKS)})(?![\w-]))?(?!(?: \S+)? -w )"
)
"""A command that takes a workspace, with the task that it names, as a sentence suggests it."""

on_stderr = Console(stderr=True, highlight=False, emoji=False)
_WIDE = 100_000
"""Columns of a table that goes to a file or a pipe: nothing is folded there."""

_LEAST = 20
"""Columns that ``last_cut`` leaves the last cell of a row on a narrow terminal, where the others are folded instead."""

_GAP = 2
"""Columns between two cells."""

_data = Console(highlight=False, emoji=False, soft_wrap=True)


def command(act: Callable[P, R]) -> Callable[P, R]:
    """Turn what goes wrong into three lines on stderr and an exit code."""

    @wraps(act)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        before = _workspace.set(str(kwargs.get("workspace", HERE)))
        try:
            return act(*args, **kwargs)
        except FreshtuneError as error:
            stop(error)
        except KeyboardInterrupt:
            note(INTERRUPTED)
            raise typer.Exit(128 + signal.SIGINT) from None
        except BrokenPipeError:
            raise typer.Exit(0) from None
        finally:
            _workspace.reset(before)

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
    """One line about the work on stderr; the commands that it names are for the workspace of this one."""
    on_stderr.print(_for_this_workspace(words), markup=False, soft_wrap=True)


def _for_this_workspace(words: str) -> str:
    root = _workspace.get()
    return words if root == HERE else _NAMED.sub(lambda named: f"{named[0]} -w {shlex.quote(root)}", words)


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


def last_cut(headings: Mapping[str, str], rows: list[list[str]]) -> list[list[str]]:
    """Rows whose last cell is one line, cut on a terminal to what the others leave of its width.

    Args:
        headings: as ``table`` takes them.
    """
    rows = [[*row[:-1], " ".join(row[-1].split())] for row in rows]
    if not _data.is_terminal:
        return rows
    *others, _ = zip(headings, *rows, strict=True)
    room = _data.width - sum(max(map(cell_len, column)) + _GAP for column in others)
    return [[*row[:-1], _cut(row[-1], max(room, _LEAST))] for row in rows]


def _cut(words: str, room: int) -> str:
    text = Text(words)
    text.truncate(room, overflow="ellipsis")
    return text.plain


def watched() -> bool:
    """Whether a person looks on: stderr is a terminal, not a file or another program."""
    return sys.stderr.isatty()
