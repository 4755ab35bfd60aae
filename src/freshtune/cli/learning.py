"""``train``, ``update``, ``refresh``, ``predict`` and ``evaluate``."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import freshtune
from freshtune.cli.deltas import bring_back, delta_document, delta_told
from freshtune.cli.progress import progress
from freshtune.cli.students import (
    Adapt,
    Backbone,
    StudentLayers,
    Teacher,
    figures_of,
    figures_told,
    student_kept_back,
    training_flags,
)
from freshtune.cli.terminal import (
    THE_ANSWER_IS_NO,
    AsJson,
    Flags,
    Root,
    command,
    line,
    note,
    say,
    table,
)
from freshtune.errors import FreshtuneError, UsageError
from freshtune.phases import Phases

if TYPE_CHECKING:
    from freshtune.records import Json, Release

Task = Annotated[str, typer.Argument(help="A task of the workspace.")]
_BREAKS = re.compile(r"[\t\r\n]+")
"""What would break a row of tab-separated values."""

Include = Annotated[str | None, typer.Option(help="Bring quarantined log ranges back first: SINCE:UPTO.")]


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(train)
    app.command()(update)
    app.command()(refresh)
    app.command()(predict)
    app.command()(evaluate)


@command
def train(
    task: Task,
    workspace: Root = ".",
    backbone: Backbone = None,
    teacher: Teacher = None,
    student_layers: StudentLayers = None,
    adapt: Adapt = False,
    include: Include = None,
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Make a release from all history: the first one, a fresh start, or a light student of a release."""
    flags = training_flags(backbone, teacher, student_layers, adapt)
    shop = freshtune.open(workspace, [*flags, *(set_ or ())])
    bring_back(shop, task, include)
    let_others_go_first(shop.settings.model.nice)
    with progress() as phases:
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
    """Make the next release from what is new; it answers as soon as the gate has promoted it.

    Where so much has been learned that the trunk is due, a refresh follows, once the update answers.
    """
    shop = freshtune.open(workspace, set_ or ())
    back = bring_back(shop, task, include, dry_run)
    if dry_run:
        delta = shop.pending(task, back)
        waits = shop.reason_to_wait(delta)
        return say(delta_document(delta) | {"waits": waits}, as_json, lambda: delta_told(delta, waits))
    let_others_go_first(shop.settings.model.nice)
    with progress() as phases:
        release = shop.update(task, phases)
    due = shop.reason_to_refresh(task) if release.verdict.promote else None
    if due is None:
        return _told(release, shop, phases, as_json)
    if not as_json:
        _told(release, shop, phases, as_json)
    note(f"{due} It is refreshed now; {release.id} answers meanwhile. Never to do so: learn.trunk.refresh = 0")
    return _refreshed(release, shop, phases, as_json)


def _refreshed(release: "Release", shop: "freshtune.OpenWorkspace", phases: Phases, as_json: bool) -> None:
    """Refresh after an update that is live; whatever becomes of it, the update is told, and has gone well."""
    document = _document(release, phases)
    try:
        with progress() as further:
            refreshed = shop.refresh(release.task, further)
    except FreshtuneError as error:
        note(f"The update stands; the refresh did not come to its end. {error.what} {error.why}")
        return say(document | {"refresh": {"error": error.what}}, as_json, lambda: None)
    except KeyboardInterrupt:
        say(document, as_json, lambda: None)
        raise
    document["refresh"] = _document(refreshed, further)
    say(document, as_json, lambda: _text(refreshed, shop, further))
    if not refreshed.verdict.promote:
        note(next_step(refreshed))
    return None


@command
def refresh(task: Task, workspace: Root = ".", set_: Flags = None, as_json: AsJson = False) -> None:
    """Make the trunk again from what is remembered: all layers learn what tops alone have learned since.

    Minutes, not seconds. An update does so by itself when it is due; the new trunk answers if the gate promotes it.
    """
    shop = freshtune.open(workspace, set_ or ())
    let_others_go_first(shop.settings.model.nice)
    with progress() as phases:
        release = shop.refresh(task, phases)
    _told(release, shop, phases, as_json)


@command
def predict(
    file: Annotated[
        Path | None,
        typer.Argument(help="csv, jsonl or parquet with --text, else a text a line; each also .gz; - is stdin."),
    ] = None,
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    text: Annotated[str | None, typer.Option(help="Column of the text, or several with commas between.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Ask the live release about every row of a file; exits with 4 where it has none."""
    from freshtune.cli.inputs import read_inputs

    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    name = shop.release_of(task, release)
    inputs = read_inputs(file, text, pair)
    answers = shop.predict(task, inputs, name)

    def told() -> None:
        for given, answer in zip(inputs, answers, strict=True):
            line(f"{answer['label']}\t{answer['score']:.4f}\t{_BREAKS.sub(' ', given.text)}")

    say({"task": task, "release": name, "answers": answers}, as_json, told)


@command
def evaluate(
    data: Annotated[Path, typer.Option(help="File of labelled rows: csv, jsonl or parquet, plain or gz.")],
    task: Annotated[str, typer.Option(help="A task of the workspace.")] = "",
    text: Annotated[str | None, typer.Option(help="Column of the text, or several with commas between.")] = None,
    pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the true label, or several with commas between.")] = None,
    label_map: Annotated[str | None, typer.Option(help="Such as 0=negative,1=positive.")] = None,
    category: Annotated[str | None, typer.Option(help="Column of the slice; each is scored apart too.")] = None,
    release: Annotated[str | None, typer.Option(help="A release other than the live one.")] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="TF-IDF beside it, fitted on what the release could learn.")
    ] = False,
    workspace: Root = ".",
    set_: Flags = None,
    as_json: AsJson = False,
) -> None:
    """Judge a release on labelled data; nothing of it is stored or learned."""
    from freshtune.cli.evaluations import evaluation_document, evaluation_told, silent_queries_told
    from freshtune.intake.mapping import ColumnMapping, parse_label_map

    shop = freshtune.open(workspace, set_ or ())
    task = task or _only_task(shop)
    names = parse_label_map(label_map) if label_map else {}
    mapping = ColumnMapping(task=task, text=text, pair=pair, label=label, label_map=names, category=category)
    name = shop.release_of(task, release)
    found = shop.evaluate(task, data, mapping, name, baseline)
    heading = {"task": task, "release": name}
    say(heading | evaluation_document(found), as_json, lambda: evaluation_told(name, found))
    silent_queries_told(found.scorecard.outcomes)


def let_others_go_first(nice: int) -> None:
    """A service beside this process keeps its latency; threads that begin later inherit it."""
    if sys.platform != "win32" and nice:
        os.nice(nice)


def _told(release: "Release", shop: "freshtune.OpenWorkspace", phases: Phases, as_json: bool) -> None:
    from freshtune.cli.evaluations import silent_queries_told

    say(_document(release, phases), as_json, lambda: _text(release, shop, phases))
    silent_queries_told([outcome for name in ("new", "old") for outcome in release.scorecards[name].outcomes])
    if not release.verdict.promote:
        note(student_kept_back(release) if figures_of(release) else next_step(release))
        raise typer.Exit(THE_ANSWER_IS_NO)


def _document(release: "Release", phases: Phases) -> dict[str, "Json"]:
    from freshtune.serve.replies import release_details

    document = release_details(release) | {"seconds": {name: round(s, 3) for name, s in phases.seconds.items()}}
    figures = figures_of(release)
    return document | ({"beside_teacher": {side: dict(of) for side, of in figures.items()}} if figures else {})


def _text(release: "Release", shop: "freshtune.OpenWorkspace", phases: Phases) -> None:
    from freshtune.cli.verdicts import verdict_lines

    metric = shop.settings.task(release.task).metrics[0]
    not_live = "undecided" if release.verdict.undecided else "refused"
    line(f"{release.id} · {'promoted, live now' if release.verdict.promote else not_live}")
    rows = [
        [name, str(card.examples), metric, f"{card.metrics[metric].value:.4f}"]
        for name, card in release.scorecards.items()
        if metric in card.metrics
    ]
    table({"held out": "left", "examples": "right", "metric": "left", "value": "right"}, rows)
    if figures := figures_of(release):
        figures_told(figures)
    for words in verdict_lines(release.verdict):
        line(words)
    line(" · ".join(f"{name} {seconds:.1f} s" for name, seconds in phases.seconds.items()))


def next_step(release: "Release") -> str:
    """What became of the data of a release that was not promoted, and what to do."""
    since, upto, task = release.range.since, release.range.upto, release.task
    if since == upto:
        return f"→ Nothing is lost: the trunk that was live stays, and freshtune update {task} goes on above it"
    if since == 0:
        return f"→ Nothing is lost: send more labelled events, then freshtune train {task}"
    if release.verdict.undecided:
        return (
            f"→ Log {since}–{upto} waits, none of it is lost: send more labelled events, then freshtune update {task}"
        )
    return (
        f"→ Log {since}–{upto} is in quarantine. If its labels are good, send more and learn both: "
        f"freshtune update {task} --include {since}:{upto}"
    )


def _only_task(shop: "freshtune.OpenWorkspace") -> str:
    tasks = list(shop.settings.tasks)
    if len(tasks) > 1:
        raise UsageError("Which task?", f"This workspace has {', '.join(tasks)}.", "Name one with --task.")
    return tasks[0]
