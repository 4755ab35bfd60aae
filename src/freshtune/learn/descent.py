"""All trained weights of a run, each with its rate and its optimiser's slots, moved together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from freshtune.learn.optimisers import Optimiser
from freshtune.learn.optimisers.move import Move

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter


@dataclass
class Descent:
    """What a run's optimiser stands on.

    Attributes:
        rule: how one weight moves.
        weights: what is trained.
        rates: learning rate of each weight at the schedule's top.
        decays: weight decay of each, per unit of learning rate.
        slots: what the rule keeps of each weight.
    """

    rule: Optimiser
    weights: Sequence["Parameter"]
    rates: Sequence[float]
    decays: Sequence[float]
    slots: Sequence[Mapping[str, "Tensor"]] = field(init=False)

    def __post_init__(self) -> None:
        self.slots = [self.rule.slots(weight.detach()) for weight in self.weights]

    def step(self, number: int, scale: float) -> None:
        """Move every weight along its gradient and clear it; one without a gradient stays.

        Args:
            number: of this step, from 1.
            scale: the schedule's factor on the learning rates.
        """
        import torch

        with torch.no_grad():
            for weight, rate, decay, slots in zip(self.weights, self.rates, self.decays, self.slots, strict=True):
                if weight.grad is None:
                    continue
                self.rule.step(weight, weight.grad, slots, Move(number, rate * scale, decay))
                weight.grad = None

    def tensors(self, names: Sequence[str]) -> "dict[str, Tensor]":
        """Every slot under ``slot/SLOT/WEIGHT``; names as the weights stand."""
        return {
            f"slot/{slot}/{name}": value
            for name, slots in zip(names, self.slots, strict=True)
            for slot, value in slots.items()
        }

    def resume(self, names: Sequence[str], tensors: Mapping[str, "Tensor"]) -> None:
        """The reverse of :meth:`tensors`; KeyError where one is missing."""
        for key, value in self.tensors(names).items():
            value.copy_(tensors[key])
