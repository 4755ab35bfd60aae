"""``demo``."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from freshtune.cli.progress import steps_on
from freshtune.cli.terminal import AsJson, command, line, note, say, table
from freshtune.errors import UsageError

if TYPE_CHECKING:
    from freshtune.demo.result import DemoResult
    from freshtune.records import Estimate


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(demo)


@command
def demo(
    folder: Annotated[Path, typer.Option(help="The demo's workspace and report; made anew each time.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Two increments of hotels, one of computers.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Everything there is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Play a stream of real shop reviews: learn, judge, swap, report. The last line is the report's path."""
    from freshtune.cycle.extras import require_extra
    from freshtune.demo.play import play
    from freshtune.demo.report import write_report

    if quick and full:
        raise UsageError("--quick and --full exclude each other.", "", "Give one of them, or none.")
    length = "quick" if quick else "full" if full else "normal"
    require_extra("train", "The demo")
    require_extra("demo", "The demo")
    with _fresh(folder) as workspace:
        tell = note if as_json else line
        tell(f"{length} demo in {folder} · file order of the built-in reviews, not time · 文件顺序，并非时间")
        with steps_on() as phases:
            result = play(workspace, length, tell, phases)
    report = write_report(result, folder / "report.html")
    say(asdict(result) | {"report": str(report)}, as_json, lambda: _told(result))
    tell(str(report))


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """The workspace of this run, in place of an earlier demo's and of nothing else."""
    mark = folder / "workspace" / "workspace.json"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise UsageError(f"{folder} holds something else.", "The demo replaces its folder.", "Name another: --folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder / "workspace"


def _told(result: "DemoResult") -> None:
    rows = [
        [
            each.domain,
            str(each.examples),
            f"{each.frozen:.3f}",
            f"{each.final:.3f}",
            _points(each.difference),
            f"{each.forgetting:+.1f}",
        ]
        for each in result.domains
    ]
    line("")
    headings = {
        "domain": "left",
        "held out": "right",
        "first release": "right",
        "last release": "right",
        "points (95 % interval)": "right",
        "forgotten, points": "right",
    }
    table(headings, rows)
    for reply in result.replies:
        line(f"{reply.release} says {reply.label} ({reply.probability:.3f}) to: {result.sentence}")
    line(f"{result.total_seconds:.0f} s in all")


def _points(difference: "Estimate") -> str:
    value, low, high = (100 * number for number in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
