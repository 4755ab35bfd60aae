"""Be smooth around a text: SMART's consistency, which needs no label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.divergence import mutual_divergence
from freshtune.learn.losses.perturbation import noise, repeated, spread

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class Smart:
    """Mutual divergence of the answers with and without noise, the noise that makes it largest.

    Unlike ``virtual_adversarial`` it bounds every number of the input and not their norm, and moves both answers.

    Cost of a step: ``steps`` + 2 more passes forward, ``steps`` back to the input, two back to the weights.
    Source: Jiang et al., *SMART: robust and efficient fine-tuning for pre-trained natural language models*, 2020: its
    smoothness-inducing term; ``l2_sp`` or ``distillation`` take the place of its proximal one.

    Attributes:
        epsilon: largest change of any one number, over the root mean square of the text's input.
        steps: up the divergence.
        step_size: largest change of a number in one of them, in the same unit.
        start: standard deviation of the noise that it starts from, in the same unit; at no noise at all the divergence
            has no slope.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.05
    steps: Annotated[int, Field(ge=1, le=20)] = 1
    step_size: Annotated[float, Field(gt=0, le=1)] = 0.05
    start: Annotated[float, Field(ge=1e-4, le=1)] = 0.01
    name: Literal["smart"] = "smart"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch."""
        import torch

        mask, hidden = batch.attention_mask, model.hidden().detach()
        size, drawn = spread(hidden, mask), noise(hidden, mask)
        bound, ask = self.epsilon * size, repeated(model.logits)
        perturbation = (self.start * size * drawn).clamp(-bound, bound)
        still = ask(hidden)
        for _ in range(self.steps):
            perturbation.requires_grad_()
            gap = mutual_divergence(batch.head, ask(hidden + perturbation), still.detach()).sum()
            (gradient,) = torch.autograd.grad(gap, perturbation)
            gradient = gradient * mask[:, :, None]
            largest = gradient.abs().amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
            further = perturbation.detach() + self.step_size * size * gradient / largest
            perturbation = further.clamp(-bound, bound)
        return mutual_divergence(batch.head, ask(hidden + perturbation), still).mean()
