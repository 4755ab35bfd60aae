"""The files of a release: what is served, and what the next update starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from freshtune.errors import IntegrityError
from freshtune.model.families import Architecture
from freshtune.model.heads import Head
from freshtune.model.onnx_model import OnnxModel, OnnxTrunk, Trunk, described_model, head_of
from freshtune.model.tokens import Tokens
from freshtune.model.trunk_cache import CachedTrunk, TrunkCache
from freshtune.model.words import with_words
from freshtune.records import Json
from freshtune.ship.changes import (
    CHANGE,
    LONGEST,
    WEIGHTS,
    Floats,
    change_of,
    facts_of_change,
    is_small,
    rebuilt,
    write_change,
)
from freshtune.ship.compression import Compression
from freshtune.ship.export import TopTemplate, export_top, export_trunk

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel

TRUNK, TOP, TEMPLATE = "trunk.onnx", "top.onnx", "top_template.onnx"
MODEL, TOKENIZER, REHEARSAL = "model.json", "tokenizer.json", "rehearsal.safetensors"
SERVED = (TRUNK, TOP, MODEL, TOKENIZER)
"""What must be loaded to serve."""


@dataclass(frozen=True)
class ModelFacts:
    """What is said of a model beside its weights.

    Attributes:
        backbone: the name that it was opened by.
        cut: layers of the trunk.
        architecture: of the whole model, see ``model.families.Architecture``.
        teacher: the release that taught it, where it is a student; else empty.
        adapted: its network has read the shop's own texts before it learned the task.
    """

    backbone: str
    cut: int
    architecture: Mapping[str, Json]
    teacher: str = ""
    adapted: bool = False

    @property
    def layers(self) -> int:
        """Of the whole model."""
        return int(str(self.architecture["layers"]))

    @property
    def taps(self) -> tuple[int, ...]:
        """The layers that the head reads."""
        return Architecture.of_json(self.architecture).read

    @staticmethod
    def read(described: Mapping[str, Json]) -> "ModelFacts":
        """Out of ``model.json``."""
        architecture = described["architecture"]
        if not isinstance(architecture, dict):
            raise IntegrityError("model.json does not describe an architecture.")
        return ModelFacts(
            str(described["backbone"]),
            int(str(described["cut"])),
            architecture,
            str(described.get("teacher", "")),
            bool(described.get("adapted", False)),
        )


def write_trunk(model: "TextModel", cut: int, compression: Compression, path: Path) -> None:
    """Export and compress the part below the cut."""
    whole = path.with_suffix(".whole.onnx")
    export_trunk(model, cut, whole)
    compression.apply(whole, path)
    whole.unlink()


def write_first(model: "TextModel", tokens: Tokens, head: Head, facts: ModelFacts, folder: Path) -> None:
    """Write what all later releases of the same trunk share: template, tokenizer and description."""
    export_top(model, facts.cut, folder / TEMPLATE)
    tokens.write(folder / TOKENIZER)
    described: dict[str, Json] = {
        "head": _described(head),
        "prefix": tokens.prefix,
        "max_tokens": tokens.max_tokens,
        "backbone": facts.backbone,
        "cut": facts.cut,
        "layers": model.layers,
        "width": model.width,
        "pooling": str(model.architecture.pooling),
        "architecture": dict(facts.architecture),
        **({"teacher": facts.teacher} if facts.teacher else {}),
        **({"adapted": True} if facts.adapted else {}),
    }
    _write_description(described, folder)


def _write_description(described: Mapping[str, Json], folder: Path) -> None:
    (folder / MODEL).write_bytes(orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def write_next(
    bundle: "Bundle",
    head: Head,
    weights: Mapping[str, "Tensor"],
    factors: Mapping[str, Mapping[str, "Tensor"]],
    compression: Compression,
    folder: Path,
) -> None:
    """Write a challenger's top, over one that stands there: what changed since its champion where that is small, else
    its weights whole.

    The graph is filled with what comes of the stored bytes, on the champion's template, or on a new one where the
    weights are others by name or shape. Where the head has grown, what is said of the model is another too.

    Args:
        bundle: the champion's.
        head, weights: the challenger's.
        factors: see :func:`freshtune.ship.changes.change_of`.
    """
    from safetensors.numpy import load_file, save_file

    if head != bundle.head:
        _write_description({**described_model(bundle.folder / MODEL), "head": _described(head)}, folder)
    for name in (CHANGE, WEIGHTS):
        (folder / name).unlink(missing_ok=True)
    parent = load_file(bundle.folder / WEIGHTS)
    whole = {name: weight.contiguous().numpy() for name, weight in weights.items()}
    small = {name: {part: value.numpy() for part, value in parts.items()} for name, parts in factors.items()}
    stored = change_of(whole, parent, small)
    _, steps = facts_of_change(bundle.folder / CHANGE)
    if is_small(stored, whole) and steps < LONGEST:
        whole = rebuilt(parent, stored)
        write_change(stored, whole, steps + 1, folder / CHANGE)
    else:
        save_file(whole, folder / WEIGHTS)
    template = bundle.folder / TEMPLATE
    if {name: value.shape for name, value in parent.items()} != {name: value.shape for name, value in whole.items()}:
        template = _new_template(bundle.facts, weights, folder)
    _write_graph(template, whole, compression, folder)


def _new_template(facts: ModelFacts, weights: Mapping[str, "Tensor"], folder: Path) -> Path:
    from freshtune.model.backbone import open_top

    model = open_top(facts.architecture, facts.cut, len(weights["head.bias"]), weights)
    export_top(model, facts.cut, folder / TEMPLATE)
    return folder / TEMPLATE


def write_top(template: Path, weights: Mapping[str, "Tensor"], compression: Compression, folder: Path) -> None:
    """Write a top's weights, exact for the next update and compressed for serving."""
    from safetensors.numpy import save_file

    whole = {name: weight.contiguous().numpy() for name, weight in weights.items()}
    save_file(whole, folder / WEIGHTS)
    _write_graph(template, whole, compression, folder)


def _write_graph(template: Path, weights: Mapping[str, Floats], compression: Compression, folder: Path) -> None:
    whole = folder / "top.whole.onnx"
    TopTemplate(template).write_top(weights, whole)
    compression.apply(whole, folder / TOP)
    whole.unlink()


def _described(head: Head) -> dict[str, Json]:
    stored = ((part.name, getattr(head, part.name)) for part in fields(head))  # type: ignore[arg-type]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in stored}


@dataclass(frozen=True)
class Bundle:
    """A release laid out in a folder, open for learning and judging.

    Attributes:
        trunk, cached: the trunk as it is, and with its cache in front.
        threads: texts that run at a time.
    """

    folder: Path
    facts: ModelFacts
    tokens: Tokens
    trunk: Trunk
    cached: Trunk
    head: Head
    threads: int

    def predictor(self, top: Path | None = None, head: Head | None = None) -> OnnxModel:
        """The model as it is served; with another top on the same trunk, and its head, where they are given."""
        return OnnxModel(self.tokens, self.cached, top or self.folder / TOP, head or self.head, self.threads)

    def uncached(self, top: Path | None = None) -> OnnxModel:
        """The same, computing all, as the service does."""
        return OnnxModel(self.tokens, self.trunk, top or self.folder / TOP, self.head, self.threads)

    def served_bytes(self, top: Path | None = None) -> int:
        """Size of all that must be loaded to serve."""
        others = sum((self.folder / name).stat().st_size for name in SERVED if name != TOP)
        return others + (top or self.folder / TOP).stat().st_size

    def top(self) -> "TextModel":
        """The exact weights above the cut, to learn from."""
        from safetensors.torch import load_file

        from freshtune.model.backbone import open_top

        weights = load_file(self.folder / WEIGHTS)
        return open_top(self.facts.architecture, self.facts.cut, self.head.outputs, weights)


def open_bundle(folder: Path, cache: TrunkCache | None, threads: int) -> Bundle:
    """Open the verified files of a release.

    Args:
        folder: with the files under their names.
        cache: of the trunk's outputs; None keeps none.
        threads: texts that run at a time.
    """
    described = described_model(folder / MODEL)
    tokens = Tokens.open(folder / TOKENIZER, str(described["prefix"]), int(str(described["max_tokens"])))
    trunk: Trunk = OnnxTrunk(folder / TRUNK, threads)
    cached = trunk if cache is None else CachedTrunk(trunk, cache)
    head = head_of(described["head"])
    facts = ModelFacts.read(described)
    trunk, cached = (with_words(each, facts.architecture) for each in (trunk, cached))
    return Bundle(folder, facts, tokens, trunk, cached, head, threads)


def files_of(*folders: Path) -> dict[str, Path]:
    """Every file of a release by its name; a later folder's files stand in for an earlier one's.

    The weights, or what changed of them, are the last folder's own.
    """
    shared = {name: folder / name for folder in folders for name in (*SERVED, TEMPLATE) if (folder / name).is_file()}
    return shared | {name: folders[-1] / name for name in (WEIGHTS, CHANGE) if (folders[-1] / name).is_file()}
