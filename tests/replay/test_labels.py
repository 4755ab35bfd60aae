"""Recordings often hold the numbers of classes where a task has names for them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune.cli import app

TEXTS = ("good great fine", "bad poor awful")


def recording(path: Path, labels: tuple[str, str]) -> Path:
    """Two kinds of reviews in three categories."""
    rows = [f"c{n % 3},{labels[n % 2]},{TEXTS[n % 2]} n{n}" for n in range(240)]
    path.write_text("\n".join(["cat,label,review", *rows]) + "\n")
    return path


@pytest.mark.parametrize("labels", [("1", "0"), ("positive", "negative")])
def test_numbers_from_0_are_the_tasks_classes_in_their_order(tmp_path: Path, labels: tuple[str, str]) -> None:
    file = recording(tmp_path / "reviews.csv", labels)
    asked = ["--task", "sentiment", "--text", "review", "--label", "label", "--stream-by", "cat", "--base", "2"]
    run = CliRunner().invoke(
        app, ["replay", str(file), *asked, "--strategies", "tfidf-sgd", "--folder", str(tmp_path / "replay"), "--json"]
    )
    assert run.exit_code == 0, run.output
    assert '"tfidf-sgd"' in run.stdout


def test_a_number_beyond_the_classes_is_refused_by_name(tmp_path: Path) -> None:
    file = recording(tmp_path / "reviews.csv", ("7", "9"))
    run = CliRunner().invoke(
        app, ["replay", str(file), "--task", "sentiment", "--text", "review", "--label", "label", "--stream-by", "cat"]
    )
    assert run.exit_code == 2
    assert "none of negative, positive" in run.stderr
