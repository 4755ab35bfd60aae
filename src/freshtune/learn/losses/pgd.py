"""Hold the labels where several steps of noise hurt most."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.perturbation import along, norms, repeated, within
from freshtune.learn.losses.supervised import Supervised

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Pgd:
    """Supervised loss after ``steps`` steps up its gradient, each pulled back into the ball of size ε.

    Cost of a step: ``steps`` + 1 more passes forward, ``steps`` back to the input, one back to the weights.
    Source: Madry et al., *Towards deep learning models resistant to adversarial attacks*, 2018, in the Euclidean norm.

    Attributes:
        epsilon: largest norm of the noise on a text, over the norm of the text's input.
        steps: up the gradient.
        step_size: of each, in the same unit.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.05
    steps: Annotated[int, Field(ge=1, le=20)] = 3
    step_size: Annotated[float, Field(gt=0, le=1)] = 0.03
    name: Literal["pgd"] = "pgd"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch, each example with its weight."""
        import torch

        mask, hidden = batch.attention_mask, model.hidden().detach()
        size, ask, perturbation = norms(hidden, mask), repeated(model.logits), torch.zeros_like(hidden)
        for _ in range(self.steps):
            perturbation.requires_grad_()
            loss = Supervised()(batch, ask(hidden + perturbation))
            (gradient,) = torch.autograd.grad(loss, perturbation)
            further = perturbation.detach() + self.step_size * size * along(gradient, mask)
            perturbation = within(further, mask, self.epsilon * size)
        return Supervised()(batch, ask(hidden + perturbation))
