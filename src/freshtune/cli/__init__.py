"""The command line: one sub-command a stage, thin over ``freshtune.open``.

A command imports what it needs when it runs, so that ``--help`` answers at once and no command waits for another's.
"""

import sys

import typer

from freshtune import __version__
from freshtune.cli import demonstration, intake, learning, releases, replaying, serving, tuning, workspaces

app = typer.Typer(
    help="Keeps a shop's language models fresh: events in, a better model out, judged, swapped into a running service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for family in (demonstration, workspaces, intake, learning, releases, serving, replaying, tuning):
    family.add_to(app)


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"freshtune {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True)) -> None:
    """Options before the sub-command."""


def main() -> None:
    """Entry point of the ``freshtune`` command."""
    app()
