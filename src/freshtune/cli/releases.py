"""``releases``: list, show, diff, promote, rollback, verify, export, prune."""

from dataclasses import asdict
from getpass import getuser
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

import freshtune
from freshtune.cli.terminal import AsJson, Root, command, line, say, table

if TYPE_CHECKING:
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
    from freshtune.serve.replies import release_line

    found = _registry(workspace).list(task, limit)

    def text() -> None:
        rows = [
            [
                "▶" if each.live else "",
                each.id,
                each.outcome,
                f"{each.range.since}–{each.range.upto}",
                each.created.strftime("%Y-%m-%d %H:%M"),
                " ".join(
                    f"{side} {next(iter(scores.values())):.4f}"
                    for side, scores in each.scores.items()
                    if "/" not in side
                ),
                shorten(each.reasons[0], 60, placeholder=" …") if each.reasons else "",
            ]
            for each in found
        ]
        table(dict.fromkeys(("", "release", "outcome", "log", "created (UTC)", "scores", "why"), "left"), rows)

    say([release_line(each) for each in found], as_json, text)


@releases.command()
@command
def show(release: Name, workspace: Root = ".", as_json: AsJson = False) -> None:
    """One release: scores, verdict, files."""
    from freshtune.serve.replies import release_details

    found = _registry(workspace).get(release)

    def text() -> None:
        line(f"{found.id} · parent {found.parent or 'none'} · log {found.range.since}–{found.range.upto}")
        rows = [
            [name, metric, f"{each.value:.4f}", f"{each.low:.4f} – {each.high:.4f}"]
            for name, card in found.scorecards.items()
            for metric, each in card.metrics.items()
        ]
        table({"held out": "left", "metric": "left", "value": "right", "95 % interval": "right"}, rows)
        for finding in found.verdict.findings:
            line(f"{'✓' if finding.passed else '✗'} {finding.rule}: {finding.words}")
        if found.forced_by:
            line(f"forced by {found.forced_by}: {found.forced_why}")
        for name, digest in found.artefacts.items():
            line(f"{digest[:12]}  {name}")

    say(release_details(found), as_json, text)


@releases.command()
@command
def diff(older: Name, newer: Name, workspace: Root = ".", as_json: AsJson = False) -> None:
    """What changed from one release to another: scores, flipped answers, files."""
    from freshtune.ship.diff import diff as difference

    found = difference(_registry(workspace), older, newer)

    def text() -> None:
        line(f"{found.older} → {found.newer} · {found.download:,} bytes to fetch · same trunk: {found.same_trunk}")
        rows = [[s.held_out, s.metric, f"{s.before:.4f}", f"{s.after:.4f}"] for s in found.scores]
        table({"held out": "left", "metric": "left", "before": "right", "after": "right"}, rows)
        for flips in found.flips:
            line(f"{flips.held_out}: of {flips.examples:,} answers {flips.gained} were mended, {flips.lost} were lost")
        for file in found.files:
            line(f"{(file.before or '–')[:12]} → {(file.after or '–')[:12]}  {file.name}  {file.size:,} bytes")

    say(asdict(found), as_json, text)


@releases.command()
@command
def promote(
    release: Name, by: By = "", why: Why = "", force: Force = False, workspace: Root = ".", as_json: AsJson = False
) -> None:
    """Make a release the one that answers."""
    from freshtune.serve.replies import release_details

    registry = _registry(workspace)
    summary = registry.summary(release)
    live = registry.live_id(summary.task)
    now = registry.promote(summary.id, live, by or getuser(), why, force)
    say(release_details(now), as_json, lambda: line(f"{now.id} is live for {now.task}; before it: {live or 'none'}"))


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
    from freshtune.serve.replies import release_details

    registry = _registry(workspace)
    live = registry.live_id(task)
    now = registry.rollback(task, live or "", by or getuser(), why, force)
    say(release_details(now), as_json, lambda: line(f"{now.id} is live again for {task}; {live} is rolled back"))


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
    folder: Annotated[Path, typer.Argument(help="Where to; must be new, or hold an earlier export.")],
    hub_layout: Annotated[bool, typer.Option(help="Hugging Face's file names and a model card.")] = False,
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


def _registry(workspace: str) -> "Registry":
    return freshtune.open(workspace).store.registry
