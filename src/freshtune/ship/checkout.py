"""The files of a release under their names, for whoever opens a folder."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from freshtune.ship.artefacts import digest_of
from freshtune.ship.registry import Registry


def checkout(registry: Registry, release: str, folder: Path) -> Path:
    """Lay a release out as ``folder/<release id>``; every file is verified first, each time.

    Files are linked where the store is on the same disk, so a checkout costs no space and outlives ``prune``.

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
        try:
            building.rename(target)
        except OSError:
            _replace(building, target, artefacts)
    return target


def _same(folder: Path, artefacts: Mapping[str, str]) -> bool:
    return all((folder / name).is_file() and digest_of(folder / name) == digest for name, digest in artefacts.items())


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
