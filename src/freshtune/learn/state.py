"""Where a run of the loop stands: its weights, its optimiser and the best weights so far, to keep and to go on from."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from freshtune.errors import FreshtuneError
from freshtune.learn import checkpoint
from freshtune.learn.checkpoint import Progress
from freshtune.learn.optimiser import AdamW

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.fit import Fit
    from freshtune.model.blocks import TextModel


class Diverged(FreshtuneError, FloatingPointError):  # noqa: N818 (reads as what happened)
    """The loss is not finite; no weights are kept."""

    def __init__(self, where: str, loss: float) -> None:
        super().__init__(
            f"The loss {where} is {loss}.",
            "The steps are too large for these weights.",
            "Lower learn.fit.learning_rate, for a first release learn.first.learning_rate.",
        )


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
    """What a run has come to: what a checkpoint holds, and the weights that it began with."""

    model: "TextModel"
    optimiser: AdamW
    names: Sequence[str]
    progress: Progress
    best: dict[str, "Tensor"]
    begun: Mapping[str, "Tensor"]

    @property
    def weights(self) -> dict[str, "Tensor"]:
        """The trained weights by name."""
        return dict(self._trained())

    @staticmethod
    def fresh(model: "TextModel", settings: "Fit", run: Run | None) -> "State":
        """At the start, or where an interrupted run stood."""
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        rates = [
            settings.learning_rate * (settings.head_rate_ratio if name.startswith("head.") else 1) for name in trained
        ]
        optimiser = AdamW(list(trained.values()), rates, settings.weight_decay)
        begun = Progress(_fingerprint(run, trained) if run else "")
        first = {name: weight.detach().clone() for name, weight in trained.items()}
        state = State(model, optimiser, list(trained), begun, {}, first)
        found = checkpoint.load(run.folder, begun.fingerprint) if run else None
        if found:
            state._resume(*found)
        return state

    def look(self, loss: float) -> float:
        """Remember the weights if they are the best so far."""
        if not math.isfinite(loss):
            raise Diverged("on development data", loss)
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

        tensors = {"random": torch.get_rng_state()}
        for (name, weight), (first, second) in zip(self._trained(), self.optimiser.moments, strict=True):
            tensors |= {f"weight/{name}": weight.detach(), f"first/{name}": first, f"second/{name}": second}
        tensors |= {f"best/{name}": weight for name, weight in self.best.items()}
        checkpoint.save(run.folder, self.progress, tensors)

    def _resume(self, progress: Progress, tensors: Mapping[str, "Tensor"]) -> None:
        import torch

        with torch.no_grad():
            for (name, weight), (first, second) in zip(self._trained(), self.optimiser.moments, strict=True):
                weight.copy_(tensors[f"weight/{name}"])
                first.copy_(tensors[f"first/{name}"])
                second.copy_(tensors[f"second/{name}"])
        torch.set_rng_state(tensors["random"])
        self.progress = progress
        self.best = {name: tensors[f"best/{name}"] for name in self.names if f"best/{name}" in tensors}

    def _trained(self) -> Iterator[tuple[str, "Tensor"]]:
        return zip(self.names, self.optimiser.weights, strict=True)


def _fingerprint(run: Run, trained: Mapping[str, "Tensor"]) -> str:
    """The run's and its first weights': a folder of that name may hold another model by now, a head other classes."""
    digest = hashlib.sha256(run.fingerprint.encode())
    for name, weight in trained.items():
        digest.update(f"\0{name}\0{tuple(weight.shape)}\0".encode())
        digest.update(weight.detach().contiguous().numpy().data)
    return digest.hexdigest()
