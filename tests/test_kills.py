"""``kill -9`` at named places of ``freshtune train`` and ``freshtune update``: the next run needs no repair.

Whatever was killed, the run after it ends with the weights that an uninterrupted run ends with, bit for bit.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from freshtune import front_door
from freshtune.errors import NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

FLAGS = ("learn.first.checkpoint_seconds=0", "learn.fit.checkpoint_seconds=0")
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
HISTORY, HEAD = 500, 700


@dataclass(frozen=True)
class Beginnings:
    """Workspaces to begin from, and the digests that uninterrupted runs end with."""

    untrained: Path
    trained: Path
    weights: dict[str, str]


@pytest.fixture(scope="module")
def beginnings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beginnings]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        shop = make_shop(folder / "shop", backbone(folder / "backbone"), flags=FLAGS)
        shop.ingest(reviews(0, HISTORY), REVIEW)
        close(shop)
        untrained, trained = folder / "untrained", folder / "trained"
        shutil.copytree(folder / "shop", untrained)
        shop = front_door.open(folder / "shop", FLAGS)
        first = shop.train("sentiment")
        shop.ingest(reviews(HISTORY, HEAD), REVIEW)
        close(shop)
        shutil.copytree(folder / "shop", trained)
        shop = front_door.open(folder / "shop", FLAGS)
        second = shop.update("sentiment")
        close(shop)
        assert first.verdict.promote
        assert second.verdict.promote
        digests = {"train": first.artefacts["top.safetensors"], "update": second.artefacts["top.safetensors"]}
        yield Beginnings(untrained, trained, digests)


def run_killed(act: str, folder: Path, fault: str) -> int:
    flags = [part for flag in FLAGS for part in ("--set", flag)]
    run = subprocess.run(
        [sys.executable, "-m", "freshtune", act, "sentiment", "-w", str(folder), "--json", *flags],
        env=os.environ | {"FRESHTUNE_FAULT": fault, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0 or run.stdout == "", "a killed run says nothing on stdout"
    return run.returncode


def run_again(act: str, folder: Path) -> OpenWorkspace:
    """The run after: it completes, or finds that nothing is left to do."""
    shop = front_door.open(folder, FLAGS)
    try:
        release = shop.train("sentiment") if act == "train" else shop.update("sentiment")
    except NotFound:
        return shop
    assert release.verdict.promote
    return shop


def assert_as_if_nothing_had_happened(shop: OpenWorkspace, weights: str) -> None:
    registry = shop.store.registry
    live = registry.live("sentiment")
    assert live is not None
    assert live.artefacts["top.safetensors"] == weights
    assert verify(registry).whole
    assert sum(summary.live for summary in registry.list()) == 1
    assert registry.pending("sentiment", shop.store.events.head()) == ()
    ranges = [(part.range.since, part.range.upto) for part in registry.consumed("sentiment")]
    assert len(set(ranges)) == len(ranges) or set(ranges) == {(0, HISTORY)}, "nothing is learned twice"
    assert set(ranges) <= {(0, HISTORY), (HISTORY, HEAD)}
    left = {path.name for path in shop.store.run_folder("sentiment").iterdir()}
    assert left <= {"range.json", "checkpoint"}, "what was being built is gone"


def test_the_number_of_kills() -> None:
    assert len(TRAIN) + len(UPDATE) >= 20


@pytest.mark.real
@pytest.mark.parametrize(("act", "fault"), [*(("train", f) for f in TRAIN), *(("update", f) for f in UPDATE)])
def test_a_killed_run_is_made_good_by_the_next(beginnings: Beginnings, tmp_path: Path, act: str, fault: str) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(beginnings.untrained if act == "train" else beginnings.trained, folder)
    assert run_killed(act, folder, fault) == -signal.SIGKILL, f"{fault} was not reached"
    shop = run_again(act, folder)
    assert_as_if_nothing_had_happened(shop, beginnings.weights[act])
    close(shop)


@pytest.mark.real
def test_a_run_that_is_killed_again_and_again(beginnings: Beginnings, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(beginnings.trained, folder)
    for fault in ("fit:after_checkpoint:2", "checkpoint:between_renames:2", "record:row", "promote:row"):
        assert run_killed("update", folder, fault) == -signal.SIGKILL
    shop = run_again("update", folder)
    assert_as_if_nothing_had_happened(shop, beginnings.weights["update"])
    close(shop)
