"""A recipe file is freshtune's loop with other settings; a wrong one is refused by name before anything runs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune.cli import app
from freshtune.errors import ConfigurationError, NotFound
from freshtune.replay.recipes import check_flags, read_recipe
from freshtune.settings import read_settings, settings_of
from tests.replay.test_labels import recording

RECIPE = """
[model]
taps = [0.5, 1.0]
[learn]
average = [0.5, 1.0]
losses = [{name = "supervised"}, {name = "distillation", remembered = 1.0, new = 0.5}]
memory = {name = "reservoir"}
[learn.fit]
epochs = 3
schedule = {name = "cosine"}
[judge.gate]
max_old_loss = 0.02
"""


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_its_settings_are_those_of_a_workspace_that_holds_them(tmp_path: Path) -> None:
    flags = read_recipe(written(tmp_path, RECIPE), "sentiment")
    (tmp_path / "freshtune.toml").write_text("[tasks.sentiment]\n")
    assert read_settings(tmp_path, flags, {}) == settings_of({"tasks": {"sentiment": {}}, **tomllib.loads(RECIPE)})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[learn.fit]\nepoch = 3", "Did you mean 'epochs'"),
        ("[lern]\naverage = [1.0]", "Did you mean 'learn'"),
        ("[learn]\nmemory = {name = 'resevoir'}", "Did you mean 'reservoir'"),
        ("[learn.fit]\nepochs = 'many'", "mine.toml: The setting learn.fit.epochs"),
        ("[model]\nbackbone = 'bundled:minilm'", "the same for all strategies"),
        ("[tasks.rating]", "has no table"),
        ("learn = ", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.toml") as caught:
        read_recipe(written(tmp_path, text), "sentiment")
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_missed_by_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path, RECIPE)
    with pytest.raises(NotFound, match=r"Did you mean 'mine\.toml'"):
        read_recipe(tmp_path / "mime.toml", "sentiment")


def test_flags_are_checked_like_a_recipe() -> None:
    check_flags(["learn.fit.epochs=3"], "sentiment")
    with pytest.raises(ConfigurationError, match="epochs"):
        check_flags(["learn.fit.epoch=3"], "sentiment")


def test_a_typo_fails_before_torch_is_imported(tmp_path: Path) -> None:
    recipe = written(tmp_path, "[learn.fit]\nepoch = 3")
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from freshtune.cli import app\n"
        "run = CliRunner().invoke(app, sys.argv[1:])\n"
        "assert run.exit_code == 5, run.output\n"
        "assert \"Did you mean 'epochs'\" in run.output, run.output\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
    )
    asked = ["--task", "sentiment", "--text", "t", "--label", "l", "--stream-by", "c", "--strategies"]
    command = [sys.executable, "-c", program, "replay", str(tmp_path / "none.csv"), *asked, f"frozen,{recipe}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("strategies", "code", "words"),
    [
        ("tfidf-sgd,tfidf-sgd", 2, "played twice"),
        ("frozn", 2, "Did you mean 'frozen'"),
        ("frozen.toml", 2, "played twice"),
        ("none.toml", 4, "no recipe"),
    ],
)
def test_names_that_cannot_be_played(strategies: str, code: int, words: str, tmp_path: Path) -> None:
    file = recording(tmp_path / "reviews.csv", ("1", "0"))
    asked = ["--task", "sentiment", "--text", "review", "--label", "label", "--stream-by", "cat"]
    run = CliRunner().invoke(app, ["replay", str(file), *asked, "--strategies", strategies])
    assert run.exit_code == code
    assert words in run.stderr


def test_labels_that_would_never_come_are_refused(tmp_path: Path) -> None:
    file = recording(tmp_path / "reviews.csv", ("1", "0"))
    asked = ["--task", "sentiment", "--text", "review", "--label", "label", "--stream-by", "cat", "--base", "1"]
    run = CliRunner().invoke(app, ["replay", str(file), *asked, "--label-delay", "2"])
    assert run.exit_code == 2
    assert "Take 1 at most" in run.stderr
