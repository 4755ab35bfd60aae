"""Keep to what the champion says: the term that holds a challenger to what was known."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.divergence import divergence

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Distillation:
    """Kullback-Leibler divergence of the model's answers from the teacher's; 0 where they agree.

    The champion knows remembered examples and may be wrong on new ones, so the two carry factors of their own.
    Source: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network*, 2015; scaled by temperature².

    Attributes:
        remembered, new: factor on examples out of memory and on the delta's.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    remembered: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 4.0
    new: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    name: Literal["distillation"] = "distillation"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained | None" = None) -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch; 0 without a teacher."""
        import torch

        if batch.teacher is None:
            return logits.sum() * 0
        each = divergence(batch.head, batch.teacher / self.temperature, logits / self.temperature)
        factor = torch.where(batch.remembered, self.remembered, self.new)
        return (each * factor).mean() * self.temperature**2
