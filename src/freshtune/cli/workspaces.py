"""``init``, ``doctor`` and ``config``."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import freshtune
from freshtune.cli.terminal import NO_RELEASE, THE_ANSWER_IS_NO, AsJson, Flags, Root, command, line, note, say, table
from freshtune.tasks import TASKS
from freshtune.toml_text import toml_lines

config = typer.Typer(help="Show or check the settings.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """List the commands of this file."""
    app.command()(init)
    app.command()(doctor)
    app.add_typer(config, name="config")


@command
def init(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    task: Annotated[list[str], typer.Option("--task", help=f"One of {', '.join(TASKS)}; may repeat.")],
    as_json: AsJson = False,
) -> None:
    """Make a workspace."""
    made = freshtune.create(folder, task)
    document = {"workspace": str(folder), "tasks": list(made.settings.tasks)}
    say(
        document,
        as_json,
        lambda: line(f"{folder} is a workspace for {', '.join(task)}. Next: freshtune ingest -w {folder} …"),
    )


@command
def doctor(workspace: Root = ".", as_json: AsJson = False) -> None:
    """Look whether everything that freshtune needs is here and whole."""
    from freshtune.cycle.extras import EXTRAS, installed

    found: dict[str, dict[str, object]] = {}
    told: list[str] = []
    for extra, packages in EXTRAS.items():
        found |= {name: {"extra": extra, "version": installed(name)} for name in packages}
    checks: dict[str, object] = {
        "python": sys.version.split()[0],
        "free_gigabytes": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "packages": found,
    }
    if (Path(workspace) / "workspace.json").exists():
        shop = freshtune.open(workspace)
        events = shop.store.events.head()
        live = {task: shop.store.registry.live_id(task) for task in shop.settings.tasks}
        checks["workspace"] = {"events": events, "live": live}
        told = [f"workspace {workspace}: {events:,} events", *(f"{task}: {live[task] or NO_RELEASE}" for task in live)]
    missing = [name for name, facts in found.items() if facts["version"] is None]

    def text() -> None:
        rows = [[name, str(facts["version"] or "missing"), f"[{facts['extra']}]"] for name, facts in found.items()]
        table({"package": "left", "version": "left", "extra": "left"}, rows)
        line(f"python {checks['python']}, {checks['free_gigabytes']} GB free")
        line(" · ".join(told) or f"{workspace} is no workspace; freshtune init makes one")
        if missing:
            line(f"→ pip install 'freshtune[{found[missing[0]]['extra']}]' brings {', '.join(missing)}")

    say({**checks, "missing": missing}, as_json, text)
    if missing:
        raise typer.Exit(THE_ANSWER_IS_NO)


@config.command()
@command
def show(workspace: Root = ".", set_: Flags = None, as_json: AsJson = False) -> None:
    """Every setting with its value, defaults included."""
    from freshtune.settings import as_tree

    tree = as_tree(freshtune.open(workspace, set_ or ()).settings)
    say(tree, as_json, lambda: line("\n".join(toml_lines(tree))))


@config.command()
@command
def validate(workspace: Root = ".", set_: Flags = None, as_json: AsJson = False) -> None:
    """Check freshtune.toml, the environment and flags, also against the backbone; nothing is changed or fetched."""
    from freshtune.cycle.recipe import require_recipe

    settings = freshtune.open(workspace, set_ or ()).settings
    if not require_recipe(settings):
        note(f"{settings.model.backbone} is not on this machine: whether the recipe fits it is seen when it trains.")
    say({"valid": True}, as_json, lambda: line("The settings are valid."))
