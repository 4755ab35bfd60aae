"""Say the same of a text and of what looks like it: consistency that needs no label."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from freshtune.learn.losses.divergence import divergence
from freshtune.learn.losses.perturbation import along, noise, norms, repeated

if TYPE_CHECKING:
    import torch

    from freshtune.learn.batches import Batch
    from freshtune.learn.losses.trained import Trained


@dataclass(frozen=True)
class VirtualAdversarial:
    """Divergence of the answer under noise from the answer without, in the direction in which it grows fastest.

    That direction is found by power iteration: the divergence's gradient at a small step along the last direction, from
    a random one on. The answer without noise is taken as true.

    Cost of a step: ``iterations`` + 2 more passes forward, ``iterations`` back to the input, one back to the weights.
    Source: Miyato et al., *Virtual adversarial training*, 2018.

    Attributes:
        epsilon: norm of the noise on a text, over the norm of the text's input.
        probe: the small step, in the same unit; not so small that rounding hides what it does.
        iterations: of the power method.
    """

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    epsilon: Annotated[float, Field(gt=0, le=1)] = 0.05
    probe: Annotated[float, Field(ge=1e-4, le=1)] = 0.05
    iterations: Annotated[int, Field(ge=1, le=20)] = 1
    name: Literal["virtual_adversarial"] = "virtual_adversarial"

    def __call__(self, batch: "Batch", logits: "torch.Tensor", model: "Trained") -> "torch.Tensor":  # noqa: ARG002
        """Mean over the batch."""
        import torch

        mask, hidden = batch.attention_mask, model.hidden().detach()
        size, direction = norms(hidden, mask), along(noise(hidden, mask), mask)
        ask = repeated(model.logits)
        with torch.no_grad():
            true = ask(hidden)
        for _ in range(self.iterations):
            probe = (self.probe * size * direction).requires_grad_()
            (gradient,) = torch.autograd.grad(divergence(batch.head, true, ask(hidden + probe)).sum(), probe)
            steepest = along(gradient, mask)
            direction = torch.where(norms(steepest, mask) > 0, steepest, direction)
        return divergence(batch.head, true, ask(hidden + self.epsilon * size * direction)).mean()
