"""Optimiser, schedule and memory out of freshtune.toml and flags: by name, with their fields, and refused early."""

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from freshtune.cli import app
from freshtune.errors import ConfigurationError
from freshtune.learn.challenger import Learn
from freshtune.learn.fit import Fit
from freshtune.learn.memory import MEMORIES
from freshtune.learn.memory.balanced import Balanced
from freshtune.learn.memory.herding import Herding
from freshtune.learn.memory.none import NoMemory
from freshtune.learn.optimisers import OPTIMISERS
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.optimisers.rates import DEFAULT_DECAYS, DEFAULT_RATES, Part
from freshtune.learn.optimisers.sgd import Sgd
from freshtune.learn.schedules import SCHEDULES
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.schedules.rewarm import Rewarm
from freshtune.model.adapters import ADAPTERS
from freshtune.settings import FitSettings, Settings, as_tree, first_tables, read_settings, recipe_digest, settings_of
from freshtune.workspace import create_workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_workspace(tmp_path / "shop", first_tables(["sentiment"])).root


def read(root: Path, *flags: str) -> Settings:
    return read_settings(root, flags, {})


def test_the_defaults_are_those_of_the_stage(root: Path) -> None:
    learn = read(root).learn
    assert (learn.first, learn.fit) == (FitSettings.like(Learn.first), FitSettings.like(Learn.fit))
    assert (learn.fit.optimiser, learn.fit.schedule, learn.memory) == (AdamW(), Linear(), Balanced())
    assert (Fit().learning_rate, learn.fit.accumulate, learn.fit.layer_decay) == (None, 1, 1.0)
    assert isinstance(learn.fit, Fit)


def test_an_adapters_name_alone_brings_what_suits_layers(root: Path) -> None:
    head = read(root)
    assert (head.learn.fit.epochs, head.learn.fit.weight_decay, head.learn.memory) == (15, 10.0, Balanced())
    assert head.learn.first.epochs == 20, "from nothing it takes longer"
    assert head.model.taps == (0.5, 0.67, 0.83, 1.0)
    for name in set(ADAPTERS) - {"head_only"}:
        layers = read(root, f"learn.adapter.name={name}")
        part: Part = {"top_layers": "layers", "full": "all", "trainable_tokens": "all"}.get(name, "added")  # type: ignore[assignment]
        for fit in (layers.learn.fit, layers.learn.first):
            assert (fit.epochs, fit.learning_rate, fit.weight_decay) == (3, DEFAULT_RATES["adamw"][part], 0.01)
        assert layers.learn.memory == Balanced(mix=1.0)
        assert layers.model.taps == (1.0,), "what is below the cut cannot be read"
        assert layers.learn.losses == head.learn.losses
        assert as_tree(layers)["learn"]["fit"]["learning_rate"] == DEFAULT_RATES["adamw"][part], "shown as it is"


@pytest.mark.parametrize("adapter", ["head_only", "lora"])
def test_what_is_written_stands_over_what_suits(root: Path, adapter: str) -> None:
    flags = (f"learn.adapter.name={adapter}", "learn.fit.epochs=7", "learn.memory.size=9", "model.taps=[0.9, 1.0]")
    found = read(root, *flags, "learn.first.optimiser.name=sgd")
    assert (found.learn.fit.epochs, found.learn.memory.size) == (7, 9)  # type: ignore[attr-defined]
    assert found.model.taps == (0.9, 1.0)
    part: Part = "head" if adapter == "head_only" else "added"
    first, later = found.learn.first, found.learn.fit
    assert (first.learning_rate, first.weight_decay) == (DEFAULT_RATES["sgd"][part], DEFAULT_DECAYS["sgd"][part])
    assert (later.learning_rate, later.weight_decay) == (DEFAULT_RATES["adamw"][part], DEFAULT_DECAYS["adamw"][part])
    for name in set(MEMORIES) - {"none"}:
        mix = read(root, f"learn.adapter.name={adapter}", f"learn.memory.name={name}").learn.memory.mix  # type: ignore[attr-defined]
        assert mix == (50.0 if adapter == "head_only" else 1.0)


def test_a_member_is_chosen_by_its_name_and_takes_its_own_fields(root: Path) -> None:
    learn = read(
        root,
        'learn.fit.optimiser.name="sgd"',
        "learn.fit.optimiser.momentum=0.5",
        "learn.fit.schedule={name='rewarm', share=0.3}",
        "learn.first.optimiser.beta2=0.95",
        "learn.memory.name=herding",
        "learn.memory.max_mix=3",
    ).learn
    assert (learn.fit.optimiser, learn.fit.schedule) == (Sgd(momentum=0.5), Rewarm(share=0.3))
    assert (learn.first.optimiser, learn.memory) == (AdamW(beta2=0.95), Herding(max_mix=3.0))
    assert read(root, "learn.memory={name='none'}").learn.memory == NoMemory()


@pytest.mark.parametrize(("key", "family"), [("learn.fit.optimiser", OPTIMISERS), ("learn.first.schedule", SCHEDULES)])
def test_every_member_of_the_loops_families_can_be_named(root: Path, key: str, family: dict[str, type]) -> None:
    digests = {recipe_digest(read(root, f"{key}.name={name}")) for name in family}
    assert len(digests) == len(family)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("learn.fit.optimiser.name=adam", "adamw"),
        ("learn.fit.optimiser={name='sgd', beta1=0.9}", "learn.fit.optimiser.beta1"),
        ("learn.fit.optimiser.momentum=0.9", "learn.fit.optimiser.momentum"),
        ("learn.fit.optimiser.beta1=1.0", "beta1"),
        ("learn.fit.schedule.name=cosin", "cosine"),
        ("learn.fit.schedule={name='plateau', patience=0}", "patience"),
        ("learn.fit.accumulate=0", "learn.fit.accumulate"),
        ("learn.fit.layer_decay=1.5", "learn.fit.layer_decay"),
        ("learn.fit.learning_rate=0", "learn.fit.learning_rate"),
        ("learn.memory.name=resevoir", "reservoir"),
        ("learn.memory={name='none', size=3}", "learn.memory.size"),
        ("learn.memory={name='loss_aware', by='luck'}", "by"),
        ("learn.memory.max_bytes=-1", "max_bytes"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(root: Path, flag: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(root, flag)
    assert words in f"{refused.value} {refused.value.why} {refused.value.mend}"


@pytest.mark.parametrize("memory", MEMORIES)
def test_what_config_show_prints_can_be_read_back(root: Path, memory: str) -> None:
    flags = [f"learn.memory.name={memory}", "learn.fit.optimiser.name=adafactor", "learn.fit.schedule.name=plateau"]
    arguments = ["config", "show", "-w", str(root), *(part for flag in flags for part in ("--set", flag))]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert settings_of(tomllib.loads(shown.stdout)) == read(root, *flags)
