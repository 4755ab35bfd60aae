"""Where a run of the loop stands: its weights, its optimiser and the best weights so far, to keep and to go on from."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from freshtune.errors import FreshtuneError
from freshtune.learn import checkpoint
from freshtune.learn.checkpoint import Progress
from freshtune.learn.descent import Descent
from freshtune.learn.optimisers.rates import decay, default_rate, depth

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.fit import Fit
    from freshtune.model.blocks import TextModel


class Diverged(FreshtuneError, FloatingPointError):  # noqa: N818 (reads as what happened)
    """The loss is not finite; no weights are kept.

    Args:
        where: in the run.
        mend: what to lower.
    """

    def __init__(
        self,
        where: str,
        loss: float,
        mend: str = "Lower learn.fit.learning_rate, for a first release learn.first.learning_rate.",
    ) -> None:
        super().__init__(f"The loss {where} is {loss}.", "The steps are too large for these weights.", mend)


@dataclass(frozen=True)
class Run:
    """One run's place on disk.

    Attributes:
        folder: where its checkpoint lies.
        fingerprint: digest of everything that its result depends on.
    """

    folder: Path
    fingerprint: str


@dataclass
class State:
    """What a run has come to: what a checkpoint holds, the weights that it began with, and how much each matters.

    Attributes:
        sure: bool ``[n]``, the examples that later epochs leave out.
    """

    model: "TextModel"
    descent: Descent
    names: Sequence[str]
    progress: Progress
    best: dict[str, "Tensor"]
    begun: Mapping[str, "Tensor"]
    sure: NDArray[np.bool_]
    importance: Mapping[str, "Tensor"] | None = None

    @property
    def weights(self) -> dict[str, "Tensor"]:
        """The trained weights by name."""
        return dict(self._trained())

    @staticmethod
    def fresh(model: "TextModel", settings: "Fit", run: Run | None, examples: int) -> "State":
        """At the start, or where an interrupted run stood."""
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        rates = _rates(list(trained), top_rate(model, settings), settings, model.layers)
        decays = [decay(name, weight, settings.weight_decay) for name, weight in trained.items()]
        descent = Descent(settings.optimiser, list(trained.values()), rates, decays)
        begun = Progress(_fingerprint(run, trained) if run else "")
        first = {name: weight.detach().clone() for name, weight in trained.items()}
        state = State(model, descent, list(trained), begun, {}, first, np.zeros(examples, np.bool_))
        found = checkpoint.load(run.folder, begun.fingerprint) if run else None
        if found:
            state._resume(*found)
        return state

    def unsure(self, step_rows: Sequence[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """The rows of a step's batches that are learned still; of a batch without any nothing."""
        left = [rows[~self.sure[rows]] for rows in step_rows]
        return [rows for rows in left if len(rows)]

    def look(self, loss: float) -> float:
        """Remember the weights if they are the best so far."""
        if not math.isfinite(loss):
            raise Diverged("on development data", loss)
        self.progress = replace(self.progress, looks=(*self.progress.looks, loss))
        best = self.progress.best_loss
        if best is None or loss < best:
            self.best = {name: weight.detach().clone() for name, weight in self._trained()}
            self.progress = replace(self.progress, best_step=self.progress.step, best_loss=loss, checks_without_gain=0)
        else:
            self.progress = replace(self.progress, checks_without_gain=self.progress.checks_without_gain + 1)
        return loss

    def restore_best(self) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self._trained():
                if name in self.best:
                    weight.copy_(self.best[name])

    def save(self, run: Run) -> None:
        import torch

        tensors = {"random": torch.get_rng_state(), "sure": torch.from_numpy(self.sure)}
        tensors |= {f"weight/{name}": weight.detach() for name, weight in self._trained()}
        tensors |= self.descent.tensors(self.names)
        tensors |= {f"best/{name}": weight for name, weight in self.best.items()}
        checkpoint.save(run.folder, self.progress, tensors)

    def _resume(self, progress: Progress, tensors: Mapping[str, "Tensor"]) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self._trained():
                weight.copy_(tensors[f"weight/{name}"])
            self.descent.resume(self.names, tensors)
        torch.set_rng_state(tensors["random"])
        self.sure = tensors["sure"].numpy()
        self.progress = progress
        self.best = {name: tensors[f"best/{name}"] for name in self.names if f"best/{name}" in tensors}

    def _trained(self) -> Iterator[tuple[str, "Tensor"]]:
        return zip(self.names, self.descent.weights, strict=True)


def top_rate(model: "TextModel", settings: "Fit") -> float:
    """The learning rate at the top of the schedule: the settings', or the table's for what is trained."""
    if settings.learning_rate is not None:
        return settings.learning_rate
    return default_rate(settings.optimiser.name, model)


def _rates(names: Sequence[str], rate: float, settings: "Fit", layers: int) -> list[float]:
    """The rate of each weight: the head's is its own, a layer's a share of the one above it."""
    return [
        rate * (settings.head_rate_ratio if name.startswith("head.") else settings.layer_decay ** depth(name, layers))
        for name in names
    ]


def _fingerprint(run: Run, trained: Mapping[str, "Tensor"]) -> str:
    """The run's and its first weights': a folder of that name may hold another model by now, a head other classes."""
    digest = hashlib.sha256(run.fingerprint.encode())
    for name, weight in trained.items():
        digest.update(f"\0{name}\0{tuple(weight.shape)}\0".encode())
        digest.update(weight.detach().contiguous().numpy().data)
    return digest.hexdigest()
