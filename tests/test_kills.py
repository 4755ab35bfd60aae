"""``kill -9`` at named places of ``freshtune train`` and ``freshtune update``: the next run needs no repair.

Whatever was killed, the run after it ends with the weights that an uninterrupted run ends with, bit for bit.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

from freshtune import front_door
from freshtune.errors import NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.records import Release
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

EAGER = tuple(f"learn.{part}.checkpoint_seconds=0" for part in ("first", "fit", "trunk.fit"))
HEAD_ONLY = (
    "model.cut=2", "model.taps=[0.5, 1.0]", "learn.adapter={name='head_only'}", "learn.average=[1.0]",
    "learn.memory.mix=50", "learn.first.epochs=30", "learn.fit.epochs=20", "judge.gate.max_old_loss=0.2",
)  # fmt: skip
RECIPES: Mapping[str, tuple[str, ...]] = {
    "layers": (),
    "head": HEAD_ONLY,
    "tuned trunk": (*HEAD_ONLY, "learn.trunk={share=0.5, fit={epochs=2, learning_rate=0.003, checkpoint_seconds=0}}"),
    "lora": (
        "learn.adapter={name='lora', k=1, dropout=0.1}", "learn.fit.dropout=0.1", "learn.fit.accumulate=2",
        "judge.gate.max_old_loss=0.2",
    ),
    "adalora": (
        "learn.adapter={name='adalora', rank=8, target_rank=6, k=1, alpha=8.0}", "learn.first.epochs=12",
        "judge.gate.max_old_loss=0.2", "judge.gate.max_ece_rise=0.2",
    ),
}  # fmt: skip
"""What learns: a layer and the head, the head above the whole trunk, all layers first, parts with noise of their own,
and parts that are pruned on the way."""
TRAIN = (
    "checkpoint:before_rename:1", "checkpoint:between_renames:2", "fit:after_checkpoint:5", "artefact:rename:3",
    "record:artefacts", "record:manifest", "record:committed", "promote:committed",
)  # fmt: skip
UPDATE = (
    "checkpoint:before_rename:1", "checkpoint:before_rename:4", "checkpoint:between_renames:1",
    "checkpoint:between_renames:3", "fit:after_checkpoint:1", "fit:after_checkpoint:6", "artefact:write:1",
    "artefact:rename:2", "artefact:sync:3", "record:artefacts", "record:manifest", "record:row", "record:committed",
    "promote:checked", "promote:history", "promote:row", "promote:committed",
)  # fmt: skip
OTHERS = (
    ("head", "train", "fit:after_checkpoint:30"), ("head", "update", "fit:after_checkpoint:7"),
    ("head", "update", "checkpoint:between_renames:9"), ("tuned trunk", "train", "fit:after_checkpoint:2"),
    ("tuned trunk", "train", "checkpoint:between_renames:13"), ("tuned trunk", "train", "checkpoint:before_rename:17"),
    ("tuned trunk", "train", "fit:after_checkpoint:40"), ("lora", "train", "fit:after_checkpoint:11"),
    ("lora", "update", "fit:after_checkpoint:3"), ("lora", "update", "checkpoint:between_renames:5"),
    ("adalora", "update", "fit:after_checkpoint:2"), ("adalora", "update", "fit:after_checkpoint:9"),
)  # fmt: skip
"""Recipe, act and fault; a trunk is tuned in some 20 steps, so that the last of its faults falls into what follows."""
HISTORY, HEAD = 500, 700


@dataclass(frozen=True)
class Beginnings:
    """Workspaces to begin from, and the digests that uninterrupted runs end with."""

    flags: tuple[str, ...]
    untrained: Path
    trained: Path
    weights: dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Beginnings]]:
    """Gives the beginnings of a recipe by its name, each made once."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        model = backbone(folder / "backbone")
        yield cache(lambda name: made(folder / name, model, (*EAGER, *RECIPES[name])))


def made(folder: Path, model: Path, flags: tuple[str, ...]) -> Beginnings:
    folder.mkdir()
    close(make_shop(folder / "shop", model))
    shop = front_door.open(folder / "shop", flags)
    shop.ingest(reviews(0, HISTORY), REVIEW)
    close(shop)
    untrained, trained = folder / "untrained", folder / "trained"
    shutil.copytree(folder / "shop", untrained)
    shop = front_door.open(folder / "shop", flags)
    first = shop.train("sentiment")
    shop.ingest(reviews(HISTORY, HEAD), REVIEW)
    close(shop)
    shutil.copytree(folder / "shop", trained)
    shop = front_door.open(folder / "shop", flags)
    second = shop.update("sentiment")
    close(shop)
    assert first.verdict.promote
    assert second.verdict.promote
    return Beginnings(flags, untrained, trained, {"train": weights_of(first), "update": weights_of(second)})


def weights_of(release: Release) -> tuple[str, str]:
    """Digests of what learned: the trunk as it serves, and the exact top."""
    return release.trunk, release.artefacts["top.safetensors"]


def run_killed(act: str, folder: Path, fault: str, given: tuple[str, ...]) -> int:
    flags = [part for flag in given for part in ("--set", flag)]
    run = subprocess.run(
        [sys.executable, "-m", "freshtune", act, "sentiment", "-w", str(folder), "--json", *flags],
        env=os.environ | {"FRESHTUNE_FAULT": fault, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0 or run.stdout == "", "a killed run says nothing on stdout"
    return run.returncode


def run_again(act: str, folder: Path, flags: tuple[str, ...]) -> OpenWorkspace:
    """The run after: it completes, or finds that nothing is left to do."""
    shop = front_door.open(folder, flags)
    try:
        release = shop.train("sentiment") if act == "train" else shop.update("sentiment")
    except NotFound:
        return shop
    assert release.verdict.promote
    return shop


def assert_as_if_nothing_had_happened(shop: OpenWorkspace, weights: tuple[str, str]) -> None:
    registry = shop.store.registry
    live = registry.live("sentiment")
    assert live is not None
    assert weights_of(live) == weights
    assert verify(registry).whole
    assert sum(summary.live for summary in registry.list()) == 1
    assert registry.pending("sentiment", shop.store.events.head()) == ()
    ranges = [(part.range.since, part.range.upto) for part in registry.consumed("sentiment")]
    assert len(set(ranges)) == len(ranges) or set(ranges) == {(0, HISTORY)}, "nothing is learned twice"
    assert set(ranges) <= {(0, HISTORY), (HISTORY, HEAD)}
    left = {path.name for path in shop.store.run_folder("sentiment").iterdir()}
    assert left <= {"range.json", "checkpoint"}, "what was being built is gone"


def test_the_number_of_kills() -> None:
    assert len(TRAIN) + len(UPDATE) + len(OTHERS) >= 36
    assert {recipe for recipe, _, _ in OTHERS} == set(RECIPES) - {"layers"}


LAYERS = [("layers", act, fault) for act, faults in (("train", TRAIN), ("update", UPDATE)) for fault in faults]


@pytest.mark.real
@pytest.mark.parametrize(("recipe", "act", "fault"), [*LAYERS, *OTHERS])
def test_a_killed_run_is_made_good_by_the_next(
    beginning: Callable[[str], Beginnings], tmp_path: Path, recipe: str, act: str, fault: str
) -> None:
    begun, folder = beginning(recipe), tmp_path / "shop"
    shutil.copytree(begun.untrained if act == "train" else begun.trained, folder)
    assert run_killed(act, folder, fault, begun.flags) == -signal.SIGKILL, f"{fault} was not reached"
    shop = run_again(act, folder, begun.flags)
    assert_as_if_nothing_had_happened(shop, begun.weights[act])
    close(shop)


@pytest.mark.real
@pytest.mark.parametrize(
    ("recipe", "act", "faults"),
    [
        ("layers", "update", ("fit:after_checkpoint:2", "checkpoint:between_renames:2", "record:row", "promote:row")),
        ("tuned trunk", "train", ("fit:after_checkpoint:3", "fit:after_checkpoint:9", "fit:after_checkpoint:25")),
    ],
)
def test_a_run_that_is_killed_again_and_again(
    beginning: Callable[[str], Beginnings], tmp_path: Path, recipe: str, act: str, faults: tuple[str, ...]
) -> None:
    begun, folder = beginning(recipe), tmp_path / "shop"
    shutil.copytree(begun.untrained if act == "train" else begun.trained, folder)
    for fault in faults:
        assert run_killed(act, folder, fault, begun.flags) == -signal.SIGKILL, f"{fault} was not reached"
    shop = run_again(act, folder, begun.flags)
    assert_as_if_nothing_had_happened(shop, begun.weights[act])
    close(shop)
