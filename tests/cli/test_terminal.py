"""How commands speak: cells as they are, no empty line before an error, and an honest word after Ctrl-C."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from freshtune import front_door
from freshtune.cli import app, terminal
from freshtune.errors import UsageError
from freshtune.workspace import create_workspace


def every_command() -> dict[tuple[str, ...], Any]:
    """Each command by the words that name it; groups of commands are none."""
    found: dict[tuple[str, ...], Any] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while waiting:
        path, each = waiting.pop()
        parts = getattr(each, "commands", None)
        waiting += [((*path, name), part) for name, part in (parts or {}).items()]
        if parts is None:
            found[path] = each
    return found


CELL = st.text(st.sampled_from("[]/ab :好=\\"), min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(CELL, min_size=1, max_size=4))
def test_a_table_shows_its_cells_as_they_are(cells: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr(terminal, "line", shown.append)
        terminal.table({"[name]": "left", "last": "left"}, [[cell, "|"] for cell in cells])
    headings, *rows = shown[0].split("\n")
    assert headings.split() == ["[name]", "last"]
    assert [row.removesuffix("|").rstrip() for row in rows] == cells


@pytest.mark.parametrize(
    ("columns", "shown"), [(50, "rolled back by 王 芳: c…"), (10, "rolled back by 王  …"), (200, None), (None, None)]
)
def test_a_last_cell_is_cut_on_a_terminal_alone_and_to_its_width(
    columns: int | None, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), force_terminal=columns is not None, width=columns, color_system=None)
    monkeypatch.setattr(terminal, "_data", console)
    why = "rolled back by 王 芳: " + "complaints " * 5
    [row] = terminal.last_cut({"id": "left", "created (UTC)": "left", "why": "left"}, [["sentiment", "x" * 13, why]])
    whole = " ".join(why.split())
    assert row[2] == (shown or whole)
    assert cell_len("  ".join(row)) <= (columns or 200) or columns == 10


@pytest.mark.parametrize("command", ["train sentiment", "update sentiment", "ingest nowhere.csv --text a"])
def test_an_error_begins_with_its_mark(command: str, tmp_path: Path) -> None:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])
    started = [sys.executable, "-m", "freshtune", *command.split(), "-w", str(tmp_path / "shop")]
    done = subprocess.run(started, capture_output=True, text=True)
    assert done.stderr.startswith("✗ "), done.stderr
    assert done.stderr.split("\n")[-2].startswith("→ ")


COMMANDS = [path for path in every_command() if path]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_suggested_command_is_for_the_workspace_of_this_one(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    takes_one = "workspace" in {option.name for option in every_command()[path].params}

    @terminal.command
    def failing(workspace: str) -> None:
        words = " ".join(path)
        terminal.note(f"`freshtune {words}` shows it; freshtune {words} relevance --json too, or freshtune {words}.")
        raise UsageError("What.", "", f"freshtune {words} sentiment -w other")

    for root, named in (("a shop", " -w 'a shop'"), (".", "")):
        with pytest.raises(typer.Exit):
            failing(workspace=root)
        words, here = " ".join(path), named if takes_one else ""
        said = f"`freshtune {words}{here}` shows it; freshtune {words} relevance{here} --json too, or freshtune {words}"
        assert capsys.readouterr().err.split("\n")[:3] == [
            f"{said}{here}.", "✗ What.", f"→ freshtune {words} sentiment -w other"
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["train", "update", "ingest", "serve"])
def test_the_setting_that_help_names_is_one_that_there_is(name: str, tmp_path: Path) -> None:
    [words] = [option.help for option in every_command()[name,].params if option.name == "set_"]
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])
    named = words.split("such as ")[1].split(";")[0]
    assert front_door.open(tmp_path / "shop", [named]).settings.judge.gate.max_old_loss == 0.02


def test_there_are_commands_of_both_kinds() -> None:
    assert {("train",), ("keys", "create"), ("releases", "rollback"), ("init",), ("demo",)} <= set(COMMANDS)


def test_ctrl_c_promises_no_more_than_is_so(capsys: pytest.CaptureFixture[str]) -> None:
    @terminal.command
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as left:
        interrupted()
    assert left.value.exit_code == 130
    words = capsys.readouterr().err
    assert words == f"{terminal.INTERRUPTED}\n"
    assert "goes on from here" not in words
    assert "checkpoint" in words
    assert "begins anew" in words
