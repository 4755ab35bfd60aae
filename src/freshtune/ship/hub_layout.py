"""A release as a folder that others can open: Hugging Face's file names, a model card, nothing of freshtune needed."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import orjson

from freshtune import record_json
from freshtune.errors import IntegrityError, NotFound, UsageError
from freshtune.records import Json, Release
from freshtune.ship.artefacts import digest_of
from freshtune.ship.changes import CHANGE, WEIGHTS, top_weights
from freshtune.ship.model_card import DATA_WINDOW, DataWindow, base_model, model_card
from freshtune.ship.registry_reader import RegistryReader
from freshtune.ship.release_rows import MANIFEST, VERDICT

_NEEDED = ("trunk.onnx", "top.onnx", "tokenizer.json", "model.json")
_MADE_HERE = ("config.json", "tokenizer_config.json", "README.md")
# Nothing else leaves the house: scorecards name examples by the sender's ids, remembered examples are customers' texts.
_PUBLIC = {*_NEEDED, WEIGHTS, "vocab.txt", DATA_WINDOW, MANIFEST, VERDICT}


def export_hub(release: str, registry: RegistryReader, folder: Path) -> Path:
    """Write a release as a folder in the layout of the Hugging Face hub.

    The folder appears whole or not at all. One that holds an earlier export is replaced.

    Args:
        release: its id.
        registry: where it is.
        folder: where to; must not exist, be empty, or hold an earlier export and nothing else.

    Returns:
        The folder.

    Raises:
        UsageError: the folder holds something else.
        NotFound: no such release, its files were pruned, or it has no ONNX form.
        IntegrityError: a file's bytes are not what the release says.
    """
    found = registry.get(registry.whole(release).id)
    lacking = sorted(set(_NEEDED) - set(found.artefacts))
    if lacking:
        raise NotFound(f"{found.id} has no {', '.join(lacking)}", "Only a release that can be served can be exported.")
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        building = Path(name) / "new"
        building.mkdir()
        _fill(building, found, registry)
        if folder.exists():
            folder.rename(Path(name) / "old")
        building.rename(folder)
    return folder


def _fill(folder: Path, release: Release, registry: RegistryReader) -> None:
    names = sorted(_PUBLIC & set(release.artefacts))
    made = [WEIGHTS] if CHANGE in release.artefacts else []
    if made:
        _write_weights(folder / WEIGHTS, release, registry)
    for name in names:
        shutil.copyfile(registry.load_file(release, name), folder / name)
        if digest_of(folder / name) != release.artefacts[name]:
            raise IntegrityError(f"{name} changed while it was copied", mend="Look at the disk, then try again.")
    described = orjson.loads((folder / "model.json").read_bytes())
    if base_model(str(described.get("backbone", ""))) is None:  # a folder: its path is of this machine
        described["backbone"] = Path(str(described.get("backbone", ""))).name
        _write_json(folder / "model.json", described)
    window = record_json.loads(DataWindow, (folder / DATA_WINDOW).read_bytes()) if DATA_WINDOW in names else None
    _write_json(folder / "config.json", config(release, described, [*names, *_MADE_HERE, *made]))
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": described["max_tokens"]},
    )
    (folder / "README.md").write_text(model_card(release, described, window), "utf-8")


def _write_weights(path: Path, release: Release, registry: RegistryReader) -> None:
    """Whole, where the release holds what changed since its parent."""
    from safetensors.numpy import save_file

    save_file(top_weights(registry, release.id), path)


def config(release: Release, described: Mapping[str, Json], files: list[str]) -> dict[str, Json]:
    """``config.json``: the fields that the hub and ``transformers`` know, and ours under ``freshtune``."""
    head = described["head"]
    labels = head.get("labels") if isinstance(head, dict) else None
    names = [str(label) for label in labels] if isinstance(labels, list) else []
    base = base_model(str(described.get("backbone", "")))
    return {
        "model_type": "freshtune-onnx",
        "hidden_size": described.get("width"),
        "num_hidden_layers": described.get("layers"),
        "max_position_embeddings": described["max_tokens"],
        "id2label": {str(number): label for number, label in enumerate(names)},
        "label2id": {label: number for number, label in enumerate(names)},
        "_name_or_path": base[0] if base else "",
        "freshtune": {"release": release.id, "task": release.task, "head": head, "files": list(files)},
    }


def _refuse_foreign(folder: Path) -> None:
    """Let nothing be replaced but what an earlier export wrote."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder.name} is no folder", mend="Name another one.")
    present = {path.name for path in folder.iterdir()} if folder.exists() else set()
    strangers = sorted(present - _earlier(folder))
    if strangers:
        raise UsageError(
            f"{folder.name} is not empty",
            f"It holds {strangers[0]!r}, which no export has written.",
            "Name another folder, or move that away.",
        )


def _earlier(folder: Path) -> set[str]:
    """File names that an earlier export says it wrote here."""
    try:
        return set(orjson.loads((folder / "config.json").read_bytes())["freshtune"]["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _write_json(path: Path, content: Mapping[str, Json]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
