"""Noise on the input of the first trained layer: how large, in which direction, and never on padding.

Sizes are relative: a perturbation of size ε has ε times the norm of the text's own input, so that a setting means the
same on every backbone and at every cut. Tensors are float32 ``[b, t, width]``, masks int64 ``[b, t]``, sizes
``[b, 1, 1]``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def norms(values: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """The Euclidean norm of each text over its real tokens, ``[b, 1, 1]``."""
    return _masked(values, mask).square().sum(dim=(1, 2), keepdim=True).sqrt()


def spread(values: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """The root mean square of each text's values over its real tokens, ``[b, 1, 1]``."""
    return norms(values, mask) / (mask.sum(dim=1)[:, None, None] * values.shape[2]) ** 0.5


def noise(like: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Standard normal numbers on real tokens; drawn for those alone, so that padding changes none of them."""
    import torch

    drawn = torch.zeros_like(like)
    drawn[mask.bool()] = torch.randn(int(mask.sum()), like.shape[2], dtype=like.dtype, device=like.device)
    return drawn


def along(gradient: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """The gradient's direction, of norm 1 in each text; 0 where it has none."""
    real = _masked(gradient, mask)
    largest = real.abs().amax(dim=(1, 2), keepdim=True)
    real = real / largest.clamp(min=_tiny(real))  # first, for a square of a small number may be 0
    return real / norms(real, mask).clamp(min=_tiny(real))


def within(perturbation: "torch.Tensor", mask: "torch.Tensor", size: "torch.Tensor") -> "torch.Tensor":
    """Pulled back to ``size`` where its norm is larger."""
    length = norms(perturbation, mask)
    return perturbation * (size / length.clamp(min=_tiny(length))).clamp(max=1)


def repeated(ask: Callable[["torch.Tensor"], "torch.Tensor"]) -> Callable[["torch.Tensor"], "torch.Tensor"]:
    """The same pass each time: dropout falls alike, so two answers differ by what was asked and nothing else."""
    import torch

    state = torch.get_rng_state()

    def again(hidden: "torch.Tensor") -> "torch.Tensor":
        torch.set_rng_state(state)
        return ask(hidden)

    return again


def _masked(values: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    return values * mask[:, :, None]


def _tiny(values: "torch.Tensor") -> float:
    import torch

    return torch.finfo(values.dtype).tiny
