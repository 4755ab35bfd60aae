"""Stay near the weights that the run began with, the more so where they matter to what is remembered."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Ewc:
    """Half the squared distance of the trained weights from where they began, each times its importance.

    The importance is the diagonal of Fisher's information on remembered rows at the first weights: to second order, and
    as far as the diagonal tells, the term is how far today's answers to them lie from those at the start, in
    divergence. 0 where nothing is remembered.

    Cost: once a run, one pass forward and one back to the weights for each of ``rows`` texts; of a step: no pass beyond
    its own.
    Source: Kirkpatrick et al., *Overcoming catastrophic forgetting in neural networks*, 2017.

    Attributes:
        rows: remembered examples that the importance is measured on, at most.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 100.0
    rows: Annotated[int, Field(ge=1, le=100_000)] = 256
    name: Literal["ewc"] = "ewc"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """A sum over the weights, whatever the batch."""
        total = logits.sum() * 0
        if model.importance is None:
            return total
        for name, importance in model.importance.items():
            total = total + (importance * (model.weights[name] - model.begun[name]).square()).sum() / 2
        return total
