"""Adam's second moment in two vectors, and no first: an optimiser that hardly takes memory."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

    from freshtune.learn.optimisers.move import Move


@dataclass(frozen=True)
class Adafactor:
    """A matrix's second moment is the outer product of its rows' and columns' means; a vector keeps its own.

    A weight moves in proportion to its own size, so that one rate fits layers of any scale. Source: Shazeer and Stern,
    *Adafactor: adaptive learning rates with sublinear memory cost*, 2018, with relative steps and no momentum.

    Attributes:
        memory: exponent of the second moment's decay: of step t's gradient, the share ``t ** -memory`` goes in.
        smallest: a weight counts as at least this large (root mean square), so that zeros can leave zero.
        largest_update: an update whose root mean square is larger is scaled down to it.
    """

    memory: Annotated[float, Field(gt=0, le=1)] = 0.8
    smallest: Annotated[float, Field(gt=0)] = 1e-3
    largest_update: Annotated[float, Field(gt=0)] = 1.0
    name: Literal["adafactor"] = "adafactor"

    def slots(self, weight: "Tensor") -> "dict[str, Tensor]":
        """Of a weight ``[…, r, c]``: ``rows`` ``[…, r, 1]`` and ``columns`` ``[…, 1, c]``; of a vector its square."""
        if weight.dim() < 2:
            return {"square": weight.new_zeros(weight.shape)}
        *batch, rows, columns = weight.shape
        return {"rows": weight.new_zeros(*batch, rows, 1), "columns": weight.new_zeros(*batch, 1, columns)}

    def step(self, weight: "Tensor", gradient: "Tensor", slots: "Mapping[str, Tensor]", move: "Move") -> None:
        import torch

        rate = max(self.smallest, _size(weight)) * min(move.rate, move.number**-0.5)
        if move.decay:
            weight.mul_(1 - move.rate * move.decay)
        tiny = torch.finfo(weight.dtype).eps
        square = self._second_moment(gradient.square(), slots, move.number**-self.memory, tiny)
        update = square.clamp_(min=tiny**2).rsqrt_().mul_(gradient)
        weight.add_(update, alpha=-rate / max(1.0, _size(update) / self.largest_update))

    def _second_moment(self, square: "Tensor", slots: "Mapping[str, Tensor]", share: float, tiny: float) -> "Tensor":
        """The running mean of the squared gradient, of its shape; a tensor of its own."""
        if "square" in slots:
            return slots["square"].lerp_(square, share).clone()
        rows = slots["rows"].lerp_(square.mean(dim=-1, keepdim=True), share)
        columns = slots["columns"].lerp_(square.mean(dim=-2, keepdim=True), share)
        return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_(min=tiny))


def _size(values: "Tensor") -> float:
    """Root mean square."""
    return float(values.norm(2)) / math.sqrt(max(1, values.numel()))
