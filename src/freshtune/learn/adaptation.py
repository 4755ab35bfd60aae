"""``[learn.adapt]``: a pretrained model reads a shop's own texts before it learns a task; no label is looked at.

A loop beside that of ``learn.fit``, for there is neither a head nor a target here, and nothing is looked at on the way:
what it ends with is judged as every release is.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.faults import fault_point
from freshtune.learn import checkpoint
from freshtune.learn.batches import length_batches, padded
from freshtune.learn.checkpoint import Progress
from freshtune.learn.descent import Descent
from freshtune.learn.fit import Step, averaged, precision, seeded
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.optimisers.rates import decay
from freshtune.learn.schedules import scheduled
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.state import Diverged, Run

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

    from freshtune.model.backbone import TextModel

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Adapt:
    """How a pretrained model is adapted to a shop's texts; off by default.

    The layers learn, the embeddings stay. What ends first ends it: the epochs, the steps or the seconds; the learning
    rate has come down by then. Source: Gururangan et al., *Don't stop pretraining*, 2020.

    Attributes:
        on: whether it is done.
        share: of the adapted weights in the average with the pretrained ones.
        pretext: ``masked_words`` where the backbone carries the head for it, ``contrast`` for any, ``auto`` the first
            of them that can be.
        texts: the latest ones of the training side, with a label or without.
        epochs: passes over them.
        steps: at most; left out, as many as the epochs have.
        seconds: at most; left out, as long as it takes. Where they end it, another run ends with other weights.
        batch_tokens: tokens of a batch, padding included, at most.
        masked: share of a text's tokens to guess.
        temperature: of the contrast.
        dropout: the only difference between the two passes of the contrast.
    """

    on: bool = False
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    pretext: Literal["auto", "masked_words", "contrast"] = "auto"
    texts: Annotated[int, Field(ge=1)] = 20_000
    epochs: Annotated[int, Field(ge=1)] = 1
    steps: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    batch_tokens: Annotated[int, Field(ge=1)] = 4_096
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-5
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.05
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0
    seed: int = 0


class Pretext(Protocol):
    """What a model is asked that needs no label."""

    @property
    def weights(self) -> "Mapping[str, Parameter]":
        """What learns beside the model's layers, by name; thrown away afterwards."""

    def __call__(self, model: "TextModel", ids: "Tensor", attention_mask: "Tensor") -> "Tensor":
        """A scalar, the mean over a batch of token ids, int64 ``[b, t]``."""


@dataclass
class _Standing:
    """Where a run is: what a checkpoint holds."""

    names: Sequence[str]
    descent: Descent
    progress: Progress
    seconds: float = 0.0
    saved: float = field(default_factory=time.perf_counter)

    def save(self, run: Run) -> None:
        import torch

        tensors = {"random": torch.get_rng_state(), "seconds": torch.tensor(self.seconds, dtype=torch.float64)}
        tensors |= {f"weight/{name}": weight.detach() for name, weight in self._trained()}
        checkpoint.save(run.folder, self.progress, tensors | self.descent.tensors(self.names))
        self.saved = time.perf_counter()

    def resume(self, progress: Progress, tensors: Mapping[str, "Tensor"]) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(tensors[f"weight/{name}"])
            self.descent.resume(self.names, tensors)
        torch.set_rng_state(tensors["random"])
        self.progress, self.seconds = progress, float(tensors["seconds"])

    def _trained(self) -> "Iterator[tuple[str, Parameter]]":
        return zip(self.names, self.descent.weights, strict=True)


def adapt(
    model: "TextModel",
    pretext: Pretext,
    inputs: Sequence[Ids],
    settings: Adapt,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> None:
    """Let a model's layers learn from texts alone, and take the average with what they were.

    Args:
        inputs: token ids of each text, special tokens included; what repeats counts once.
        run: where to keep checkpoints and find an interrupted run's; None keeps none.
        on_step: told after each step.

    Raises:
        Diverged: the loss is not finite.
    """
    inputs = list({text.tobytes(): text for text in inputs}.values())
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    seeded(settings.seed)
    standing = _begin(model, pretext, settings, run)
    plan = _plan(inputs, settings)
    while standing.progress.step < len(plan):
        done, started = standing.progress.step, time.perf_counter()
        spent = standing.seconds / settings.seconds if settings.seconds else 0.0
        if spent >= 1:
            break
        along = min(len(plan) - 1, max(done, int(spent * len(plan))))
        rate = scheduled(Linear(), along, len(plan), settings.warmup_ratio)
        loss = _gradient(model, pretext, [inputs[row] for row in plan[done]], done + 1)
        _moved(standing.descent, done + 1, rate, settings.clip)
        standing.seconds += time.perf_counter() - started
        standing.progress = Progress(standing.progress.fingerprint, done + 1)
        on_step(Step(done + 1, len(plan), loss, settings.learning_rate * rate, None))
        if run and time.perf_counter() - standing.saved >= settings.checkpoint_seconds:
            standing.save(run)
            fault_point("adapt:after_checkpoint")
    if run:
        standing.save(run)  # what comes after it may be interrupted too
    model.eval()
    model.load_state_dict(averaged(model.state_dict(), before, settings.share))


def _begin(model: "TextModel", pretext: Pretext, settings: Adapt, run: Run | None) -> _Standing:
    """At the start, or where an interrupted run stood; the embeddings and the task's head are frozen."""
    model.requires_grad_(False)
    model.dropout = settings.dropout
    for block in model.blocks.values():
        block.requires_grad_(True)
        block.dropout = settings.dropout  # type: ignore[assignment]
    layers = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    trained = layers | {f"pretext/{name}": weight for name, weight in pretext.weights.items()}
    weights = list(trained.values())
    decays = [decay(name, weight, settings.weight_decay) for name, weight in trained.items()]
    descent = Descent(AdamW(), weights, [settings.learning_rate] * len(weights), decays)
    standing = _Standing(list(trained), descent, Progress(_fingerprint(run, trained) if run else ""))
    if found := checkpoint.load(run.folder, standing.progress.fingerprint) if run else None:
        standing.resume(*found)
    return standing


def _plan(inputs: Sequence[Ids], settings: Adapt) -> list[NDArray[np.int64]]:
    """The rows of every step."""
    lengths = [len(text) for text in inputs]
    every = [
        rows
        for epoch in range(settings.epochs)
        for rows in length_batches(lengths, settings.batch_tokens, np.random.default_rng([settings.seed, epoch]))
    ]
    return every[: settings.steps]


def _gradient(model: "TextModel", pretext: Pretext, texts: Sequence[Ids], step: int) -> float:
    model.train()
    with precision():
        loss = pretext(model, *padded(texts))
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Diverged(f"of step {step} of the adaptation", value, "Lower learn.adapt.learning_rate.")
    loss.backward()  # type: ignore[no-untyped-call]
    return value


def _moved(descent: Descent, number: int, scale: float, clip: float) -> None:
    from torch.nn.utils import clip_grad_norm_

    clip_grad_norm_([weight for weight in descent.weights if weight.grad is not None], clip)
    descent.step(number, scale)


def _fingerprint(run: Run, trained: Mapping[str, "Tensor"]) -> str:
    """The run's and its first weights'."""
    digest = hashlib.sha256(run.fingerprint.encode())
    for name, weight in trained.items():
        digest.update(f"\0{name}\0{tuple(weight.shape)}\0".encode())
        digest.update(weight.detach().contiguous().numpy().data)
    return digest.hexdigest()
