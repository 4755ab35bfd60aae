"""Adam with decoupled weight decay: the rule that transformers are tuned with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.optimisers.move import Move


@dataclass(frozen=True)
class AdamW:
    """Every number moves by about the learning rate, whatever the size of its gradient; two slots a weight.

    Source: Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019.

    Attributes:
        beta1, beta2: how much of the first and second moment stays from step to step.
        epsilon: added to the root of the second moment before its bias is taken out, as in Kingma and Ba's shorter
            form of Adam; torch adds it afterwards, which only gradients of its own size can tell apart.
    """

    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    name: Literal["adamw"] = "adamw"

    def slots(self, weight: "Tensor") -> "dict[str, Tensor]":
        """First and second moment of the gradient, each of the weight's shape."""
        import torch

        return {"first": torch.zeros_like(weight), "second": torch.zeros_like(weight)}

    def step(self, weight: "Tensor", gradient: "Tensor", slots: "Mapping[str, Tensor]", move: "Move") -> None:
        first, second = slots["first"], slots["second"]
        unbias = (1 - self.beta2**move.number) ** 0.5 / (1 - self.beta1**move.number)
        first.lerp_(gradient, 1 - self.beta1)
        second.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        if move.decay:
            weight.mul_(1 - move.rate * move.decay)
        weight.addcdiv_(first, second.sqrt().add_(self.epsilon), value=-move.rate * unbias)
