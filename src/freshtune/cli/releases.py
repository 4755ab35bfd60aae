"""``releases``: list, show, diff, promote, rollback, verify, export, prune."""

from dataclasses import asdict
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import freshtune
from freshtune.cli.terminal import AsJson, Root, command, last_cut, line, note, say, table

if TYPE_CHECKING:
    from freshtune.records import Release
    from freshtune.ship.registry import Registry

Name = Annotated[str, typer.Argument(help="Id of a release, or its unambiguous start.")]
By = Annotated[str, typer.Option(help="Who decides; kept in the history.")]
Why = Annotated[str, typer.Option(help="The reason; kept in the history.")]
Force = Annotated[bool, typer.Option("--force", help="Overrule the gate; needs --why.")]

releases = typer.Typer(help="What was released, which one answers, and changing that.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.add_typer(releases, name="releases")


@releases.command("list")
@command
def list_(
    task: Annotated[str | None, typer.Option(help="Of one task.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """The latest releases, refused ones too, newest first."""
    from freshtune.cli.verdicts import short_reason
    from freshtune.serve.replies import release_line

    found = _registry(workspace).list(task, limit)

    def text() -> None:
        rows = [
            [
                "▶" if each.live else "",
                each.id,
                each.outcome.replace("_", " "),
                f"{each.range.since}–{each.range.upto}",
                each.created.strftime("%Y-%m-%d %H:%M"),
                " ".join(
                    f"{side} {next(iter(scores.values())):.4f}"
                    for side, scores in each.scores.items()
                    if "/" not in side
                ),
                short_reason(each),
            ]
            for each in found
        ]
        headings = dict.fromkeys(("", "release", "outcome", "log", "created (UTC)", "scores", "why"), "left")
        table(headings, last_cut(headings, rows))

    say([release_line(each) for each in found], as_json, text)


@releases.command()
@command
def show(release: Name, workspace: Root = ".", as_json: AsJson = False) -> None:
    """One release: where it stands, scores, verdict, history, files."""
    from freshtune.cli.verdicts import history_lines, standing, verdict_lines

    registry = _registry(workspace)
    found = registry.get(release)
    summary, history = registry.summary(found.id), registry.history(found.task, found.id)

    def text() -> None:
        log = f"log {found.range.since}–{found.range.upto}"
        line(f"{found.id} · {standing(summary)} · parent {found.parent or 'none'} · {log}")
        rows = [
            [name, metric, f"{each.value:.4f}", f"{each.low:.4f} – {each.high:.4f}"]
            for name, card in found.scorecards.items()
            for metric, each in card.metrics.items()
        ]
        table({"held out": "left", "metric": "left", "value": "right", "95 % interval": "right"}, rows)
        for words in (*verdict_lines(found.verdict), *history_lines(found.id, history)):
            line(words)
        for name, digest in found.artefacts.items():
            line(f"{digest[:12]}  {name}")

    say(_document(registry, found), as_json, text)


@releases.command()
@command
def diff(older: Name, newer: Name, workspace: Root = ".", as_json: AsJson = False) -> None:
    """What changed from one release to another: scores and answers on the examples both were judged on, files."""
    from freshtune.judge.metrics import METRICS, measure
    from freshtune.judge.outcome_table import OutcomeTable
    from freshtune.ship.diff import diff as difference

    registry = _registry(workspace)
    found = difference(
        registry, older, newer, lambda metric, outcomes: measure(METRICS[metric], OutcomeTable.of(outcomes))
    )

    def text() -> None:
        line(f"{found.older} → {found.newer} · {found.download:,} bytes to fetch · same trunk: {found.same_trunk}")
        rows = [
            [held_out.held_out, f"{held_out.common:,} of {held_out.examples:,}", each.metric, f"{each.before:.4f}",
             f"{each.after:.4f}", f"{each.after - each.before:+.4f}"]
            for held_out in found.held_out
            for each in held_out.scores
        ]  # fmt: skip
        if rows:
            headings = {"held out": "left", "in common": "right", "metric": "left", "before": "right"}
            table(headings | {"after": "right", "change": "right"}, rows)
        for each in found.held_out:
            line(f"{each.held_out}: of {each.common:,} answers {each.gained} were mended, {each.lost} were lost"
                 if each.common else f"{each.held_out}: not comparable, no example is in common")  # fmt: skip
        if not found.held_out:
            line("not comparable: the scorecards of one of them were pruned")
        for file in found.files:
            line(f"{(file.before or '–')[:12]} → {(file.after or '–')[:12]}  {file.name}  {file.size:,} bytes")

    say(asdict(found), as_json, text)


@releases.command()
@command
def promote(
    release: Name, by: By = "", why: Why = "", force: Force = False, workspace: Root = ".", as_json: AsJson = False
) -> None:
    """Make a release the one that answers."""
    registry = _registry(workspace)
    summary = registry.summary(release)
    live = registry.live_id(summary.task)
    now = registry.promote(summary.id, live, by or getuser(), why, force)
    words = f"{now.id} is live for {now.task}; before it: {live or 'none'}"
    say(_document(registry, now), as_json, lambda: line(words))


@releases.command()
@command
def rollback(
    task: Annotated[str, typer.Argument(help="A task.")],
    by: By = "",
    why: Why = "",
    force: Annotated[bool, typer.Option("--force", help="Also across a change of trunk.")] = False,
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """Return to the release that was live before; what the live one learned is quarantined."""
    from freshtune.serve.replies import quarantined_by

    registry = _registry(workspace)
    live = registry.live_id(task)
    now = registry.rollback(task, live or "", by or getuser(), why, force)
    words = f"{now.id} is live again for {task}; {live} is rolled back"
    quarantined = quarantined_by(live or "", registry.consumed(task))
    say(_document(registry, now) | {"quarantined": quarantined}, as_json, lambda: line(words))
    for since, upto in quarantined:
        note(f"Log {since}–{upto} is in quarantine; freshtune update {task} --include {since}:{upto} brings it back.")


@releases.command()
@command
def verify(
    release: Annotated[str | None, typer.Argument(help="One release; all when left out.")] = None,
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """Hash every file again."""
    from freshtune.ship.verify import verify as rehash

    report = rehash(_registry(workspace), release)

    def text() -> None:
        for damage in report.damaged:
            line(f"✗ {damage.release} {damage.name}: {damage.problem}")
        line(f"{report.releases} releases, {report.artefacts} files, {report.size:,} bytes: "
             + ("all whole" if report.whole else f"{len(report.damaged)} damaged"))  # fmt: skip

    say(asdict(report) | {"whole": report.whole}, as_json, text)
    if not report.whole:
        raise typer.Exit(5)


@releases.command()
@command
def export(
    release: Name,
    folder: Annotated[
        Path, typer.Argument(help="Where to: a folder named after the release is made, or made whole, inside.")
    ],
    hub_layout: Annotated[
        bool,
        typer.Option(
            help="Hugging Face's file names and a model card, in FOLDER itself: new, empty, or an earlier such export."
        ),
    ] = False,
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """Write a release as a folder that others can open."""
    from freshtune.ship.checkout import checkout
    from freshtune.ship.hub_layout import export_hub

    registry = _registry(workspace)
    written = export_hub(release, registry, folder) if hub_layout else checkout(registry, release, folder)
    say({"folder": str(written)}, as_json, lambda: line(str(written)))


@releases.command()
@command
def prune(
    keep: Annotated[int, typer.Option(min=0, help="Latest releases of each task that keep their files.")] = 5,
    dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False,
    workspace: Root = ".",
    as_json: AsJson = False,
) -> None:
    """Remove files of old releases; what is live, or needed for a rollback, stays."""
    from freshtune.ship.prune import prune as remove

    report = remove(_registry(workspace), keep, dry_run)
    words = "would go" if dry_run else "are gone"
    say(
        asdict(report),
        as_json,
        lambda: line(f"{len(report.releases)} releases, {len(report.artefacts)} files, {report.size:,} bytes {words}"),
    )


def _document(registry: "Registry", release: "Release") -> dict[str, object]:
    from freshtune.serve.replies import release_details, release_standing

    history = registry.history(release.task, release.id)
    return {**release_details(release), **release_standing(registry.summary(release.id), history)}


def _registry(workspace: str) -> "Registry":
    return freshtune.open(workspace).store.registry
