"""What the loop minimises: a weighted sum of terms, each a scalar of one batch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


class Loss(Protocol):
    """One term. A member is a frozen dataclass whose fields are its settings, ``weight`` among them."""

    @property
    def weight(self) -> float:
        """Factor in the sum."""

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":
        """The term's mean over the batch, before its weight; logits are float32 ``[b, outputs]``."""


LOSSES: Mapping[str, type[Loss]] = {"supervised": Supervised, "distillation": Distillation}
