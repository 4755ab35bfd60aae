"""A tuning end to end on a small shop: what it looks at, what it writes, and what is left of it when it is stopped."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune import front_door
from freshtune.cli import app
from freshtune.cycle import extras
from freshtune.errors import ConfigurationError, NotFound, UsageError
from freshtune.front_door import OpenWorkspace
from freshtune.intake.deltas import collect_delta
from freshtune.learn import challenger
from freshtune.model.adapters import ADAPTERS
from freshtune.phases import Phases
from freshtune.records import Example, LogRange
from freshtune.settings import recipe_digest
from freshtune.ship.update_lock import Locked, update_lock
from freshtune.tune import Limits, Trial, Tuning
from freshtune.tune.material import INCREMENTS, Material, Part, material_of, side_of
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

HEAD = ("model.cut=2", "learn.adapter={name='head_only'}")
LAZY = ("learn.fit.learning_rate=1e-6", "learn.fit.epochs=1", "learn.average=[0.2]")
"""A recipe that learns next to nothing: almost any other is better."""
HISTORY, DELTA, UPDATES = 500, 250, 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop with a live release and two updates; to be copied."""
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        shop = make_shop(folder / "shop", backbone(folder / "backbone"))
        shop.ingest(reviews(0, HISTORY), REVIEW)
        first = shop.train("sentiment").verdict
        assert first.promote, first.reasons
        for start in range(HISTORY, HISTORY + UPDATES * DELTA, DELTA):
            shop.ingest(reviews(start, start + DELTA), REVIEW)
            verdict = shop.update("sentiment").verdict
            assert verdict.promote, verdict.reasons
        close(shop)
    return folder / "shop"


@pytest.fixture
def opened(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenWorkspace]]:
    """Opens copies of that shop."""
    monkeypatch.setenv("FRESHTUNE_CACHE", str(made.parent / "cache"))
    shops: list[OpenWorkspace] = []

    def open_(*flags: str) -> OpenWorkspace:
        copy = tmp_path / f"shop{len(shops)}"
        shutil.copytree(made, copy)
        shops.append(front_door.open(copy, flags))
        return shops[-1]

    yield open_
    for shop in shops:
        close(shop)


def told(found: Tuning) -> list[Trial]:
    return [replace(each, seconds=0.0) for each in found.trials]


def held_out_of(shop: OpenWorkspace) -> tuple[Example, ...]:
    with closing(shop.store.delta_index(dry=True)) as index:
        within = LogRange(0, shop.store.events.head())
        task = shop.settings.task("sentiment")
        return collect_delta(shop.store.events, task, within, index, shop.settings.intake.held_out).held_out


def test_the_parts_are_disjoint_and_hold_nothing_that_the_gate_looks_at(opened: Callable[..., OpenWorkspace]) -> None:
    shop = opened()
    material = material_of(shop.store, shop.settings.task("sentiment"), shop.settings, 10_000)
    assert len(material.increments) == UPDATES
    held_out = held_out_of(shop)
    assert len(held_out) > 100
    keys = {each.split_key for each in held_out}
    learned = {each.split_key for part in parts(material) for each in part.learn}
    searched = {each.split_key for part in parts(material) for each in part.search}
    confirmed = {each.split_key for part in parts(material) for each in part.confirm}
    assert not keys & (learned | searched | confirmed)
    assert not learned & searched
    assert not learned & confirmed
    assert not searched & confirmed
    assert len(material.examples) + len(held_out) == HISTORY + UPDATES * DELTA
    assert {side_of(key) for key in searched} == {"search"}


def parts(material: Material) -> tuple[Part, ...]:
    return (material.history, *material.increments)


def test_a_trial_learns_the_learning_side_alone(
    opened: Callable[..., OpenWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, seen = opened(), set[str]()
    taught = challenger.tune

    def spied(*args: object) -> object:
        seen.update(example.split_key for example in args[3].examples)  # type: ignore[attr-defined]
        return taught(*args)  # type: ignore[arg-type]

    monkeypatch.setattr("freshtune.cycle.learning.tune", spied)
    shop.tune("sentiment", Limits(trials=1))
    assert len(seen) > 200
    assert {side_of(key) for key in seen} == {"learn"}
    assert not seen & {each.split_key for each in held_out_of(shop)}


def test_a_better_recipe_is_found_written_and_learned_by(opened: Callable[..., OpenWorkspace]) -> None:
    before = opened()
    before.tune("sentiment", Limits(trials=1))
    shop = front_door.open(before.store.root, LAZY)
    own = (shop.store.root / "freshtune.toml").read_bytes()
    found = shop.tune("sentiment", Limits(trials=2))
    close(shop)
    assert found.best.number == 1, "the best one of the last tuning comes next to the current recipe"
    assert found.comparison is not None
    assert found.comparison.better
    assert found.comparison.best.fresh > found.comparison.current.fresh + 0.05
    assert found.written == shop.store.root / "tuned.toml"
    assert (shop.store.root / "freshtune.toml").read_bytes() == own
    again = front_door.open(shop.store.root)
    assert again.settings.of("sentiment").learn.average == tuple(found.changed["average"])  # type: ignore[arg-type]
    assert again.settings.of("sentiment").learn != again.settings.learn
    again.ingest(reviews(1_000, 1_200), REVIEW)
    release = again.update("sentiment")
    assert release.recipe == recipe_digest(again.settings.of("sentiment"))
    assert release.recipe != recipe_digest(again.settings)
    close(again)
    assert found.picture.read_text("utf-8").startswith("<svg")


def test_a_seed_says_all_and_a_stopped_tuning_is_gone_on_with(opened: Callable[..., OpenWorkspace]) -> None:
    whole, stopped = opened(*LAZY), opened(*LAZY)
    expected = whole.tune("sentiment", Limits(trials=4), seed=3)
    remarks: list[str] = []

    def stop(trial: Trial) -> None:
        if trial.number == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.tune("sentiment", Limits(trials=4), 3, Phases(on_remark=remarks.append), stop)
    assert remarks == ["2 trials are kept; the same command goes on with them."]
    assert not (stopped.store.root / "tuned.toml").exists()
    assert not list(stopped.store.root.rglob("*.svg"))
    found = stopped.tune("sentiment", Limits(trials=4), 3)
    assert told(found) == told(expected)
    assert found.changed == expected.changed
    assert found.comparison == expected.comparison


def test_layers_above_the_cut_are_varied_and_the_cut_stays(opened: Callable[..., OpenWorkspace]) -> None:
    found = opened().tune("sentiment", Limits(trials=3))
    assert found.trials[0].params["adapter"] == "top_layers"
    assert {each.params["adapter"] for each in found.trials} <= set(ADAPTERS)
    assert found.best.fresh > 0.7


def test_a_head_alone_is_tuned(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(made.parent / "cache"))
    shop = make_shop(tmp_path / "head", made.parent / "backbone", flags=HEAD)
    shop.ingest(reviews(0, 1_000), REVIEW)
    first = shop.train("sentiment")  # no better than TF-IDF on random layers; a person takes it nevertheless
    if not first.verdict.promote:
        shop.store.registry.promote(first.id, None, by="test", why="random layers", force=True)
    found = shop.tune("sentiment", Limits(trials=3))
    assert "adapter" not in found.best.params
    assert found.best.fresh > 0.6
    close(shop)


def test_one_long_history_is_cut_as_if_it_had_come_in_parts(
    opened: Callable[..., OpenWorkspace], made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(made.parent / "cache"))
    shop = make_shop(tmp_path / "other", made.parent / "backbone")
    shop.ingest(reviews(0, 1_000), REVIEW)
    assert shop.train("sentiment").verdict.promote
    task = shop.settings.task("sentiment")
    material = material_of(shop.store, task, shop.settings, 10_000)
    assert len(material.increments) == INCREMENTS
    numbers = [[int(each.id[1:]) for each in part.examples] for part in (material.history, *material.increments)]
    assert all(max(before) < min(after) for before, after in pairwise(numbers))
    short = make_shop(tmp_path / "short", made.parent / "backbone")
    short.ingest(reviews(0, 400), REVIEW)
    assert short.train("sentiment").verdict.promote
    with pytest.raises(UsageError, match="too little data to tune") as refused:
        short.tune("sentiment", Limits(trials=1))
    assert "600" in refused.value.mend
    close(shop)
    close(short)


def test_what_cannot_be_tuned_is_said(
    opened: Callable[..., OpenWorkspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = make_shop(tmp_path / "empty", "nowhere")
    with pytest.raises(NotFound, match="no live release"):
        empty.tune("sentiment", Limits(trials=1))
    close(empty)
    shop = opened()
    with pytest.raises(UsageError, match="sentimnt"):
        shop.tune("sentimnt", Limits(trials=1))
    for limits in (Limits(), Limits(minutes=0), Limits(trials=0), Limits(minutes=-1, trials=5)):
        with pytest.raises(UsageError):
            shop.tune("sentiment", limits)
    with pytest.raises(NotFound, match="No trial"):
        shop.tune("sentiment", Limits(minutes=1e-9))
    with update_lock(shop.store.tuning_folder("sentiment"), "sentiment"), pytest.raises(Locked, match="being tuned"):
        shop.tune("sentiment", Limits(trials=1))
    monkeypatch.setattr(extras, "installed", lambda name: None if name == "optuna" else "1")
    with pytest.raises(ConfigurationError, match="optuna") as refused:
        shop.tune("sentiment", Limits(trials=1))
    assert "freshtune[tune]" in refused.value.mend


def test_the_command_says_no_with_three_and_yes_with_nothing(opened: Callable[..., OpenWorkspace]) -> None:
    shop = opened()
    root = str(shop.store.root)
    same = CliRunner().invoke(app, ["tune", "sentiment", "-w", root, "--trials", "1", "--json"])
    assert same.exit_code == 3, same.output
    document = json.loads(same.stdout)
    assert document["better"] is False
    assert document["comparison"] is None
    assert document["changed"] == {}
    assert len(document["trials"]) == 1
    assert "trial 0" in same.stderr
    assert "stays as it is" in same.stderr
    lazy = [part for flag in LAZY for part in ("--set", flag)]
    better = CliRunner().invoke(app, ["tune", "sentiment", "-w", root, "--trials", "2", *lazy])
    assert better.exit_code == 0, better.output
    assert "had not looked at" in better.stdout
    assert "tuned.toml is written" in better.stderr
    none = CliRunner().invoke(app, ["tune", "sentiment", "-w", root, "--minutes", "0"])
    assert none.exit_code == 2
    unknown = CliRunner().invoke(app, ["tune", "nothing", "-w", root])
    assert unknown.exit_code == 2
    assert "sentiment" in unknown.stderr
