"""Where a run stands, on disk: safetensors and json, written beside and renamed, so a reader sees all or nothing."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from freshtune.faults import fault_point

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Progress:
    """The numbers of a run.

    Attributes:
        fingerprint: digest of everything that the run's result depends on; a checkpoint of another run is not resumed.
        step: optimiser steps done.
        best_step, best_loss: where the loss on development data was lowest; -1 and infinity before it was measured.
        checks_without_gain: evaluations since then.
        looks: the loss of every evaluation.
    """

    fingerprint: str
    step: int = 0
    best_step: int = -1
    best_loss: float | None = None
    checks_without_gain: int = 0
    looks: Sequence[float] = ()


def save(folder: Path, progress: Progress, tensors: Mapping[str, "Tensor"]) -> None:
    """Replace the checkpoint in ``folder``."""
    from safetensors.torch import save_file

    fresh, old = folder.with_name(f"{folder.name}.fresh"), folder.with_name(f"{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, fresh / "tensors.safetensors")
    (fresh / "progress.json").write_bytes(orjson.dumps(asdict(progress)))
    for path in fresh.iterdir():
        _sync(path)
    fault_point("checkpoint:before_rename")
    if folder.exists():
        folder.replace(old)
    fault_point("checkpoint:between_renames")
    fresh.replace(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, fingerprint: str) -> tuple[Progress, dict[str, "Tensor"]] | None:
    """The checkpoint of this very run, or None."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for place in (folder, folder.with_name(f"{folder.name}.old")):
        try:
            progress = Progress(**orjson.loads((place / "progress.json").read_bytes()))
            tensors = load_file(place / "tensors.safetensors")
        except (OSError, SafetensorError, orjson.JSONDecodeError, TypeError):
            continue  # the other place may hold a whole one; none is as good as a fresh start
        if progress.fingerprint == fingerprint:
            return progress, tensors
    return None


def exists(folder: Path) -> bool:
    """Whether a run has left anything to go on from."""
    return any((place / "progress.json").is_file() for place in (folder, folder.with_name(f"{folder.name}.old")))


def remove(folder: Path) -> None:
    """Forget the run."""
    for suffix in ("", ".fresh", ".old"):
        shutil.rmtree(folder.with_name(folder.name + suffix), ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
