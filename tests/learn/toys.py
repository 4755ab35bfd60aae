"""A toy model and toy training sets: what a word means is in its number."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freshtune.learn.batches import TrainingSet
from freshtune.model.adapters.full import Full
from freshtune.model.backbone import TextModel, open_backbone
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from tests.model.tiny_models import WORDS

SIDES = Classes(("negative", "positive"))


def open_toy(folder: Path, outputs: int = 2) -> TextModel:
    """The model in ``folder``, its head the same each time, everything to be learned."""
    import torch

    torch.manual_seed(5)
    model = open_backbone(str(folder), None, outputs, 16)[0]
    Full().attach(model)
    return model


def separable(rows: int, seed: int, head: Head = SIDES, flipped: bool = False) -> TrainingSet:
    """Texts of words from the lower half of the vocabulary for class 0, from the upper half for class 1."""
    random = np.random.default_rng(seed)
    sides = random.integers(0, 2, rows)
    middle = WORDS // 2
    inputs: list[NDArray[np.generic]] = [
        random.integers(*((middle, WORDS) if side else (5, middle)), random.integers(2, 10)).astype(np.int32)
        for side in sides
    ]
    labels = 1 - sides if flipped else sides
    targets = np.stack([head.target(SIDES.labels[label]) for label in labels])
    return TrainingSet(head, inputs, targets, np.ones(rows, np.float32), np.zeros(rows, np.bool_))


def only(examples: TrainingSet, rows: int) -> TrainingSet:
    """The first rows."""
    return TrainingSet(
        examples.head, examples.inputs[:rows], examples.targets[:rows], examples.weights[:rows],
        examples.remembered[:rows], None if examples.teacher is None else examples.teacher[:rows],
    )  # fmt: skip
