"""Deltas that are empty, tiny, one-sided, blank or endless: a release or a clear refusal, never a crash or a NaN.

Every task meets every delta under the default recipe; under the other recipes it is marked real.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from freshtune import front_door
from freshtune.cli import app
from freshtune.front_door import OpenWorkspace
from freshtune.intake.mapping import ColumnMapping
from freshtune.model.predictor import Input
from freshtune.records import Json
from freshtune.ship.changes import top_weights
from freshtune.ship.verify import verify
from tests.small_shop import GRADED, REVIEW, STARRED, close, graded, make_shop, reviews, starred

pytestmark = pytest.mark.usefixtures("own_cache")

HISTORY = 300
LONG = 100_000
Rows = list[dict[str, Json]]


class Kind(NamedTuple):
    """How a task's records are made."""

    mapping: ColumnMapping
    labels: tuple[Json, Json]


KINDS: Mapping[str, Kind] = {
    "sentiment": Kind(REVIEW, ("positive", "negative")),
    "rating": Kind(STARRED, (5, 1)),
    "relevance": Kind(GRADED, (2, 0)),
}
MAKERS: Mapping[str, Any] = {"sentiment": reviews, "rating": starred, "relevance": graded}

HEAD_ONLY = ("model.cut=2", "model.taps=[0.5, 1.0]", "learn.adapter={name='head_only'}", "learn.memory.mix=50")
RECIPES: Mapping[str, tuple[str, ...]] = {
    "head_only": (*HEAD_ONLY, "learn.fit.optimiser.name='adamw'"),
    "top_layers": ("learn.losses=[{name='supervised', focal_gamma=2.0, class_balance=0.9}, {name='distillation'}]",),
    "lora": (
        "learn.adapter={name='lora', rank=2, k=1}",
        "learn.losses=[{name='squared_error'}, {name='pairwise'}, {name='fgm'}, {name='ewc', weight=10.0}]",
    ),
    "adalora": (
        "learn.adapter={name='adalora', rank=3, target_rank=2, k=1}",
        "learn.losses=[{name='supervised', label_smoothing=0.1}, {name='listwise'}, {name='smart'}, {name='l2_sp'}]",
        "learn.memory={name='herding', size=50}",
    ),
    "full": (
        "model.cut=0",
        "learn.adapter={name='full'}",
        "learn.losses=[{name='supervised'}, {name='r_drop'}, {name='virtual_adversarial'}, {name='freelb'}]",
        "learn.memory={name='loss_aware', size=50}",
    ),
    "tuned trunk": (*HEAD_ONLY, "learn.trunk={share=0.5, fit={epochs=1, learning_rate=0.003}}"),
    "no memory": ("learn.memory={name='none'}", "learn.fit.schedule.name='plateau'", "learn.average=[0.3, 0.7]"),
}
QUICK = ("learn.first.epochs=3", "learn.fit.epochs=2", "judge.labels.least_labels=0", "model.nice=0")
OTHERS = [name for name in RECIPES if name != "head_only"]


def plain(task: str, start: int, stop: int) -> Rows:
    """Ordinary records."""
    made: Rows = MAKERS[task](start, stop)
    return made


def told(task: str, name: str, texts: list[str], labels: list[Json]) -> Rows:
    """Records of given texts; where a task reads two, both are the given one."""
    rows: Rows = [
        {"id": f"{name}{number}", "text": text, "label": label}
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    return [{**row, "pair": row["text"]} for row in rows] if task == "relevance" else rows


def hostile(task: str) -> dict[str, Rows]:
    """Each delta by its name."""
    one, other = KINDS[task].labels
    both = [one, other] * 40
    long = ("很好 lovely great " * LONG)[:LONG]
    return {
        "nothing": [],
        "no label": [{**row, "label": None} for row in plain(task, 910, 930)],
        "one": plain(task, 900, 901),
        "two": plain(task, 901, 903),
        "one class": told(task, "c", [f"lamp {number} 很好 n{number % 10}x0" for number in range(60)], [one] * 60),
        "one text": told(task, "d", ["lamp great 漂亮"] * 80, [one] * 80),
        "one text, both labels": told(task, "e", ["kettle fair 一般"] * 80, both),
        "no text": told(task, "b", ["", " ", "\u3000", "\u200b", "。", "\ufeff", "\0"], [one] * 7),
        "endless": told(task, "l", [f"{number} {long}"[:LONG] for number in range(4)], [one, other] * 2),
        "one endless word": told(task, "w", [f"{sign}" * LONG for sign in "好x。😡"], [one, other] * 2),
        "symbols": told(task, "x", ["😡" * number for number in range(1, 31)], [other] * 30),
    }


@contextmanager
def shop_of(folder: Path, model: Path, task: str, recipe: str) -> Iterator[OpenWorkspace]:
    """An empty workspace with one task and a recipe; texts are taken whole."""
    close(make_shop(folder, model, (task,)))
    flags = [*QUICK, *RECIPES[recipe], f"intake.limits.max_text_characters={2 * LONG}"]
    shop = front_door.open(folder, flags)
    yield shop
    assert verify(shop.store.registry).whole
    close(shop)


def run(shop: OpenWorkspace, act: str, task: str, recipe: str) -> tuple[int, Any, str]:
    """Exit code, document and words of one command; an exception that is none of ours is raised."""
    flags = [part for flag in (*QUICK, *RECIPES[recipe]) for part in ("--set", flag)]
    done = CliRunner().invoke(app, [act, task, "-w", str(shop.store.root), "--json", *flags])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout) if done.stdout else None, done.stderr


def assert_sound(shop: OpenWorkspace, task: str, recipe: str, act: str, name: str) -> int:
    """Run a command; whatever it says, it says it clearly, and nothing of what it leaves is infinite or no number."""
    code, document, words = run(shop, act, task, recipe)
    where = f"{act} {task} {recipe} {name}: {code} {words}"
    if document is None:
        assert code in (2, 4), where
        assert "✗" in words, where
        assert "→" in words, where
        return code
    assert code == (0 if document["promote"] else 3), where
    assert document["promote"] or document["reasons"], where
    release = shop.store.registry.get(document["id"])
    for card in release.scorecards.values():
        numbers = [value for one in card.outcomes for value in (one.score, one.prediction, *one.probabilities)]
        assert np.isfinite(np.asarray(numbers, np.float64)).all(), where
    weights = top_weights(shop.store.registry, release.id)
    assert all(np.isfinite(weight).all() for weight in weights.values()), where
    asked = [Input(text, "lamp") for text in ("", "很好", "x" * 1_000, "\0")]
    assert np.isfinite(shop.model(task, release.id).logits(asked)).all(), where
    return code


def updated_with_all(folder: Path, model: Path, task: str, recipe: str) -> None:
    """One shop that is trained on ordinary records and then meets every hostile delta, one after another."""
    with shop_of(folder, model, task, recipe) as shop:
        shop.ingest(plain(task, 0, HISTORY), KINDS[task].mapping)
        if assert_sound(shop, task, recipe, "train", "history"):
            release = shop.store.registry.list(task)[0].id
            shop.store.registry.promote(release, None, "test", "to have one", force=True)
        codes = {}
        for name, rows in hostile(task).items():
            assert shop.ingest(rows, KINDS[task].mapping).read == len(rows)
            codes[name] = assert_sound(shop, task, recipe, "update", name)
        assert codes["nothing"] == codes["no label"] == 4
        assert {codes["one class"], codes["one text"], codes["symbols"]} & {0, 3}, "some of it is learned from"


def trained_on_each(folder: Path, model: Path, task: str, recipe: str, names: list[str]) -> None:
    """For every hostile history a shop that has it alone, and then ordinary records beside it."""
    for name in names:
        rows = hostile(task)[name]
        with shop_of(folder / name, model, task, recipe) as shop:
            shop.ingest(rows, KINDS[task].mapping)
            assert assert_sound(shop, task, recipe, "train", name) in (0, 2, 3)
            shop.ingest(plain(task, 0, HISTORY), KINDS[task].mapping)
            assert assert_sound(shop, task, recipe, "train", f"{name} and more") in (0, 3), "more mends it"
        shutil.rmtree(folder / name)


@pytest.mark.parametrize("task", KINDS)
def test_an_update_by_the_default_recipe(tmp_path: Path, tiny_backbone: Path, task: str) -> None:
    updated_with_all(tmp_path / "shop", tiny_backbone, task, "head_only")


@pytest.mark.parametrize("task", KINDS)
def test_a_first_training_by_the_default_recipe(tmp_path: Path, tiny_backbone: Path, task: str) -> None:
    trained_on_each(tmp_path, tiny_backbone, task, "head_only", list(hostile(task))[list(KINDS).index(task) :: 3])


@pytest.mark.real
@pytest.mark.parametrize("recipe", OTHERS)
@pytest.mark.parametrize("task", KINDS)
def test_an_update_by_another_recipe(tmp_path: Path, tiny_backbone: Path, task: str, recipe: str) -> None:
    updated_with_all(tmp_path / "shop", tiny_backbone, task, recipe)


@pytest.mark.real
@pytest.mark.parametrize("recipe", OTHERS)
@pytest.mark.parametrize("task", KINDS)
def test_a_first_training_by_another_recipe(tmp_path: Path, tiny_backbone: Path, task: str, recipe: str) -> None:
    turn = OTHERS.index(recipe) + 2 * list(KINDS).index(task)
    trained_on_each(tmp_path, tiny_backbone, task, recipe, list(hostile(task))[turn % len(OTHERS) :: len(OTHERS)])


def test_how_many_deltas_and_recipes_there_are() -> None:
    assert all(len(hostile(task)) == 11 for task in KINDS)
    assert len(RECIPES) == 7
