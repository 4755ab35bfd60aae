"""Stochastic gradient descent with momentum."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.optimisers.move import Move


@dataclass(frozen=True)
class Sgd:
    """A weight moves by the gradient itself; one slot a weight, none without momentum.

    Weight decay is part of the gradient here, as in torch. Source: Sutskever, Martens, Dahl and Hinton, *On the
    importance of initialization and momentum in deep learning*, 2013.

    Attributes:
        momentum: how much of the last move goes on.
        nesterov: look ahead along the momentum; without momentum it changes nothing.
    """

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = True
    name: Literal["sgd"] = "sgd"

    def slots(self, weight: "Tensor") -> "dict[str, Tensor]":
        """The momentum, of the weight's shape."""
        import torch

        return {"velocity": torch.zeros_like(weight)} if self.momentum else {}

    def step(self, weight: "Tensor", gradient: "Tensor", slots: "Mapping[str, Tensor]", move: "Move") -> None:
        if move.decay:
            gradient = gradient.add(weight, alpha=move.decay)
        if self.momentum:
            velocity = slots["velocity"].mul_(self.momentum).add_(gradient)
            gradient = gradient.add(velocity, alpha=self.momentum) if self.nesterov else velocity
        weight.add_(gradient, alpha=-move.rate)
