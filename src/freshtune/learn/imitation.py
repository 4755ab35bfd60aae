"""A student learns to answer as its teacher does, and to see what it sees: the whole network, in the one loop.

The teacher may be another network with another tokenizer: it is known by its answers and by a vector a text. For the
time of the lesson the student's head is wider than its task's: the columns after the logits are a learned projection of
what the head reads onto the main directions of the teacher's vectors. They are thrown away afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.learn.batches import TrainingSet, padded
from freshtune.learn.fit import Fit, FitReport, Step, fit, seeded
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.state import Run
from freshtune.model.heads import Head

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained
    from freshtune.model.backbone import TextModel

_SAMPLE = 256
"""Texts by which the head's readings are standardised before the first step."""


@dataclass(frozen=True)
class Imitation:
    """The sum of three terms: the labels, the teacher's answers, the teacher's vectors.

    Sources: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network*, 2015 (answers); Romero et al.,
    *FitNets: hints for thin deep nets*, 2015 (what a layer says, through a learned projection); Sun et al., *Patient
    knowledge distillation for BERT model compression*, 2019 (vectors of whole texts).

    Attributes:
        labels: weight of the cross-entropy with the labels, of those texts that have one.
        answers: weight of the divergence from the teacher's answers, of all texts.
        temperature: of the answers.
        vectors: weight of the mean squared error on the teacher's vectors; 0 leaves them out.
        dimensions: main directions of the teacher's vectors that are imitated, at most.
    """

    labels: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    answers: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    vectors: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    dimensions: Annotated[int, Field(ge=1, le=4_096)] = 128

    @property
    def weight(self) -> float:
        """Of the sum, in the loop's: it is the only one."""
        return 1.0

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch; of the logits and of ``batch.teacher``, the columns after the head's are the vector."""
        from torch.nn import functional

        assert batch.teacher is not None  # noqa: S101 (a lesson has one)
        own = batch.head.outputs
        said, seen = logits[:, :own], logits[:, own:]
        alone = replace(batch, teacher=batch.teacher[:, :own])
        answers = Distillation(temperature=self.temperature, remembered=1.0, new=1.0)
        loss = self.labels * Supervised()(alone, said) + self.answers * answers(alone, said)
        if seen.shape[1]:
            loss = loss + self.vectors * functional.mse_loss(seen, batch.teacher[:, own:])
        return loss


@dataclass(frozen=True)
class Shown:
    """What a teacher shows its student, a row a text.

    Attributes:
        inputs: the student's own token ids, int ``[t]`` each.
        targets: float32 ``[n, outputs]``, see ``Head.target``; zeros where there is no label.
        weights: float32 ``[n]``, of the labels; 0 where there is none.
        answers: the teacher's logits, float32 ``[n, outputs]``.
        vectors: the teacher's vectors, float32 ``[n, width]``.
    """

    inputs: Sequence[NDArray[np.int32]]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    answers: NDArray[np.float32]
    vectors: NDArray[np.float32]


def imitate(
    model: "TextModel",
    head: Head,
    shown: Shown,
    settings: tuple[Imitation, Fit],
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> FitReport:
    """Train all of a student's weights on what its teacher shows; it ends with a new head of the task's own width.

    Without development rows: the last weights stay.

    Raises:
        Diverged: the loss is not finite.
    """
    from freshtune.model.blocks import Readout

    imitation, loop = settings
    seen = main_directions(shown.vectors, imitation.dimensions if imitation.vectors else 0)
    seeded(loop.seed)
    model.head = Readout(model.head.in_features, head.outputs + seen.shape[1])
    _standardise(model, shown.inputs[:_SAMPLE])
    model.requires_grad_(True)
    everything = TrainingSet(
        head=head,
        inputs=shown.inputs,
        targets=shown.targets,
        weights=shown.weights,
        remembered=np.zeros(len(shown.inputs), np.bool_),
        teacher=np.concatenate([shown.answers, seen], axis=1),
    )
    nothing = replace(everything, inputs=(), targets=everything.targets[:0], weights=everything.weights[:0])
    report = fit(model, 0, everything, nothing, (imitation,), loop, run, on_step)
    seeded(loop.seed)
    model.head = Readout(model.head.in_features, head.outputs)
    model.eval()
    return report


def main_directions(vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Vectors along their main directions, float32 ``[n, count or fewer]``, a variance of 1 on average.

    >>> main_directions(np.asarray([[0, 5], [0, 7]], np.float32), 2).round(3).tolist()
    [[-1.0], [1.0]]
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    most = min(count, int((values > 1e-9 * max(values.max(), 1e-12)).sum()))
    if not most:
        return np.empty((len(vectors), 0), np.float32)
    main = directions[:, ::-1][:, :most]
    main = main * np.where(main.sum(axis=0) < 0, -1, 1)  # a direction's sign is the library's whim
    return np.asarray(centred @ main / np.sqrt(values[::-1][:most].mean()), np.float32)


def _standardise(model: "TextModel", inputs: Sequence[NDArray[np.int32]]) -> None:
    import torch

    with torch.inference_mode():
        read = [model.lower(*padded([text]), model.layers).flatten(1) for text in inputs]
    model.head.standardise(torch.cat(read).clone())
