"""``train``, ``update``, ``predict`` and ``evaluate``."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import freshtune
from freshtune.cli.terminal import (
    THE_ANSWER_IS_NO,
    AsJson,
    Flags,
    Root,
    command,
    line,
    note,
    progress_bar,
    say,
    table,
)
from freshtune.errors import NotFound, UsageError
from freshtune.phases import Phases

if TYPE_CHECKING:
    from freshtune.intake.sources import Record
    from freshtune.model.predictor import Input
    from freshtune.records import Delta, Release

Task = Annotated[str, typer.Argument(help="A task of the workspace.")]
Data = Annotated[Path, typer.Option(help="csv, jsonl or parquet, plain or gz.")]


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(train)
    app.command()(update)
    app.command()(predict)
    app.command()(evaluate)


@command
def train(task: Task, workspace: Root = ".", set_: Flags = None, as_json: AsJson = False) -> None:
    """Make a release from all history: the first one, or a fresh start."""
    shop = freshtune.open(workspace, set_ or ())
    _let_others_go_first(shop.settings.model.nice)
    with progress_bar() as phases:
        release = shop.train(task, phases)
    _told(release, shop, phases, as_json)


@command
def update(
    task: Task,
    workspace: Root = ".",
    dry_run: Annotated[bool, typer.Option(help="Say what it would learn, and learn nothing.")] = False,
    include: Annotated[str | None, typer.Option(help="Bring a quarantined log range back: SINCE:UPTO.")] = None,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Make the next release from what is new; it answers as soon as the gate has promoted it."""
    shop = freshtune.open(workspace, set_ or ())
    if include is not None:
        back = shop.include(task, *_range(include))
        note(f"{len(back)} quarantined range(s) will be learned again.")
    if dry_run:
        delta = shop.pending(task)
        return say(_delta_document(delta), as_json, lambda: _delta_told(delta))
    _let_others_go_first(shop.settings.model.nice)
    with progress_bar() as phases:
        release = shop.update(task, phases)
    return _told(release, shop, phases, as_json)


@command
def predict(
    file: Annotated[Path | None, typer.Argument(help="csv, jsonl, parquet, or a text a line; - is stdin.")] = None,
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    text: Annotated[str | None, typer.Option(help="Column of the text.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Ask the live release about every row of a file."""
    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    name = shop.release_of(task, release)
    inputs = list(_inputs(file, text, pair))
    answers = shop.predict(task, inputs, name)

    def told() -> None:
        for given, answer in zip(inputs, answers, strict=True):
            line(f"{answer['label']}\t{answer['score']:.4f}\t{given.text}")

    say({"task": task, "release": name, "answers": answers}, as_json, told)


@command
def evaluate(
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    data: Data = Path("-"),
    text: Annotated[str | None, typer.Option(help="Column of the text.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the true label.")] = None,
    label_map: Annotated[str | None, typer.Option(help="Such as 0=negative,1=positive.")] = None,
    category: Annotated[str | None, typer.Option(help="Column of the slice.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Judge a release on labelled data; nothing of it is stored or learned."""
    from freshtune.intake.mapping import ColumnMapping, parse_label_map

    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    names = parse_label_map(label_map) if label_map else {}
    mapping = ColumnMapping(task=task, text=text, pair=pair, label=label, label_map=names, category=category)
    name = shop.release_of(task, release)
    card = shop.evaluate(task, _records(data, mapping.columns), mapping, name)
    scores = {metric: estimate.value for metric, estimate in card.metrics.items()}
    intervals = {metric: [estimate.low, estimate.high] for metric, estimate in card.metrics.items()}
    document = {
        "task": task, "release": name, "examples": card.examples, "scores": scores, "intervals": intervals,
        "slices": {category: dict(values) for category, values in card.slices.items()},
    }  # fmt: skip

    def told() -> None:
        line(f"{name} on {card.examples:,} examples")
        rows = [[m, f"{e.value:.4f}", f"{e.low:.4f} – {e.high:.4f}"] for m, e in card.metrics.items()]
        table({"metric": "left", "value": "right", "95 % interval": "right"}, rows)

    say(document, as_json, told)


def _let_others_go_first(nice: int) -> None:
    """A service beside this process keeps its latency; threads that begin later inherit it."""
    if sys.platform != "win32" and nice:
        os.nice(nice)


def _told(release: "Release", shop: "freshtune.OpenWorkspace", phases: Phases, as_json: bool) -> None:
    from freshtune.serve.replies import release_details

    metric = shop.settings.task(release.task).metrics[0]
    document = release_details(release) | {"seconds": {name: round(s, 3) for name, s in phases.seconds.items()}}

    def text() -> None:
        line(f"{release.id} · {'promoted, live now' if release.verdict.promote else 'refused'}")
        rows = [
            [name, str(card.examples), metric, f"{card.metrics[metric].value:.4f}"]
            for name, card in release.scorecards.items()
            if metric in card.metrics
        ]
        table({"held out": "left", "examples": "right", "metric": "left", "value": "right"}, rows)
        for finding in release.verdict.findings:
            line(f"{'✓' if finding.passed else '✗'} {finding.rule}: {finding.words}")
        line(" · ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.seconds.items()))

    say(document, as_json, text)
    if not release.verdict.promote:
        raise typer.Exit(THE_ANSWER_IS_NO)


def _delta_document(delta: "Delta") -> dict[str, object]:
    return {
        "task": delta.task,
        "range": [delta.range.since, delta.range.upto],
        "labelled": len(delta.labelled),
        "unlabelled": len(delta.unlabelled),
        "held_out": len(delta.held_out),
        "counts": asdict(delta.counts),
    }


def _delta_told(delta: "Delta") -> None:
    line(
        f"log {delta.range.since}–{delta.range.upto}: {len(delta.labelled):,} to learn, "
        f"{len(delta.held_out):,} held out, {len(delta.unlabelled):,} without a label"
    )
    for name, count in asdict(delta.counts).items():
        line(f"{name.replace('_', ' ')}: {count if isinstance(count, int) else len(count)}")


def _range(written: str) -> tuple[int, int]:
    since, colon, upto = written.partition(":")
    if not colon or not since.isdigit() or not upto.isdigit():
        raise UsageError(f"{written!r} is no log range.", "", "Write it as SINCE:UPTO, such as 1500:2000.")
    return int(since), int(upto)


def _only_task(shop: "freshtune.OpenWorkspace") -> str:
    tasks = list(shop.settings.tasks)
    if len(tasks) > 1:
        raise UsageError("Which task?", f"This workspace has {', '.join(tasks)}.", "Name one with --task.")
    return tasks[0]


def _records(path: Path, columns: Sequence[tuple[str, str]]) -> "Iterator[Record]":
    """The records of a file that has these columns; pairs of what each is for and its name."""
    from freshtune.intake.mapping import ColumnMapping
    from freshtune.intake.sources import open_source

    source = open_source(path)
    ColumnMapping(fields=tuple(column for _, column in columns)).check({}, source.columns())
    for raw in source.records():
        if isinstance(raw.content, dict):
            yield raw.content


def _inputs(file: Path | None, text: str | None, pair: str | None) -> "Iterator[Input]":
    from freshtune.model.predictor import Input

    if text is None:
        yield from (Input(row) for row in _lines(file) if row.strip())
        return
    if file is None:
        raise UsageError("Which file?", "--text names a column of a file.", "freshtune predict FILE --text COLUMN")
    named = (("text", text), ("pair", pair))
    for record in _records(file, [(what, column) for what, column in named if column is not None]):
        second = record.get(pair) if pair else None
        yield Input(str(record.get(text) or ""), None if second is None else str(second))


def _lines(file: Path | None) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise NotFound(f"{file} cannot be read.", error.strerror or str(error), "Check the path.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{file or 'stdin'} is no text.", str(error), "Write it as UTF-8.") from None
