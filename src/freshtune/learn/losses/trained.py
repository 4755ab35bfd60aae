"""The model in training, as a loss term sees it: how to ask again, and how far the weights have come."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Trained:
    """What a term may use beside a batch and its logits.

    Attributes:
        hidden: gives the input of the first trained layer for this batch, float32 ``[b, t, width]``, detached.
        logits: asks the model about such an input, float32 ``[b, outputs]``; dropout is drawn anew each time.
        weights: the trained weights by name, as they are now; a term may pull at them.
        begun: the same as they were when the run began, detached.
        importance: how much each of them matters to what was remembered, of the same shapes and not negative
            (the diagonal of Fisher's information); None where no term wants it.
        vectors: what the head read of each text in the step's own pass, ``[b, taps * width]``, before anything of it is
            dropped; carries the gradient of the layers below. None where it is not known.
    """

    hidden: Callable[[], "torch.Tensor"]
    logits: Callable[["torch.Tensor"], "torch.Tensor"]
    weights: Mapping[str, "torch.Tensor"]
    begun: Mapping[str, "torch.Tensor"]
    importance: Mapping[str, "torch.Tensor"] | None = None
    vectors: "torch.Tensor | None" = None
