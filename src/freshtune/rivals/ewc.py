"""The naive loop, held to where it was by elastic weight consolidation.

Source: Kirkpatrick et al., *Overcoming catastrophic forgetting in neural networks*, 2017; one running Fisher for all
parts, as in Schwarz et al., *Progress and compress*, 2018.
"""

from typing import TYPE_CHECKING

from freshtune.learn.batches import length_batches
from freshtune.records import Example
from freshtune.rivals.whole_model import WholeModelStrategy

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.rivals import Setting

_STRENGTH = 1_000.0
_FADE = 0.9
"""What is left of the older Fisher when a new one joins."""
_TOKENS = 512


class Ewc(WholeModelStrategy):
    """A penalty on leaving the last weights, by how much each mattered; keeps no example."""

    def __init__(self, setting: "Setting") -> None:
        super().__init__(setting)
        self._anchor: dict[str, tuple[Tensor, Tensor]] = {}

    def begin(self, history: tuple[Example, ...], judges: tuple[Example, ...]) -> None:
        super().begin(history, judges)
        self._remember(history)

    def update(self, new: tuple[Example, ...], judges: tuple[Example, ...]) -> None:  # noqa: ARG002
        self._whole.tune(new, self._everybodys, self._penalty)
        self._remember(new)

    def _penalty(self) -> "Tensor":
        import torch

        total = torch.zeros(())
        for name, weight in self._whole.model.named_parameters():
            mattered, was = self._anchor[name]
            total = total + (mattered * (weight - was).square()).sum()
        return _STRENGTH / 2 * total

    def _remember(self, examples: tuple[Example, ...]) -> None:
        """Add the diagonal Fisher of small batches, and take the weights as they are now for the anchor."""
        import torch

        model = self._whole.model.eval()
        ids, targets = self._whole.material(examples)
        mattered = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
        batches = length_batches([len(row) for row in ids], _TOKENS)
        for rows in batches:
            model.zero_grad(set_to_none=True)
            self._whole.loss([ids[row] for row in rows], targets[rows]).backward()  # type: ignore[no-untyped-call]
            for name, weight in model.named_parameters():
                if weight.grad is not None:
                    mattered[name] += weight.grad.square() * len(rows) / len(batches)
        model.zero_grad(set_to_none=True)
        for name, weight in model.named_parameters():
            older = self._anchor[name][0] * _FADE if name in self._anchor else 0.0
            self._anchor[name] = (mattered[name] + older, weight.detach().clone())
