"""The files of a release under their names, for whoever opens a folder."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from freshtune.errors import IntegrityError
from freshtune.ship.artefacts import digest_of
from freshtune.ship.changes import CHANGE, WEIGHTS, digest_of_weights, facts_of_change, top_weights
from freshtune.ship.registry import Registry


def checkout(registry: Registry, release: str, folder: Path) -> Path:
    """Lay a release out as ``folder/<release id>``; every file is verified first, each time.

    Weights that are stored as what changed are rebuilt. Files are linked where the store is on the same disk, so a
    checkout costs no space and outlives ``prune``.

    Args:
        registry: where the release is.
        release: its id.
        folder: parent of the new folder; created when absent.

    Returns:
        The folder with ``trunk.onnx``, ``top.onnx``, ``model.json`` and so on.

    Raises:
        IntegrityError: a file's bytes are not what the release says.
        NotFound: no such release, or its files were pruned.
    """
    summary = registry.whole(release)
    artefacts = registry.files(summary.id)
    target = folder / summary.id
    if target.is_dir() and _same(target, artefacts):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".checkout-", dir=folder) as name:
        building = Path(name) / summary.id
        building.mkdir()
        for file, digest in artefacts.items():
            _link(registry.artefacts.path(digest), building / file)
        if CHANGE in artefacts:
            _rebuild(registry, summary.id, building)
        try:
            building.rename(target)
        except OSError:
            _replace(building, target, artefacts)
    return target


def _same(folder: Path, artefacts: Mapping[str, str]) -> bool:
    whole = all((folder / name).is_file() and digest_of(folder / name) == digest for name, digest in artefacts.items())
    return whole and (CHANGE not in artefacts or _is_rebuilt(folder))


def _is_rebuilt(folder: Path) -> bool:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return digest_of_weights(load_file(folder / WEIGHTS)) == facts_of_change(folder / CHANGE)[0]
    except (OSError, SafetensorError, IntegrityError):
        return False


def _rebuild(registry: Registry, release: str, folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file(top_weights(registry, release), folder / WEIGHTS)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def _replace(building: Path, target: Path, artefacts: Mapping[str, str]) -> None:
    """Put ``building`` in place of a folder that stands there: another process's work, or a damaged one."""
    if target.is_dir() and _same(target, artefacts):
        return
    target.rename(building.parent / "replaced")  # goes with the temporary folder
    building.rename(target)
