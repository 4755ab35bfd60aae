"""A tiny model as a loss term sees it: every head, at every place where the first trained layer can lie."""

from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from freshtune.learn.batches import Batch, TrainingSet
from freshtune.learn.losses.trained import Trained
from freshtune.model.adapters import Adapter
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.backbone import TextModel, open_backbone
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.several import Several
from freshtune.records import Label
from tests.model.tiny_models import LAYERS, WORDS

EVERY_HEAD: tuple[Head, ...] = (
    Classes(("差", "good", "手机")),
    Ordinal(1, 5),
    Score(0, 2),
    Several(("差", "good", "手机")),
)
LABELS: dict[str, tuple[Label, ...]] = {
    "classes": ("差", "手机", (0.2, 0.3, 0.5), (1.0, 0.0, 0.0)),
    "ordinal": (1, 5, 3, (0.1, 0.2, 0.3, 0.2, 0.2)),
    "score": (0.0, 2.0, 1.25, (0.4,)),
    "several": (("差",), ("good", "差", "手机"), (0.2, 0.9, 0.5), ("手机",)),
}
LENGTHS = (6, 3, 5, 2)
PLACES: Mapping[str, tuple[Adapter, int]] = {
    "ids": (Full(), 0),
    "hidden": (TopLayers(k=1), LAYERS - 1),
    "head": (HeadOnly(), LAYERS),
}
"""What learns, and the layers below what the batch holds."""


@dataclass
class Toy:
    """One batch, its logits and the model in training; ``asked`` notes what the model was asked beyond them."""

    model: TextModel
    cut: int
    batch: Batch
    trained: Trained
    logits: Tensor
    asked: list[Tensor] = field(default_factory=list)


def opened(folder: Path, head: Head, place: str) -> tuple[TextModel, int]:
    """The tiny model in training, its weights the same each time, and the cut."""
    torch.manual_seed(5)
    model = open_backbone(str(folder), None, head.outputs, 16)[0]
    adapter, cut = PLACES[place]
    adapter.attach(model)
    dropping(model, 0.0)
    return model.train(), cut


def dropping(model: TextModel, dropout: float) -> None:
    model.dropout = dropout
    for block in model.blocks.values():
        block.dropout = dropout  # type: ignore[assignment]


def batch_of(
    head: Head, inputs: Tensor, attention_mask: Tensor, teacher: Tensor | None, weights: tuple[float, ...] = ()
) -> Batch:
    """The labels above; the first three rows are of one group, and two of them are remembered."""
    targets = torch.from_numpy(np.stack([head.target(label) for label in LABELS[head.kind]]))
    return Batch(
        head=head,
        inputs=inputs,
        attention_mask=attention_mask,
        targets=targets,
        weights=torch.tensor(weights or (1.0,) * 4),
        remembered=torch.tensor([True, False, True, True]),
        teacher=teacher,
        groups=torch.tensor([7, 7, 7, 4]),
        teacher_vectors=torch.randn(4, 24, generator=torch.Generator().manual_seed(6)),
    )


@cache
def _prepared(
    folder: Path, head: Head, place: str, size: float, padding: int
) -> tuple[TextModel, int, Tensor, Tensor, dict[str, Tensor]]:
    """Model, cut, inputs, mask, and the weights that it began with; a model is opened once and copied."""
    model, cut = opened(folder, head, place)
    ids = torch.randint(5, WORDS, (4, max(LENGTHS)), generator=torch.Generator().manual_seed(2))
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    with torch.no_grad():
        inputs = ids if place == "ids" else model.lower(ids, mask, cut)
        if cut == model.layers:  # what the head reads: one row a tap, nothing padded
            mask = torch.ones(inputs.shape[:2], dtype=torch.int64)
        inputs = inputs * (mask if place == "ids" else mask[:, :, None])
        if padding and cut < model.layers:
            inputs = torch.cat([inputs, torch.zeros_like(inputs[:, :1]).expand(-1, padding, *inputs.shape[2:])], 1)
            mask = torch.nn.functional.pad(mask, (0, padding))
        begun = {name: weight.detach().clone() for name, weight in weights_of(model).items()}
        for weight in weights_of(model).values():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)) * 0.02)
        model.head.weight.mul_(10 * size)
        model.head.bias.mul_(10 * size)
    return model, cut, inputs, mask, begun


def toy(folder: Path, head: Head, place: str, dropout: float = 0.0, size: float = 1.0, padding: int = 0) -> Toy:
    """A toy whose weights have moved a little from where they began; ``size`` is a factor on its logits."""
    assert isinstance(head, Hashable)
    model, cut, inputs, mask, begun = deepcopy(_prepared(folder, head, place, size, padding))
    dropping(model, dropout)
    teacher = torch.randn(4, head.outputs, generator=torch.Generator().manual_seed(4)) * size
    batch = batch_of(head, inputs, mask, teacher)
    return seen(Toy(model, cut, batch, Trained(lambda: inputs, lambda hidden: hidden, {}, {}), inputs), begun)


def seen(made: Toy, begun: Mapping[str, Tensor], batch: Batch | None = None) -> Toy:
    """The same model, on another batch where one is given, as the loop would show it to a term."""
    model, cut, batch = made.model, made.cut, batch or made.batch
    asked: list[Tensor] = []

    def hidden() -> Tensor:
        if batch.inputs.dtype.is_floating_point:
            return batch.inputs
        with torch.no_grad():
            return model.lower(batch.inputs, batch.attention_mask, 0)

    def logits(inputs: Tensor) -> Tensor:
        asked.append(inputs.detach().clone())
        return model.upper(inputs, batch.attention_mask, cut)

    torch.manual_seed(8)
    floating = batch.inputs.dtype.is_floating_point
    below = batch.inputs if floating else model.lower(batch.inputs, batch.attention_mask, 0)
    read = model.read(below, batch.attention_mask, cut)
    now = model.answered(read)
    importance = {name: torch.full_like(weight, 0.5) for name, weight in begun.items()}
    trained = Trained(hidden, logits, weights_of(model), begun, importance, read)
    return Toy(model, cut, batch, trained, now, asked)


def weights_of(model: TextModel) -> dict[str, Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def rows_of(batch: Batch, rows: list[int]) -> Batch:
    """Some rows of a batch."""
    place = torch.tensor(rows)
    return replace(
        batch,
        inputs=batch.inputs[place],
        attention_mask=batch.attention_mask[place],
        targets=batch.targets[place],
        weights=batch.weights[place],
        remembered=batch.remembered[place],
        teacher=None if batch.teacher is None else batch.teacher[place],
        groups=None if batch.groups is None else batch.groups[place],
        teacher_vectors=None if batch.teacher_vectors is None else batch.teacher_vectors[place],
    )


def lesson_of(model: TextModel, head: Head, cut: int, rows: int, seed: int) -> TrainingSet:
    """A training set of single words for any head, a third of it remembered, in groups of three."""
    random = np.random.default_rng(seed)
    ids = [random.integers(5, WORDS, random.integers(2, 9)).astype(np.int32) for _ in range(rows)]
    hard = {
        "classes": ("差", "good", "手机"),
        "ordinal": (1, 2, 3, 4, 5),
        "score": (0.0, 1.0, 2.0),
        "several": (("差",), ("good", "差"), ("手机",)),
    }[head.kind]
    inputs: list[NDArray[np.generic]] = [*ids]
    if cut:
        with torch.inference_mode():
            inputs = [model.lower(torch.from_numpy(row.astype(np.int64))[None], None, cut)[0].numpy() for row in ids]
    return TrainingSet(
        head=head,
        inputs=inputs,
        targets=np.stack([head.target(hard[int(row[0]) % len(hard)]) for row in ids]),
        weights=np.ones(rows, np.float32),
        remembered=np.arange(rows) % 3 == 0,
        teacher=random.normal(size=(rows, head.outputs)).astype(np.float32),
        groups=np.arange(rows, dtype=np.int64) // 3,
        teacher_vectors=random.normal(size=(rows, 24)).astype(np.float32),
    )
