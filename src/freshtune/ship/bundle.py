"""The files of a release: what is served, and what the next update starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from freshtune.errors import IntegrityError
from freshtune.model.families import Architecture
from freshtune.model.heads import Head
from freshtune.model.onnx_model import OnnxModel, OnnxTrunk, Trunk, described_model, head_of
from freshtune.model.tokens import Tokens
from freshtune.model.trunk_cache import CachedTrunk, TrunkCache
from freshtune.records import Json
from freshtune.ship.compression import Compression
from freshtune.ship.export import TopTemplate, export_top, export_trunk

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.backbone import TextModel

TRUNK, TOP, TEMPLATE, WEIGHTS = "trunk.onnx", "top.onnx", "top_template.onnx", "top.safetensors"
MODEL, TOKENIZER, REHEARSAL = "model.json", "tokenizer.json", "rehearsal.json"
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
    """

    backbone: str
    cut: int
    architecture: Mapping[str, Json]
    teacher: str = ""

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
            str(described["backbone"]), int(str(described["cut"])), architecture, str(described.get("teacher", ""))
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
    described = {
        "head": {"kind": head.kind, **_fields(head)},
        "prefix": tokens.prefix,
        "max_tokens": tokens.max_tokens,
        "backbone": facts.backbone,
        "cut": facts.cut,
        "layers": model.layers,
        "width": model.width,
        "pooling": str(model.architecture.pooling),
        "architecture": dict(facts.architecture),
        **({"teacher": facts.teacher} if facts.teacher else {}),
    }
    (folder / MODEL).write_bytes(orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def write_top(template: Path, weights: Mapping[str, "Tensor"], compression: Compression, folder: Path) -> None:
    """Write a top's weights, exact for the next update and compressed for serving."""
    from safetensors.torch import save_file

    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / WEIGHTS)
    whole = folder / "top.whole.onnx"
    TopTemplate(template).write_top({name: weight.numpy() for name, weight in weights.items()}, whole)
    compression.apply(whole, folder / TOP)
    whole.unlink()


def _fields(head: Head) -> dict[str, Json]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(head).items()}


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

    def predictor(self, top: Path | None = None) -> OnnxModel:
        """The model as it is served; with another top on the same trunk where one is given."""
        return OnnxModel(self.tokens, self.cached, top or self.folder / TOP, self.head, self.threads)

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
    return Bundle(folder, ModelFacts.read(described), tokens, trunk, cached, head, threads)


def files_of(*folders: Path) -> dict[str, Path]:
    """Every file of a release by its name; a later folder's files stand in for an earlier one's."""
    names = (*SERVED, TEMPLATE, WEIGHTS)
    return {name: folder / name for folder in folders for name in names if (folder / name).is_file()}
