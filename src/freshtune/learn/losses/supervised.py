"""Learn the labels, hard or soft, as the head reads logits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.place import levels, over_outputs

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained

_LEAST_DOUBT = 1e-6
"""Below it focal loss has no gradient: a power under 1 would have an infinite one at 0."""


@dataclass(frozen=True)
class Supervised:
    """Cross-entropy, as each kind of head needs it; no pass beyond the step's own.

    =============  ====================================================
    head           term
    =============  ====================================================
    ``classes``    −Σ target · log softmax(logits)
    ``ordinal``    mean over thresholds of the binary cross-entropy
    ``score``      binary cross-entropy of sigmoid(logit) and the target
    ``several``    sum over names of the binary cross-entropy
    =============  ====================================================

    Attributes:
        new: factor on the delta's examples, beside 1 on those out of memory.
        label_smoothing: share of each target that is spread over all answers.
        focal_gamma: each part of the cross-entropy counts (1 − p) ** gamma, so what is known already counts less.
            Source: Lin et al., *Focal loss for dense object detection*, 2017; there 2.
        class_balance: β in the effective number (1 − β ** n) / (1 − β) of a class with n examples, or of a step of the
            scale; each example counts one over it, 1 on average over the training set. 0 counts all alike; 0.999 tells
            a hundred from a thousand, close to 1 it is one over n. Source: Cui et al., *Class-balanced loss based on
            effective number of samples*, 2019.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    new: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 0.0
    class_balance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    name: Literal["supervised"] = "supervised"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch, each example with its weight."""
        import torch

        each = self._each(batch, logits) * batch.weights * torch.where(batch.remembered, 1.0, self.new)
        if self.class_balance:
            each = each * self._rarity(batch)
        return each.mean()

    def _each(self, batch: "Batch", logits: "torch.Tensor") -> "torch.Tensor":
        from torch.nn import functional

        targets = batch.targets
        if batch.head.kind == "classes":
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
            return -self._focused(targets, functional.log_softmax(logits, dim=1)).sum(dim=1)
        targets = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        if not self.focal_gamma:
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            return over_outputs(batch.head, each)
        yes, no = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        return -over_outputs(batch.head, self._focused(targets, yes) + self._focused(1 - targets, no))

    def _focused(self, targets: "torch.Tensor", logs: "torch.Tensor") -> "torch.Tensor":
        if not self.focal_gamma:
            return targets * logs
        doubt: torch.Tensor = (1 - logs.exp()).clamp(min=_LEAST_DOUBT) ** self.focal_gamma
        return targets * doubt * logs

    def _rarity(self, batch: "Batch") -> "torch.Tensor":
        """Factor of each example, float32 ``[b]``."""
        import torch

        shares = levels(batch.head, batch.targets)
        counts = shares.sum(dim=0) if batch.counts is None else batch.counts
        beta = torch.tensor(self.class_balance, dtype=torch.float64)
        factors = (1 - beta) / -torch.expm1(counts.clamp(min=1).double() * beta.log())
        factors = factors * counts.sum() / (counts * factors).sum()
        return shares @ factors.to(shares.dtype)
