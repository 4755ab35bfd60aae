"""Say the same whatever is dropped: two passes of one text are to agree."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.divergence import mutual_divergence

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class RDrop:
    """Mutual divergence of two answers to one text, dropout drawn anew; 0 where nothing is dropped.

    Cost of a step: one more pass forward, one back to the weights.
    Source: Liang et al., *R-Drop: regularized dropout for neural networks*, 2021.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    name: Literal["r_drop"] = "r_drop"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":
        """Mean over the batch."""
        return mutual_divergence(batch.head, logits, model.logits(model.hidden())).mean()
