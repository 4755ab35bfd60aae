"""What the laws of adapters are played on: members with settings for a tiny model, models, heads, batches."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from freshtune.learn.batches import Batch, TrainingSet, assemble
from freshtune.learn.losses.supervised import Supervised
from freshtune.model.adapters import ADAPTERS, Adapter
from freshtune.model.adapters.adalora import AdaLora
from freshtune.model.adapters.bias_only import BiasOnly
from freshtune.model.adapters.bottleneck import Bottleneck
from freshtune.model.adapters.ia3 import Ia3
from freshtune.model.adapters.lora import Lora
from freshtune.model.adapters.prefix import Prefix
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.adapters.trainable_tokens import TrainableTokens
from freshtune.model.blocks import TextModel
from freshtune.model.families import architecture_of, renamed
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.several import Several
from freshtune.records import Json, Label
from tests.model.tiny_models import FAMILIES, LAYERS, library_model

CUT = LAYERS - 1
EVERY_HEAD: Mapping[str, tuple[Head, tuple[Label, ...]]] = {
    "classes": (Classes(("差", "good", "手机")), ("差", "good", "手机", "差", "good", "手机")),
    "ordinal": (Ordinal(1, 5), (1, 2, 3, 4, 5, 1)),
    "score": (Score(0, 2), (0.0, 2.0, 1.0, 0.5, 2.0, 0.0)),
    "several": (
        Several(("差", "good", "手机")),
        (("差",), ("good",), ("good", "差"), ("手机",), ("手机", "差"), ("good", "手机")),
    ),
}
SETTINGS: Mapping[str, Callable[[], Adapter]] = {
    **ADAPTERS,
    "top_layers": partial(TopLayers, k=1),
    "bias_only": partial(BiasOnly, k=1),
    "lora": partial(Lora, rank=2, alpha=4.0, dropout=0.1, k=1),
    "adalora": partial(AdaLora, rank=3, target_rank=1, alpha=8.0, k=1),
    "ia3": partial(Ia3, k=1),
    "bottleneck": partial(Bottleneck, size=4, k=1),
    "prefix": partial(Prefix, length=2, k=1),
    "trainable_tokens": partial(TrainableTokens, rows=(5, 6, 9)),
}
BELOW_THE_CUT = {"full", "trainable_tokens"}
MERGING = [name for name, member in ADAPTERS.items() if member.merges]
UNMERGED = [name for name in ADAPTERS if name not in MERGING]


def product_of(names: list[str]) -> pytest.MarkDecorator:
    """Member × family × head: so many that each two meet quickly, the rest marked ``real``."""
    cases = []
    for (m, name), (f, family), (h, kind) in product(enumerate(names), enumerate(FAMILIES), enumerate(EVERY_HEAD)):
        marks = () if (m + f) % len(EVERY_HEAD) == h else (pytest.mark.real,)
        cases.append(pytest.param(name, family, kind, marks=marks, id=f"{name}-{family}-{kind}"))
    return pytest.mark.parametrize(("name", "family", "kind"), cases)


def open_model(family: str = "bert", outputs: int = 2) -> TextModel:
    """The tiny model of a family, in evaluation mode, its head the same each time."""
    config, weights = _stored(family)
    torch.manual_seed(3)
    architecture = architecture_of(config)
    model = TextModel(architecture, outputs)
    model.load_state_dict({**model.top_state(architecture.layers), **renamed(weights, config)})
    return model.eval()


@cache
def _stored(family: str) -> tuple[dict[str, Json], dict[str, Tensor]]:
    model = library_model(family)
    return model.config.to_dict(), model.state_dict()


def examples_of(kind: str) -> TrainingSet:
    head, labels = EVERY_HEAD[kind]
    random = np.random.default_rng(4)
    inputs: list[NDArray[np.generic]] = [random.integers(5, 12, size).astype(np.int32) for size in (3, 5, 2, 4, 6, 3)]
    targets = np.stack([head.target(label) for label in labels])
    return TrainingSet(head, inputs, targets, np.ones(len(labels), np.float32), np.zeros(len(labels), np.bool_))


def batch_of(kind: str) -> Batch:
    return assemble(examples_of(kind), np.arange(6))


def answers(model: TextModel, batch: Batch) -> Tensor:
    with torch.inference_mode():
        return model.eval()(batch.inputs, batch.attention_mask).clone()  # type: ignore[no-any-return]


def copied(model: TextModel) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def trained(model: TextModel, batch: Batch, steps: int, rate: float = 0.01) -> list[float]:
    """The losses of some steps on what is trainable."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser, losses = torch.optim.AdamW(weights, rate), []
    for _ in range(steps):
        model.train()
        loss = Supervised()(batch, model(batch.inputs, batch.attention_mask))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def trained_above(model: TextModel, hidden: Tensor, batch: Batch, steps: int = 3) -> None:
    """Some steps above the cut, on what the trunk gives."""
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], 0.03)
    for _ in range(steps):
        loss = Supervised()(batch, model.train().upper(hidden, batch.attention_mask, CUT))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def still(model: TextModel) -> None:
    """No dropout, so that two losses can be compared."""
    model.dropout = 0.0
    for block in model.blocks.values():
        block.dropout = 0.0  # type: ignore[assignment]
