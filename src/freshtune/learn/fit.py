"""The one loop: batches by length, a weighted sum of loss terms, early stop, and a checkpoint to go on from."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from freshtune.faults import fault_point
from freshtune.learn.batches import Batch, TrainingSet, assemble, epochs, length_batches, padded
from freshtune.learn.losses import Loss
from freshtune.learn.losses.ewc import Ewc
from freshtune.learn.losses.importance import fisher, held_at, spaced
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.trained import Trained
from freshtune.learn.memory.evidence import likelihoods_of
from freshtune.learn.optimisers import Optimiser
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.schedules import Schedule, scheduled
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.state import Diverged, Run, State, top_rate

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.model.blocks import TextModel

_PREDICTION_TOKENS = 4_096


@dataclass(frozen=True)
class Fit:
    """How the loop runs.

    Attributes:
        epochs: passes over all examples at most.
        batch_tokens: tokens of a batch, padding included, at most; above the whole trunk a text is as many as taps.
        accumulate: batches whose gradients make one step, weighed by their examples: as one batch of them all would
            without dropout, in the room of one.
        learning_rate: of the uppermost trained layer, at the top of the schedule; left out, what
            ``optimisers.rates`` says for the optimiser and what is trained.
        head_rate_ratio: the head's learning rate over that.
        layer_decay: a layer's learning rate over that of the layer above it.
        optimiser: how the weights move along their gradients.
        schedule: how the rate goes after the warm-up.
        warmup_ratio: share of all steps in which the rate rises.
        clip: gradients are scaled down to this norm.
        evaluate_every: steps between two looks at the development data.
        patience: looks without a lower loss after which it stops.
        skip_sure: an example to whose label the model gave at least this likelihood in the first epoch (exp of minus
            its cross-entropy; on a scale its mean over the thresholds) is left out of all terms of the later ones; 1
            leaves out none.
        checkpoint_seconds: a checkpoint is written when this long has passed since the last.
        seed: of order, dropout and new heads.
    """

    epochs: Annotated[int, Field(ge=1)] = 2
    batch_tokens: Annotated[int, Field(ge=1)] = 1_200
    accumulate: Annotated[int, Field(ge=1)] = 1
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    head_rate_ratio: Annotated[float, Field(gt=0)] = 3.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    optimiser: Optimiser = AdamW()
    schedule: Schedule = Linear()
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    clip: Annotated[float, Field(gt=0)] = 1.0
    evaluate_every: Annotated[int, Field(ge=1)] = 25
    patience: Annotated[int, Field(ge=1)] = 4
    skip_sure: Annotated[float, Field(gt=0, le=1)] = 1.0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0
    seed: int = 0


class Step(NamedTuple):
    """What a progress bar shows."""

    number: int
    total: int
    loss: float
    learning_rate: float
    development_loss: float | None


@dataclass(frozen=True)
class FitReport:
    """How a run went; the model holds the best weights."""

    steps: int
    best_step: int
    development_loss: float | None
    seconds: float


def fit(
    model: "TextModel",
    cut: int,
    examples: TrainingSet,
    development: TrainingSet,
    terms: Sequence[Loss],
    settings: Fit,
    run: Run | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> FitReport:
    """Train the weights of a model that require a gradient; they end where the development loss was lowest.

    Args:
        model: already frozen where it must not learn.
        cut: number of layers below ``examples.inputs``.
        examples, development: rows to learn from and to look at; without development rows the last weights stay.
        terms: loss terms; those of weight 0 are not computed.
        run: where to keep checkpoints and find an interrupted run's; None keeps none.
        on_step: told after each step.

    Raises:
        Diverged: the loss is not finite; a FloatingPointError.
    """
    import torch
    from torch.nn.utils import clip_grad_norm_

    started = time.perf_counter()
    torch.manual_seed(settings.seed)
    _set_dropout(model, settings.dropout)
    state = State.fresh(model, settings, run, len(examples))
    active = [term for term in terms if term.weight > 0]
    state.importance = _importance(model, cut, examples, active, state, settings.seed)
    rate = top_rate(model, settings)
    plan = _plan(examples, settings)
    saved = time.perf_counter()
    for epoch, planned in plan[state.progress.step :]:
        done, looks = state.progress.step, state.progress.looks
        scale = scheduled(settings.schedule, done, len(plan), settings.warmup_ratio, looks)
        step_rows, loss = state.unsure(planned) if epoch else planned, 0.0
        if step_rows:
            batches = [assemble(examples, rows) for rows in step_rows]
            loss, logits = _gradient(model, cut, batches, active, state)
            clip_grad_norm_(state.descent.weights, settings.clip)
            state.descent.step(done + 1, scale)
            if not epoch and settings.skip_sure < 1:
                rows, told = np.concatenate(step_rows), np.concatenate(logits)
                state.sure[rows] = likelihoods_of(examples.head, told, examples.targets[rows]) >= settings.skip_sure
        state.progress = replace(state.progress, step=state.progress.step + 1)
        step = state.progress.step
        looked = None
        if len(development) and (step % settings.evaluate_every == 0 or step == len(plan)):
            looked = state.look(supervised_loss(model, cut, development))
        on_step(Step(step, len(plan), loss, rate * scale, looked))
        if state.progress.checks_without_gain >= settings.patience:
            break
        if run and time.perf_counter() - saved >= settings.checkpoint_seconds:
            state.save(run)
            saved = time.perf_counter()
            fault_point("fit:after_checkpoint")
    state.restore_best()
    model.eval()
    progress = state.progress
    return FitReport(progress.step, progress.best_step, progress.best_loss, time.perf_counter() - started)


def predict(model: "TextModel", cut: int, inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """Logits, float32 ``[n, outputs]``, of rows as in TrainingSet.inputs; in evaluation mode, without dropout."""
    return _asked(model, cut, inputs, model.head.out_features, model.answered)


def vectors(model: "TextModel", cut: int, inputs: Sequence[NDArray[np.generic]]) -> NDArray[np.float32]:
    """What the head reads of each row's vectors, float32 ``[n, taps * width]``; else as :func:`predict`."""
    return _asked(model, cut, inputs, model.head.in_features, lambda read: read[:, : model.head.in_features])


def _asked(
    model: "TextModel",
    cut: int,
    inputs: Sequence[NDArray[np.generic]],
    width: int,
    answer: "Callable[[Tensor], Tensor]",
) -> NDArray[np.float32]:
    import torch

    answers = np.zeros((len(inputs), width), np.float32)
    training = model.training
    model.eval()
    with torch.inference_mode(), precision():
        for rows in length_batches([len(row) for row in inputs], _PREDICTION_TOKENS):
            block, mask = padded([inputs[row] for row in rows])
            answers[rows] = answer(_read(model, block, mask, cut)).float().numpy()
    model.train(training)
    return answers


def supervised_loss(model: "TextModel", cut: int, development: TrainingSet) -> float:
    """Mean supervised loss on development rows; what is new weighs as much as all that is remembered."""
    import torch

    logits = torch.from_numpy(predict(model, cut, development.inputs))
    shortened = replace(development, inputs=[row[:1] for row in development.inputs])  # only its labels are looked at
    everything = assemble(shortened, np.arange(len(development)))
    remembered = int(development.remembered.sum())
    new = len(development) - remembered
    return float(Supervised(new=remembered / new if remembered and new else 1.0)(everything, logits))


def averaged(ours: Mapping[str, "Tensor"], theirs: Mapping[str, "Tensor"], share: float) -> dict[str, "Tensor"]:
    """``share`` of our weights and the rest of theirs, by name.

    Source: Wortsman et al., *Robust fine-tuning of zero-shot models*, 2022.
    """
    return {name: theirs[name].lerp(weight, share) if share < 1 else weight for name, weight in ours.items()}


def precision() -> AbstractContextManager[object]:
    """bf16 autocast where the CPU multiplies it in hardware; elsewhere nothing: emulated, it is 100 times slower.

    ``FRESHTUNE_PRECISION=fp32`` in the environment keeps fp32, for the same numbers on every CPU.
    """
    import torch

    if os.environ.get("FRESHTUNE_PRECISION") == "fp32":
        return nullcontext()
    if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def _gradient(
    model: "TextModel", cut: int, batches: Sequence[Batch], terms: Sequence[Loss], state: State
) -> tuple[float, list[NDArray[np.float32]]]:
    """Add up the gradient of one step over its batches; their loss, weighed by their examples, and all logits."""
    model.train()
    told = []
    examples = sum(len(batch.inputs) for batch in batches)
    whole = 0.0
    for batch in batches:
        with precision():
            read = _read(model, batch.inputs, batch.attention_mask, cut)
            logits = model.answered(read).float()
        told.append(logits.detach().numpy())
        trained = _trained(model, cut, batch, state, read[:, : model.head.in_features])
        loss = sum((term.weight * term(batch, logits, trained) for term in terms), logits.new_zeros(()))
        share = len(batch.inputs) / examples
        whole += share * float(loss.detach())
        if not math.isfinite(whole):
            raise Diverged(f"of step {state.progress.step + 1}", whole)
        (loss * share).backward()  # type: ignore[no-untyped-call]
    return whole, told


def _trained(model: "TextModel", cut: int, batch: Batch, state: State, read: "Tensor") -> Trained:
    """The model as the terms of one step see it."""
    import torch

    def hidden() -> "Tensor":
        if batch.inputs.dtype.is_floating_point:
            return batch.inputs
        with torch.no_grad():
            return model.lower(batch.inputs, batch.attention_mask, 0)

    def logits(inputs: "Tensor") -> "Tensor":
        with precision():
            above = cut if batch.inputs.dtype.is_floating_point else 0
            return model.upper(inputs, batch.attention_mask, above).float()

    return Trained(hidden, logits, state.weights, state.begun, state.importance, read)


def _importance(
    model: "TextModel", cut: int, examples: TrainingSet, terms: Sequence[Loss], state: State, seed: int
) -> "Mapping[str, Tensor] | None":
    """How much each weight matters to what is remembered, at the weights that the run began with."""
    rows = spaced(examples.remembered, max((term.rows for term in terms if isinstance(term, Ewc)), default=0))
    if not len(rows):
        return None

    def ask(row: int) -> "Tensor":
        inputs, mask = padded([examples.inputs[row]])
        with precision():
            return model.answered(_read(model, inputs, mask, cut)).float()

    model.eval()
    with held_at(state.weights, state.begun):
        return fisher(examples.head, rows, ask, state.weights, seed)


def _read(model: "TextModel", inputs: "Tensor", mask: "Tensor", cut: int) -> "Tensor":
    """What the head reads of a batch."""
    if inputs.dtype.is_floating_point:
        return model.read(inputs, mask, cut)
    return model.read(model.lower(inputs, mask, 0), mask, 0)


def _plan(examples: TrainingSet, settings: Fit) -> list[tuple[int, list[NDArray[np.int64]]]]:
    """The epoch of every step, and the rows of each of its batches; a step's batches are of one epoch."""
    return [
        (epoch, batches[first : first + settings.accumulate])
        for epoch, batches in epochs(examples, settings.batch_tokens, settings.epochs, settings.seed)
        for first in range(0, len(batches), settings.accumulate)
    ]


def _set_dropout(model: "TextModel", dropout: float) -> None:
    from freshtune.model.blocks import Layer

    model.dropout = dropout
    for block in model.blocks.values():
        assert isinstance(block, Layer)  # noqa: S101
        block.dropout = dropout


def seeded(seed: int) -> None:
    """Make what follows, a new head's values and dropout, depend on the seed alone."""
    import torch

    torch.manual_seed(seed)


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
