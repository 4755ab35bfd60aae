"""Bring the expected value close to the label: for a score that is read as a number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.place import meant, said

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class SquaredError:
    """Squared distance of the expected value from the label's; no pass beyond the step's own.

    =============  =====================================================================
    head           term
    =============  =====================================================================
    ``ordinal``    (expected step − label)², lowest as 0 and highest as 1
    ``score``      (expected grade − label)², on the same scale
    ``classes``    Σ (softmax(logits) − target)², over the classes: an expected one-hot
    ``several``    Σ (sigmoid(logit) − target)², over the names
    =============  =====================================================================

    Source: Brier, *Verification of forecasts expressed in terms of probability*, 1950, for the classes. Unlike
    cross-entropy it is bounded, so a wrong label pulls no harder than 1, or 2 among classes.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    name: Literal["squared_error"] = "squared_error"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch, each example with its weight."""
        if batch.head.kind == "classes":
            each = (logits.softmax(dim=1) - batch.targets).square().sum(dim=1)
        elif batch.head.kind == "several":
            each = (logits.sigmoid() - batch.targets).square().sum(dim=1)
        else:
            each = (said(batch.head, logits).sigmoid() - meant(batch.head, batch.targets)).square()
        return (each * batch.weights).mean()
