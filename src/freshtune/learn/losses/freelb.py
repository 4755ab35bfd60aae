"""Hold the labels all along the way to where noise hurts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.perturbation import along, noise, norms, repeated, within
from freshtune.learn.losses.supervised import Supervised

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class FreeLb:
    """Mean of the supervised losses at ``steps`` places, from random noise up the gradient within the ball of size ε.

    Cost of a step: ``steps`` more passes forward, ``steps`` − 1 back to the input, ``steps`` back to the weights, and
    the memory of all of them at once.
    Source: Zhu et al., *FreeLB: enhanced adversarial training for natural language understanding*, 2020.

    Attributes:
        epsilon: largest norm of the noise on a text, over the norm of the text's input.
        steps: places on the way.
        step_size: between two of them, in the same unit.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.05
    steps: Annotated[int, Field(ge=1, le=20)] = 2
    step_size: Annotated[float, Field(gt=0, le=1)] = 0.03
    name: Literal["freelb"] = "freelb"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":
        """Mean over the places and the batch, each example with its weight."""
        import torch

        mask, hidden = batch.attention_mask, model.hidden().detach()
        size = norms(hidden, mask)
        begun = along(noise(hidden, mask), mask) * self.epsilon * size / 3**0.5  # the norm of even noise in the ball
        ask, total = repeated(model.logits), logits.new_zeros(())
        perturbation = begun
        for step in range(self.steps):
            perturbation.requires_grad_()
            loss = Supervised()(batch, ask(hidden + perturbation))
            total = total + loss
            if step + 1 < self.steps:
                (gradient,) = torch.autograd.grad(loss, perturbation, retain_graph=True)
                further = perturbation.detach() + self.step_size * size * along(gradient, mask)
                perturbation = within(further, mask, self.epsilon * size)
        return total / self.steps
