"""``ingest``."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import freshtune
from freshtune.cli.terminal import AsJson, Flags, Root, command, line, note, say, table
from freshtune.errors import UsageError

if TYPE_CHECKING:
    from freshtune.intake.ingest import IngestReport
    from freshtune.intake.mapping import ColumnMapping

Column = typer.Option(help="Name of the column.", rich_help_panel="Columns")


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(ingest)


@command
def ingest(
    files: Annotated[list[Path] | None, typer.Argument(help="csv, jsonl or parquet, plain or gz.")] = None,
    workspace: Root = ".",
    task: Annotated[str | None, typer.Option(help="The task that the labels are for.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of all events; else the task's own.")] = None,
    text: Annotated[str | None, Column] = None,
    pair: Annotated[str | None, Column] = None,
    label: Annotated[str | None, Column] = None,
    label_map: Annotated[str | None, typer.Option(help="Such as 0=negative,1=positive.")] = None,
    time: Annotated[str | None, Column] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Name of the column.", rich_help_panel="Columns")] = None,
    user: Annotated[str | None, Column] = None,
    item: Annotated[str | None, Column] = None,
    session: Annotated[str | None, Column] = None,
    category: Annotated[str | None, Column] = None,
    example: Annotated[str | None, Column] = None,
    dead_letters: Annotated[bool, typer.Option(help="Show the latest refused records instead.")] = False,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Store the events of files. A refused record goes to the dead letters with its reason; the rest is kept.

    Columns are named by flags, or in the table intake.columns of freshtune.toml. Where neither names any, records are
    events already: id, kind, time, task, user, item, session, text, fields.
    """
    from freshtune.intake.mapping import parse_label_map

    shop = freshtune.open(workspace, set_ or ())
    if dead_letters:
        return _dead_letters(shop, as_json)
    if not files:
        raise UsageError("Nothing to ingest.", "No file is named.", "freshtune ingest FILE… --task T --text COLUMN")
    flags = {
        "task": task, "kind": kind, "text": text, "pair": pair, "label": label, "time": time, "id": id_, "user": user,
        "item": item, "session": session, "category": category, "example": example,
        "label_map": parse_label_map(label_map) if label_map else None,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    mapping = replace(shop.settings.intake.columns, **given)
    reports = [_one(shop, path, mapping) for path in files]
    total = reports[0] if len(reports) == 1 else _sum(reports)
    say(asdict(total), as_json, lambda: _told(total))
    return None


def _one(shop: "freshtune.OpenWorkspace", path: Path, mapping: "ColumnMapping") -> "IngestReport":
    with Console(stderr=True).status(f"reading {path}") as status:
        return shop.ingest(path, mapping, lambda so_far: status.update(f"{path.name}: {so_far.read:,} read"))


def _sum(reports: "list[IngestReport]") -> "IngestReport":
    from freshtune.intake.ingest import IngestReport

    reasons: dict[str, int] = {}
    for report in reports:
        for reason, count in report.dead_letters.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return IngestReport(
        read=sum(report.read for report in reports),
        kept=sum(report.kept for report in reports),
        duplicates=sum(report.duplicates for report in reports),
        masked=sum(report.masked for report in reports),
        shortened=sum(report.shortened for report in reports),
        dead_letters=reasons,
        seconds=sum(report.seconds for report in reports),
    )


def _told(report: "IngestReport") -> None:
    line(
        f"read {report.read:,} · kept {report.kept:,} · duplicates {report.duplicates:,} · masked {report.masked:,} · "
        f"shortened {report.shortened:,} · {report.seconds:.1f} s"
    )
    for reason, count in sorted(report.dead_letters.items()):
        line(f"refused {count:,} · {reason}")
    if report.dead_letters:
        note("→ freshtune ingest --dead-letters shows them")


def _dead_letters(shop: "freshtune.OpenWorkspace", as_json: bool) -> None:
    letters = list(shop.store.events.dead_letters())

    def text() -> None:
        rows = [[letter.reason, letter.detail, letter.source, letter.record[:80]] for letter in letters]
        table({"reason": "left", "detail": "left", "source": "left", "record": "left"}, rows)

    say([asdict(letter) for letter in letters], as_json, text)
