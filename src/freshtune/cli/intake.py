"""``ingest``: files into the log, and what was refused on the way."""

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import freshtune
from freshtune.cli.terminal import AsJson, Flags, Root, command, line, note, say, table
from freshtune.errors import FreshtuneError, NotFound, UsageError
from freshtune.intake.reasons import REASONS

if TYPE_CHECKING:
    from freshtune.intake.ingest import IngestReport
    from freshtune.intake.mapping import ColumnMapping
    from freshtune.records import DeadLetter

_LATEST = 20
_EVERY = 2**31 - 1


def _column(words: str, name: str = "") -> Any:
    """An option that names a column; ``words`` say what the column is for."""
    names = (f"--{name}",) if name else ()
    return typer.Option(*names, help=words, metavar="COLUMN", rich_help_panel="Columns of the file")


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(ingest)


@command
def ingest(
    files: Annotated[list[Path] | None, typer.Argument(help="csv, jsonl or parquet, plain or gz.")] = None,
    workspace: Root = ".",
    task: Annotated[str | None, typer.Option(help="The task that the labels are for.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of all events; else the task's own.")] = None,
    text: Annotated[
        str | None,
        _column("What the model reads: the review, the query, the product's title; several with commas between."),
    ] = None,
    pair: Annotated[str | None, _column("A second text that is read beside it, such as the title for a query.")] = None,
    label: Annotated[
        str | None, _column("The true answer for --task, several with commas between; an empty cell is no label.")
    ] = None,
    label_map: Annotated[
        str | None,
        typer.Option(
            help="From what the label column says to the task's own labels: 0=negative,1=positive.",
            rich_help_panel="Columns of the file",
        ),
    ] = None,
    time: Annotated[
        str | None, _column("When it happened: ISO 8601, 2013/4/5 or seconds since 1970; UTC unless it says.")
    ] = None,
    id_: Annotated[
        str | None,
        _column("The event's own id, so that what is sent twice counts once; else made of all columns.", "id"),
    ] = None,
    user: Annotated[str | None, _column("Id of who wrote or did it.")] = None,
    item: Annotated[str | None, _column("Id of the product it is about.")] = None,
    session: Annotated[str | None, _column("Id of the visit it belongs to.")] = None,
    category: Annotated[str | None, _column("The slice, such as books; each is scored apart too.")] = None,
    example: Annotated[str | None, _column("For --kind label: id of the event that the label is for.")] = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Show refused records instead: by reason, then the latest.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Of --dead-letters: how many of the latest; {_LATEST}, with --json all.")
    ] = None,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Store the events of files. A refused record goes to the dead letters with its reason; the rest is kept.

    Exits with 1 where every record was refused, with 4 where there was none.

    Columns are named by flags, or in the table intake.columns of freshtune.toml. Where neither names any, records are
    events already: id, kind, time, task, user, item, session, text, fields.
    """
    from freshtune.intake.mapping import parse_label_map

    shop = freshtune.open(workspace, set_ or ())
    if dead_letters:
        return _dead_letters(shop, limit, as_json)
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
    if not total.read:
        raise _no_record(files)
    if total.dead_letters and not total.kept and not total.duplicates:
        raise _all_refused(total, mapping)
    return None


def _one(shop: "freshtune.OpenWorkspace", path: Path, mapping: "ColumnMapping") -> "IngestReport":
    with Console(stderr=True).status(f"reading {path}") as status:
        return shop.ingest(path, mapping, lambda so_far: status.update(f"{path.name}: {so_far.read:,} read"))


def _no_record(files: list[Path]) -> NotFound:
    named = files[0].name if len(files) == 1 else f"Each of {len(files)} files"
    return NotFound(
        "There was nothing to store.",
        f"{named} holds no record: it is empty, or a header alone.",
        "Look whether it was written to its end, then ingest it again.",
    )


def _all_refused(report: "IngestReport", mapping: "ColumnMapping") -> FreshtuneError:
    most = max(report.dead_letters, key=lambda reason: report.dead_letters[reason])
    mend = "freshtune ingest --dead-letters shows them and why."
    if not mapping.columns:
        mend = f"Name the columns of the file, such as --text COLUMN --label COLUMN. {mend}"
    elif most == "bad_label" and not mapping.label_map:
        mend = f"Map the labels, such as --label-map 0=negative,1=positive. {mend}"
    return FreshtuneError(
        "Nothing was stored.", f"All {report.read:,} records were refused, most of them: {REASONS[most]}.", mend
    )


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
        line(f"refused {count:,} · {reason}: {REASONS[reason]}")
    if report.dead_letters and (report.kept or report.duplicates):
        note("→ freshtune ingest --dead-letters shows them")


def _dead_letters(shop: "freshtune.OpenWorkspace", limit: int | None, as_json: bool) -> None:
    """By reason how many and the latest one; then the latest of all, newest first."""
    if as_json:
        letters = shop.store.events.dead_letters(limit or _EVERY)
        return say([asdict(letter) for letter in letters], True, lambda: None)
    counts: Counter[str] = Counter()
    latest: dict[str, DeadLetter] = {}
    shown: list[DeadLetter] = []
    for letter in shop.store.events.dead_letters(_EVERY):
        counts[letter.reason] += 1
        latest.setdefault(letter.reason, letter)
        if len(shown) < (limit or _LATEST):
            shown.append(letter)
    if not shown:
        return line("No record was refused.")
    rows = [[f"{count:,}", reason, REASONS[reason], latest[reason].detail] for reason, count in counts.most_common()]
    table({"refused": "right", "reason": "left", "what it means": "left", "the latest": "left"}, rows)
    line(f"\nthe latest {len(shown):,} of {counts.total():,}")
    rows = [[letter.reason, letter.detail, letter.source, letter.record[:80]] for letter in shown]
    return table({"reason": "left", "detail": "left", "source": "left", "record": "left"}, rows)
