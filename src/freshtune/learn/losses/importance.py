"""How much each weight matters to what is remembered."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from freshtune.model.heads import Head


def spaced(chosen: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """At most ``most`` of the chosen rows, evenly spaced, the same ones each time.

    >>> spaced(np.asarray([True, False, True, True]), 2).tolist()
    [0, 3]
    """
    rows = np.flatnonzero(chosen)
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64))]


@contextmanager
def held_at(weights: Mapping[str, "Tensor"], values: Mapping[str, "Tensor"]) -> Iterator[None]:
    """The weights at other values for a while."""
    now = {name: weight.detach().clone() for name, weight in weights.items()}
    _copy(weights, values)
    try:
        yield
    finally:
        _copy(weights, now)


def _copy(weights: Mapping[str, "Tensor"], values: Mapping[str, "Tensor"]) -> None:
    import torch

    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(values[name])


def fisher(
    head: "Head",
    rows: NDArray[np.int64],
    ask: Callable[[int], "Tensor"],
    weights: Mapping[str, "Tensor"],
    seed: int,
) -> dict[str, "Tensor"]:
    """The diagonal of Fisher's information: the mean square of each text's gradient of the log-likelihood.

    The label of each text is drawn from the model's own answer, once, by a generator of its own: the run's other random
    numbers stay as they are. Source: Kirkpatrick et al., *Overcoming catastrophic forgetting in neural networks*, 2017.

    Args:
        rows: at least one.
        ask: logits ``[1, outputs]`` of a row alone, nothing dropped.
        weights: by name.
        seed: of the labels drawn.

    Returns:
        By name, of the weights' shapes, not negative.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for row in rows:
        likelihood = _log_likelihood(head, ask(int(row)), generator)
        gradients = torch.autograd.grad(likelihood, list(weights.values()), allow_unused=True)
        for square, gradient in zip(total.values(), gradients, strict=True):
            if gradient is not None:
                square.addcmul_(gradient, gradient, value=1 / len(rows))
    return total


def _log_likelihood(head: "Head", logits: "Tensor", generator: "Generator") -> "Tensor":
    """Of a label drawn from the answer itself."""
    import torch
    from torch.nn import functional

    if head.kind == "classes":
        drawn = torch.multinomial(logits.detach().softmax(dim=1), 1, generator=generator)
        return functional.log_softmax(logits, dim=1).gather(1, drawn).sum()
    label = torch.bernoulli(logits.detach().sigmoid(), generator=generator)
    return -functional.binary_cross_entropy_with_logits(logits, label, reduction="sum")
