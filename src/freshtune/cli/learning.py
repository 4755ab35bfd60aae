"""``train``, ``update``, ``predict`` and ``evaluate``."""

import os
import shlex
import sys
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
from freshtune.errors import UsageError
from freshtune.phases import Phases

if TYPE_CHECKING:
    from freshtune.records import Delta, Release

Task = Annotated[str, typer.Argument(help="A task of the workspace.")]
Include = Annotated[str | None, typer.Option(help="Bring quarantined log ranges back first: SINCE:UPTO.")]


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(train)
    app.command()(update)
    app.command()(predict)
    app.command()(evaluate)


@command
def train(
    task: Task, workspace: Root = ".", include: Include = None, set_: Flags = None, as_json: AsJson = False
) -> None:
    """Make a release from all history: the first one, or a fresh start."""
    shop = freshtune.open(workspace, set_ or ())
    _bring_back(shop, task, include)
    _let_others_go_first(shop.settings.model.nice)
    with progress_bar() as phases:
        release = shop.train(task, phases)
    _told(release, shop, phases, as_json)


@command
def update(
    task: Task,
    workspace: Root = ".",
    dry_run: Annotated[bool, typer.Option(help="Say what it would learn, and learn nothing.")] = False,
    include: Include = None,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Make the next release from what is new; it answers as soon as the gate has promoted it."""
    if dry_run and include is not None:
        raise UsageError("--dry-run writes nothing, --include does.", "", "Leave one of them out.")
    shop = freshtune.open(workspace, set_ or ())
    _bring_back(shop, task, include)
    if dry_run:
        delta = shop.pending(task)
        return say(_delta_document(delta), as_json, lambda: _delta_told(delta))
    _let_others_go_first(shop.settings.model.nice)
    with progress_bar() as phases:
        release = shop.update(task, phases)
    return _told(release, shop, phases, as_json)


@command
def predict(
    file: Annotated[
        Path | None,
        typer.Argument(help="csv, jsonl or parquet with --text, else a text a line; each also .gz; - is stdin."),
    ] = None,
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    text: Annotated[str | None, typer.Option(help="Column of the text.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Ask the live release about every row of a file."""
    from freshtune.cli.inputs import read_inputs

    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    name = shop.release_of(task, release)
    inputs = read_inputs(file, text, pair)
    answers = shop.predict(task, inputs, name)

    def told() -> None:
        for given, answer in zip(inputs, answers, strict=True):
            line(f"{answer['label']}\t{answer['score']:.4f}\t{given.text}")

    say({"task": task, "release": name, "answers": answers}, as_json, told)


@command
def evaluate(
    data: Annotated[Path, typer.Option(help="File of labelled rows: csv, jsonl or parquet, plain or gz.")],
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    text: Annotated[str | None, typer.Option(help="Column of the text.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the true label.")] = None,
    label_map: Annotated[str | None, typer.Option(help="Such as 0=negative,1=positive.")] = None,
    category: Annotated[str | None, typer.Option(help="Column of the slice; each is scored apart too.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Judge a release on labelled data; nothing of it is stored or learned."""
    from freshtune.cli.evaluations import evaluation_document, evaluation_told
    from freshtune.intake.mapping import ColumnMapping, parse_label_map

    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    names = parse_label_map(label_map) if label_map else {}
    mapping = ColumnMapping(task=task, text=text, pair=pair, label=label, label_map=names, category=category)
    name = shop.release_of(task, release)
    found = shop.evaluate(task, data, mapping, name)
    heading = {"task": task, "release": name}
    say(heading | evaluation_document(found), as_json, lambda: evaluation_told(name, found))


def _let_others_go_first(nice: int) -> None:
    """A service beside this process keeps its latency; threads that begin later inherit it."""
    if sys.platform != "win32" and nice:
        os.nice(nice)


def _told(release: "Release", shop: "freshtune.OpenWorkspace", phases: Phases, as_json: bool) -> None:
    from freshtune.cli.verdicts import verdict_lines
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
        for words in verdict_lines(release.verdict):
            line(words)
        line(" · ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.seconds.items()))

    say(document, as_json, text)
    if not release.verdict.promote:
        note(_after_a_refusal(release, shop.store.root))
        raise typer.Exit(THE_ANSWER_IS_NO)


def _after_a_refusal(release: "Release", root: Path) -> str:
    """What became of the data, and what to do."""
    since, upto, where = release.range.since, release.range.upto, shlex.quote(str(root))
    if since == 0:
        return f"→ Nothing is lost: send more labelled events, then freshtune train {release.task} -w {where}"
    return (
        f"→ Log {since}–{upto} is in quarantine. If its labels are good, send more and learn both: "
        f"freshtune update {release.task} -w {where} --include {since}:{upto}"
    )


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


def _bring_back(shop: "freshtune.OpenWorkspace", task: str, include: str | None) -> None:
    if include is not None:
        for part in shop.include(task, *_range(include)):
            note(f"Log {part.range.since}–{part.range.upto} is out of quarantine and will be learned.")


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
