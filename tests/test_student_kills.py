"""``kill -9`` while a backbone adapts or a student is taught: the next run goes on, and ends with the same weights."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from freshtune import front_door
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

FLAGS = (
    "model.cut=2", "learn.adapter={name='head_only'}", "learn.adapt.on=true", "learn.adapt.steps=4",
    "learn.adapt.batch_tokens=400",
    "learn.adapt.checkpoint_seconds=0", "learn.student.teacher=live", "learn.student.layers=1",
    "learn.student.epochs=1", "learn.student.batch_tokens=1500", "learn.student.checkpoint_seconds=0",
    "learn.first.checkpoint_seconds=0", "learn.first.epochs=2",
)  # fmt: skip
FAULTS = ("adapt:after_checkpoint:2", "checkpoint:between_renames:4", "fit:after_checkpoint:3", "record:committed")


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a live release."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("student-kills")
    shop = make_shop(folder / "shop", backbone(folder / "backbone"))
    shop.ingest(reviews(0, 300), REVIEW)
    shop.train("sentiment")
    close(shop)
    return folder / "shop"


def trained(folder: Path) -> tuple[str, str]:
    """Digests of the trunk and of the top that a training in this process ends with."""
    shop = front_door.open(folder, FLAGS)
    release = shop.train("sentiment")
    left = {path.name for path in shop.store.run_folder("sentiment").iterdir()}
    assert left == set(), "no checkpoint is left"
    assert verify(shop.store.registry).whole
    close(shop)
    return release.artefacts["trunk.onnx"], release.artefacts["top.safetensors"]


@pytest.mark.real
def test_a_killed_run_ends_as_a_whole_one(beginning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(beginning, tmp_path / "whole")
    expected = trained(tmp_path / "whole")
    flags = [part for flag in FLAGS for part in ("--set", flag)]
    for fault in FAULTS:
        folder = tmp_path / fault.replace(":", "-")
        shutil.copytree(beginning, folder)
        run = subprocess.run(
            [sys.executable, "-m", "freshtune", "train", "sentiment", "-w", str(folder), *flags],
            env=os.environ | {"FRESHTUNE_FAULT": fault, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert run.returncode == -signal.SIGKILL, f"{fault} was not reached: {run.stderr}"
        assert trained(folder) == expected, fault
