"""AdamW with linear warm-up and decay.

Our own 30 lines, because the first step of a ``torch.optim`` optimiser imports the compiler: 1.8 s, a tenth of what a
whole update may take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass
class AdamW:
    """Source: Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019.

    Attributes:
        weights: what is trained; those of one dimension (biases, norms) do not decay.
        rates: learning rate of each weight at the schedule's top.
        decay: weight decay, per unit of learning rate.
        moments: first and second moment of each weight's gradient.
    """

    weights: Sequence["Parameter"]
    rates: Sequence[float]
    decay: float
    moments: list[tuple["Tensor", "Tensor"]] = field(init=False)

    def __post_init__(self) -> None:
        import torch

        self.moments = [(torch.zeros_like(weight), torch.zeros_like(weight)) for weight in self.weights]

    def step(self, number: int, scale: float) -> None:
        """Move every weight along its gradient and clear it.

        Args:
            number: of this step, from 1.
            scale: the schedule's factor on the learning rates.
        """
        import torch

        unbias = (1 - _BETAS[1] ** number) ** 0.5 / (1 - _BETAS[0] ** number)
        with torch.no_grad():
            for weight, rate, (first, second) in zip(self.weights, self.rates, self.moments, strict=True):
                if weight.grad is None:
                    continue
                first.lerp_(weight.grad, 1 - _BETAS[0])
                second.mul_(_BETAS[1]).addcmul_(weight.grad, weight.grad, value=1 - _BETAS[1])
                if weight.dim() > 1:
                    weight.mul_(1 - rate * scale * self.decay)
                weight.addcdiv_(first, second.sqrt().add_(_EPSILON), value=-rate * scale * unbias)
                weight.grad = None


def warmed_linear(step: int, total: int, warmup_ratio: float) -> float:
    """Factor on the learning rate: up over the first ``warmup_ratio`` of all steps, then down to 0.

    >>> [round(warmed_linear(step, 10, 0.2), 2) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.12]
    """
    warmup = max(1, round(total * warmup_ratio))
    return min((step + 1) / warmup, (total - step) / max(1, total - warmup), 1.0)
