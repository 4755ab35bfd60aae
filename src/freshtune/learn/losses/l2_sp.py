"""Stay near the weights that the run began with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class L2Sp:
    """Half the squared distance of the trained weights from where they began; no pass beyond the step's own.

    Source: Li, Grandvalet and Davoine, *Explicit inductive bias for transfer learning with convolutional networks*,
    2018. In an update the start is the champion, in a first training the pretrained network.

    Attributes:
        head: factor on the head's own weights; 0 lets a new head go where it must.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    head: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    name: Literal["l2_sp"] = "l2_sp"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """A sum over the weights, whatever the batch."""
        total = logits.sum() * 0
        for name, weight in model.weights.items():
            factor = self.head if name.startswith("head.") else 1.0
            total = total + factor * (weight - model.begun[name]).square().sum() / 2
        return total
