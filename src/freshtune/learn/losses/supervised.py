"""Learn the labels, hard or soft, as the head reads logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Supervised:
    """Cross-entropy, as each kind of head needs it.

    =============  ====================================================
    head           term
    =============  ====================================================
    ``classes``    −Σ target · log softmax(logits)
    ``ordinal``    mean over thresholds of the binary cross-entropy
    ``score``      binary cross-entropy of sigmoid(logit) and the target
    =============  ====================================================
    """

    weight: Annotated[float, Field(ge=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    name: Literal["supervised"] = "supervised"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch, each example with its weight."""
        from torch.nn import functional

        targets = batch.targets
        if batch.head.kind == "classes":
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
            each = -(targets * functional.log_softmax(logits, dim=1)).sum(dim=1)
        else:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1)
        return (each * batch.weights).mean()
