"""How commands speak: cells as they are, no empty line before an error, and an honest word after Ctrl-C."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from freshtune.cli import terminal
from freshtune.workspace import create_workspace

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


@pytest.mark.parametrize("command", ["train sentiment", "update sentiment", "ingest nowhere.csv --text a"])
def test_an_error_begins_with_its_mark(command: str, tmp_path: Path) -> None:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])
    started = [sys.executable, "-m", "freshtune", *command.split(), "-w", str(tmp_path / "shop")]
    done = subprocess.run(started, capture_output=True, text=True)
    assert done.stderr.startswith("✗ "), done.stderr
    assert done.stderr.split("\n")[-2].startswith("→ ")


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
