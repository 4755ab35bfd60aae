"""Hold the labels where one step of noise hurts most."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.perturbation import along, norms, repeated
from freshtune.learn.losses.supervised import Supervised

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Fgm:
    """Supervised loss at the first trained layer's input plus ε · gradient / ‖gradient‖, text by text.

    Cost of a step: two more passes forward, one back to the input, one back to the weights.
    Source: Miyato, Dai and Goodfellow, *Adversarial training methods for semi-supervised text classification*, 2017.

    Attributes:
        epsilon: norm of the noise on a text, over the norm of the text's input.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.05
    name: Literal["fgm"] = "fgm"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch, each example with its weight."""
        import torch

        mask, hidden = batch.attention_mask, model.hidden().detach()
        ask, still = repeated(model.logits), hidden.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(Supervised()(batch, ask(still)), still)
        return Supervised()(batch, ask(hidden + self.epsilon * norms(hidden, mask) * along(gradient, mask)))
