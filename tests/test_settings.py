"""The settings: what wins over what, what is refused and how, and that showing them loses nothing."""

import json
import math
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from freshtune.cli import app
from freshtune.errors import ConfigurationError
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.memory.balanced import Balanced
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.settings import Settings, as_tree, first_tables, read_settings, recipe_digest, settings_of
from freshtune.settings_values import FILE
from freshtune.ship.compression.none import NoCompression
from freshtune.tasks import TASKS
from freshtune.tasks.rating import Rating
from freshtune.workspace import create_workspace

WRONG: dict[str, str] = {
    "lern.fit.epochs=3": "Did you mean 'learn'?",
    "learn.fit.epoch=3": "Did you mean 'epochs'?",
    "learn.fit.learning-rate=1e-5": "Did you mean 'learning_rate'?",
    "learn.memory.sizes=3": "Did you mean 'size'?",
    "model.backbones=x": "Did you mean 'backbone'?",
    "judge.windows.olds=3": "Did you mean 'old'?",
    "judge.gate.max_old_los=0.1": "Did you mean 'max_old_loss'?",
    "intake.limits.max_depht=3": "Did you mean 'max_depth'?",
    "serve.limits.text=3": "Did you mean 'texts'?",
    "serve.prot=3": "Did you mean 'port'?",
    "tasks.sentimnt={}": "Did you mean 'sentiment'?",
    "tasks.rating.highst=9": "Did you mean 'highest'?",
    "learn.adapter={name='top_layer', k=2}": "Did you mean 'top_layers'?",
    "learn.adapter={name='top_layers', l=2}": "learn.adapter.l",
    "learn.adapter={name='full', k=2}": "learn.adapter.k",
    "learn.losses=[{name='distilation'}]": "Did you mean 'distillation'?",
    "learn.losses=[{name='supervised', temperature=2}]": "learn.losses.0.temperature",
    "ship.compression={name='int4'}": "Did you mean 'int8'?",
    "learn.fit.epochs=zero": "learn.fit.epochs",
    "learn.fit.epochs=0": "learn.fit.epochs",
    "learn.fit.learning_rate=-1.0": "learn.fit.learning_rate",
    "learn.fit.learning_rate=nan": "learn.fit.learning_rate",
    "learn.fit=3": "learn.fit",
    "learn.fit.epochs.more=3": "learn.fit.epochs",
    "learn.development=1.0": "learn.development",
    "learn.average=[1.5]": "learn.average",
    "learn.losses=supervised": "learn.losses",
    "learn.losses=[{name='supervised', weight=-1}]": "weight",
    "learn.adapter={name='top_layers', k=0}": "k = 0",
    "model.max_tokens=1": "model.max_tokens",
    "model.threads=-1": "model.threads",
    "intake.held_out=0": "intake.held_out",
    "intake.held_out=1": "intake.held_out",
    "serve.port=70000": "serve.port",
    "tasks.rating={lowest=5, highest=1}": "tasks.rating",
    "tasks.sentiment.labels=[]": "tasks.sentiment",
    "tasks.sentiment.labels=['a', 'a']": "tasks.sentiment",
    "tasks.relevance={lowest=2, highest=2}": "tasks.relevance",
    "judge.gate.confidence=7": "judge.gate.confidence",
    "judge.gate.confidence=1": "judge.gate.confidence",
    "judge.gate.confidence=-0.95": "judge.gate.confidence",
    "judge.gate.max_old_loss=0": "judge.gate.max_old_loss",
    "judge.gate.enough_old=0": "judge.gate.enough_old",
    "judge.labels.significance=1": "judge.labels.significance",
    "judge.windows.old=0": "judge.windows.old",
    "intake.limits.max_depth=100000": "intake.limits.max_depth",
    "serve.workers=0": "serve.workers",
    "serve.poll_seconds=0": "serve.poll_seconds",
    "serve.limits.body_seconds=inf": "serve.limits.body_seconds",
    "tasks=3": "no task",
    "nothing": "sets nothing",
    "=3": "no setting",
    "..=3": "no setting",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_workspace(tmp_path / "shop", first_tables(["sentiment"])).root


def read(root: Path, flags: Sequence[str] = (), environment: dict[str, str] | None = None) -> Settings:
    return read_settings(root, flags, environment or {})


@pytest.mark.parametrize("flag", WRONG)
def test_what_is_wrong_is_refused_by_name(root: Path, flag: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(root, [flag])
    assert WRONG[flag] in str(refused.value)
    assert refused.value.mend.endswith("."), "and what to do is said"
    assert refused.value.exit_code == 5


def test_a_wrong_value_is_told_beside_the_default(root: Path) -> None:
    for flag, words in (
        ("learn.fit.epochs=three", f"Its default is {DEFAULTS.learn.fit.epochs}: "),
        ("learn.first.batch_tokens=two", "Its default is 1000: "),
        ("learn.losses=[{name='supervised', weight='a'}]", "Its default is 1.0: "),
        ("model.threads=-1", "Its default is 0: "),
        ("learn.trunk.fit.learning_rate=fast", "Its default is 0.0001: "),
        ("judge.windows=3", "set its keys, one by one. Here are: new, old."),
    ):
        with pytest.raises(ConfigurationError) as refused:
            read(root, [flag])
        assert words in refused.value.mend
    (root / FILE).write_text("[tasks.sentiment]\n[learn.fit]\nepochs = 'three'\n")
    told = CliRunner().invoke(app, ["config", "validate", "-w", str(root)])
    assert (told.exit_code, [line[0] for line in told.stderr.strip().split("\n")]) == (5, ["✗", " ", "→"])
    (root / FILE).write_text("[tasks.sentiment\n")
    with pytest.raises(ConfigurationError) as refused:
        read(root)
    assert refused.value.mend


def numbers(settings: Any, place: str = "") -> dict[str, Any]:
    """Every numeric leaf below a dataclass by its dotted name."""
    found: dict[str, Any] = {}
    for part in fields(settings):
        value, name = getattr(settings, part.name), f"{place}.{part.name}".lstrip(".")
        if is_dataclass(value) and not isinstance(value, type):
            found |= numbers(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found


DEFAULTS: Any = settings_of({"tasks": {"sentiment": {}}})
NUMBERS = numbers(DEFAULTS)
BOUNDED = tuple(name for name in NUMBERS if name.startswith(("judge.", "intake.", "serve.")))


def told(name: str, value: Any) -> Settings:
    """The settings with one number set, beside the name of the member that it belongs to where there is one."""
    tree: dict[str, Any] = {"tasks": {"sentiment": {}}}
    table, settings = tree, DEFAULTS
    *path, key = name.split(".")
    for part in path:
        table, settings = table.setdefault(part, {}), getattr(settings, part)
        if hasattr(settings, "name"):
            table["name"] = settings.name
    table[key] = value
    return settings_of(tree)


def test_there_are_numbers_to_look_at() -> None:
    assert len(NUMBERS) > 60
    assert len(BOUNDED) > 35
    assert {"judge.gate.confidence", "judge.labels.significance", "intake.limits.max_depth"} <= set(BOUNDED)


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_takes_its_default_and_none_takes_nan(name: str) -> None:
    told(name, NUMBERS[name])
    with pytest.raises(ConfigurationError, match=name.rpartition(".")[2]):
        told(name, math.nan)


@pytest.mark.parametrize("name", BOUNDED)
def test_no_number_of_judge_intake_and_serve_may_be_negative_or_infinite(name: str) -> None:
    for value in (-1, -0.5, math.inf, -math.inf):
        with pytest.raises(ConfigurationError, match=name):
            told(name, value)


def test_all_of_it_is_refused_without_torch(root: Path) -> None:
    child = """
import json, sys
from pathlib import Path
from freshtune.errors import ConfigurationError
from freshtune.settings import read_settings
refused = 0
for flag in json.loads(sys.argv[2]):
    try:
        read_settings(Path(sys.argv[1]), [flag], {})
    except ConfigurationError:
        refused += 1
heavy = {"torch", "transformers", "onnx", "onnxruntime", "sklearn", "scipy", "fastapi"} & set(sys.modules)
print(json.dumps([refused, sorted(heavy)]))
"""
    command = [sys.executable, "-W", "error", "-c", child, str(root), json.dumps(list(WRONG))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [len(WRONG), []]


def test_flags_win_over_the_environment_over_the_file_over_defaults(root: Path) -> None:
    default = read(root).learn.fit.epochs
    in_file, in_environment, in_flag = default + 1, default + 2, default + 3
    environment = {"FRESHTUNE__LEARN__FIT__EPOCHS": str(in_environment), "FRESHTUNE_CACHE": "not a setting"}
    with (root / FILE).open("a", encoding="utf-8") as file:
        file.write(f"[learn.fit]\nepochs = {in_file}\nseed = 9\n")
    assert read(root).learn.fit.epochs == in_file
    assert read(root, environment=environment).learn.fit.epochs == in_environment
    both = read(root, [f"learn.fit.epochs={in_flag}"], environment)
    assert (both.learn.fit.epochs, both.learn.fit.seed) == (in_flag, 9)
    assert read(root, ["learn.fit.seed=1", "learn.fit.seed=2"]).learn.fit.seed == 2, "the last flag wins"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("model.backbone=bert-base-chinese", "bert-base-chinese"),
        ('model.backbone="bundled:minilm"', "bundled:minilm"),
        ("model.backbone= ../模型 = 1 ", "../模型 = 1"),
    ],
)
def test_a_bare_word_is_a_string(root: Path, flag: str, value: str) -> None:
    assert read(root, [flag]).model.backbone == value


def test_members_of_families_are_chosen_by_name(root: Path) -> None:
    settings = read(
        root,
        [
            "learn.adapter={name='full'}",
            "learn.losses=[{name='distillation', temperature=2.0}, {name='supervised'}]",
            "ship.compression={name='none'}",
            "tasks.rating={lowest=0, highest=10}",
        ],
    )
    assert settings.learn.adapter == Full()
    assert settings.learn.losses == (Distillation(temperature=2.0), Supervised())
    assert settings.ship.compression == NoCompression()
    assert settings.task("rating") == Rating(0, 10)
    assert list(settings.tasks) == ["sentiment", "rating"]


def test_a_broken_environment_is_refused_like_a_flag(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"learn\.fit\.epoch"):
        read(root, environment={"FRESHTUNE__LEARN__FIT__EPOCH": "3"})


@pytest.mark.parametrize("content", ["[tasks.sentiment", "\ufeff\x00", "x = ", "[tasks]\n", ""])
def test_a_broken_file_is_refused_by_its_name(root: Path, content: str) -> None:
    (root / FILE).write_text(content, "utf-8")
    with pytest.raises(ConfigurationError):
        read(root)


def test_a_file_that_is_no_utf8_or_is_not_there_is_refused(root: Path) -> None:
    (root / FILE).write_bytes("[tasks.sentiment]\n# 设置".encode("gb18030"))
    with pytest.raises(ConfigurationError, match=FILE):
        read(root)
    (root / FILE).unlink()
    with pytest.raises(ConfigurationError, match="no workspace"):
        read(root)


def test_a_task_that_is_not_there_names_those_that_are(root: Path) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'sentiment'") as refused:
        read(root).task("sentimental")
    assert "rating" in refused.value.mend
    with pytest.raises(ConfigurationError, match="Add a table"):
        read(root).task("rating")


ELABORATE = (
    "tasks.sentiment.labels=['差评', 'good \"quoted\" \\\\ one']",
    "tasks.rating={}",
    "learn.adapter={name='full'}",
    "learn.losses=[{name='supervised', label_smoothing=0.05}]",
    "learn.fit.learning_rate=1e-7",
    "intake.columns={text='评论 正文', label_map={'0'='negative', '好 评'='positive'}}",
)


@pytest.mark.parametrize("flags", [(), ELABORATE], ids=["defaults", "elaborate"])
def test_what_config_show_prints_can_be_read_back(root: Path, flags: tuple[str, ...]) -> None:
    arguments = ["config", "show", "-w", str(root), *(part for flag in flags for part in ("--set", flag))]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    expected = read(root, flags)
    assert settings_of(tomllib.loads(shown.stdout)) == expected
    (root / FILE).write_text(shown.stdout, "utf-8")
    assert read(root) == expected
    as_json = CliRunner().invoke(app, ["config", "show", "-w", str(root), "--json"])
    assert json.loads(as_json.stdout) == json.loads(json.dumps(as_tree(expected)))


def test_the_recipe_names_what_a_release_depends_on(root: Path) -> None:
    one = read(root)
    assert recipe_digest(one) == recipe_digest(read(root))
    assert recipe_digest(one) != recipe_digest(read(root, ["learn.fit.seed=7"]))
    assert recipe_digest(one) == recipe_digest(replace(one, serve=replace(one.serve, port=1)))


def leaves(tree: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything that is no table."""
    for key, value in tree.items():
        path = f"{place}.{key}".strip(".")
        if isinstance(value, dict) and value:
            yield from leaves(value, path)
        else:
            yield path, value


BY_DEFAULT = as_tree(settings_of({"tasks": {name: {} for name in TASKS}}))
OF_TABLES = {key: value for key, value in leaves(BY_DEFAULT) if isinstance(value, bool | int | float | str)}


@pytest.mark.parametrize("key", sorted(OF_TABLES))
def test_one_key_leaves_all_others_as_they_are(key: str) -> None:
    tree: dict[str, Any] = {"tasks": {name: {} for name in TASKS}}
    table = tree
    for part in key.split(".")[:-1]:
        table = table.setdefault(part, {})
    table[key.split(".")[-1]] = OF_TABLES[key]
    apart = {"recipes"} if key in ("learn.first.epochs", "learn.first.weight_decay") else set()  # now said for all
    found = as_tree(settings_of(tree))
    assert {part: found[part] for part in found if part not in apart} == {
        part: BY_DEFAULT[part] for part in BY_DEFAULT if part not in apart
    }


def test_another_member_of_a_family_has_defaults_of_its_own() -> None:
    tree = {"tasks": {"sentiment": {}}, "learn": {"adapter": {"name": "full"}}}
    assert as_tree(settings_of(tree))["learn"]["adapter"] == {"name": "full"}
    layers = settings_of({"tasks": {"sentiment": {}}, "learn": {"adapter": {"name": "top_layers", "k": 3}}})
    assert layers.learn.adapter == TopLayers(k=3)
    only_size = settings_of({"tasks": {"sentiment": {}}, "learn": {"memory": {"size": 3}}})
    assert only_size.learn.memory == Balanced(size=3)


def test_a_task_of_several_names_has_a_first_fit_of_its_own_unless_it_is_written() -> None:
    both: dict[str, Any] = {"attributes": {}, "sentiment": {}}
    settings = settings_of({"tasks": both})
    assert settings.of("attributes").learn.first.epochs == 60 > settings.of("sentiment").learn.first.epochs
    written = settings_of({"tasks": both, "learn": {"first": {"epochs": 7}}})
    assert {written.of(name).learn.first.epochs for name in both} == {7}
    assert written.of("attributes").learn.first.weight_decay < written.of("sentiment").learn.first.weight_decay
    own = settings_of({"tasks": both, "recipes": {"attributes": {"first": {"weight_decay": 3.0}}}})
    assert (own.of("attributes").learn.first.epochs, own.of("attributes").learn.first.weight_decay) == (60, 3.0)
    layers = settings_of({"tasks": both, "learn": {"adapter": {"name": "top_layers", "k": 2}}})
    assert layers.of("attributes").learn == layers.of("sentiment").learn
