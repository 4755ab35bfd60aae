"""``tuned.toml``: what a tuning writes is one task's recipe, and nothing of the user's own file is touched."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune.cli import app
from freshtune.errors import ConfigurationError
from freshtune.learn.memory.herding import Herding
from freshtune.learn.memory.reservoir import Reservoir
from freshtune.settings import Settings, as_tree, read_settings, recipe_digest, settings_of
from freshtune.settings_files import TUNED, write_recipe
from freshtune.workspace import create_workspace

OWN = """\
# ours · 我们的
[tasks.sentiment]
[tasks.rating]
[learn.fit]
epochs = 7  # seven
seed = 3
"""
RECIPE = {"average": [0.6], "fit": {"learning_rate": 0.002}, "memory": {"name": "herding", "size": 9}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_workspace(tmp_path / "shop", [OWN]).root


def read(root: Path, *flags: str, **environment: str) -> Settings:
    return read_settings(root, flags, {f"FRESHTUNE__{key}": value for key, value in environment.items()})


def test_a_recipe_is_of_one_task_and_only_in_what_it_says(root: Path) -> None:
    own, before = (root / "freshtune.toml").read_bytes(), read(root)
    write_recipe(root, "sentiment", RECIPE)
    settings = read(root)
    assert (root / "freshtune.toml").read_bytes() == own
    tuned = settings.of("sentiment").learn
    assert (tuned.average, tuned.fit.learning_rate, tuned.memory) == ((0.6,), 0.002, Herding(size=9))
    assert (tuned.fit.epochs, tuned.fit.seed) == (7, 3)
    assert settings.of("rating") == before.of("rating")
    assert recipe_digest(settings.of("sentiment")) != recipe_digest(before.of("sentiment"))
    assert recipe_digest(settings.of("rating")) == recipe_digest(before.of("rating"))


def test_a_second_recipe_takes_the_place_of_the_first_and_leaves_other_tasks(root: Path) -> None:
    write_recipe(root, "rating", {"average": [0.9]})
    write_recipe(root, "sentiment", RECIPE)
    write_recipe(root, "sentiment", {"average": [0.4]})
    assert {name: each.average for name, each in read(root).recipes.items()} == {"rating": (0.9,), "sentiment": (0.4,)}
    assert read(root).of("sentiment").learn.fit.learning_rate == 1e-3
    assert [path.name for path in root.iterdir() if "tuned" in path.name] == [TUNED]
    (root / TUNED).unlink()
    assert read(root).recipes == {}


def test_a_flag_and_the_environment_win_over_what_was_tuned(root: Path) -> None:
    write_recipe(root, "sentiment", RECIPE)
    assert read(root, "learn.fit.learning_rate=0.5").of("sentiment").learn.fit.learning_rate == 0.5
    assert read(root, LEARN__FIT__EPOCHS="2").of("sentiment").learn.fit.epochs == 2
    assert read(root, "learn.memory={name='reservoir'}").of("sentiment").learn.memory == Reservoir()
    assert read(root, "recipes.sentiment.average=[0.1]").of("sentiment").learn.average == (0.1,)
    assert read(root, "recipes.rating.average=[0.1]").of("rating").learn.average == (0.1,)


def test_a_users_own_recipe_is_read_and_a_tuned_one_wins(root: Path) -> None:
    with (root / "freshtune.toml").open("a", encoding="utf-8") as file:
        file.write("[recipes.sentiment]\naverage = [0.2]\n[recipes.sentiment.memory]\nname = 'reservoir'\nmix = 3.0\n")
    assert read(root).of("sentiment").learn.memory == Reservoir(mix=3.0)
    write_recipe(root, "sentiment", RECIPE)
    assert read(root).of("sentiment").learn.memory == Herding(size=9)


def test_what_config_show_prints_holds_the_recipes(root: Path) -> None:
    write_recipe(root, "sentiment", RECIPE)
    shown = CliRunner().invoke(app, ["config", "show", "-w", str(root)])
    assert shown.exit_code == 0, shown.output
    assert settings_of(tomllib.loads(shown.stdout)) == read(root)
    assert "recipes" in as_tree(read(root))


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("recipes.sentimnt.average=[0.5]", "Did you mean 'sentiment'"),
        ("recipes.sentiment.avrage=[0.5]", "Did you mean 'average'"),
        ("recipes.sentiment.fit.epochs=0", "recipes.sentiment.fit.epochs"),
        ("recipes=3", "recipes"),
        ("recipes.sentiment=3", "recipes.sentiment"),
    ],
)
def test_a_wrong_recipe_is_refused_by_its_name(root: Path, flag: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(root, flag)
    assert why in str(refused.value)


@pytest.mark.parametrize("content", ["[recipes", "[learn]\nx = 1\n", "recipes = 3\n", "[recipes]\nsentiment = 3\n"])
def test_a_file_that_no_tuning_wrote_is_refused_by_its_name(root: Path, content: str) -> None:
    (root / TUNED).write_text(content)
    with pytest.raises(ConfigurationError, match=r"tuned\.toml"):
        read(root)
    with pytest.raises(ConfigurationError, match=r"tuned\.toml"):
        write_recipe(root, "sentiment", RECIPE)
    assert (root / TUNED).read_text() == content


def test_nothing_is_half_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recipe(root, "sentiment", RECIPE)
    before = (root / TUNED).read_bytes()

    def stopped(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_recipe(root, "sentiment", {"average": [0.1]})
    assert (root / TUNED).read_bytes() == before
    assert [path.name for path in root.iterdir() if "tuned" in path.name] == [TUNED]
