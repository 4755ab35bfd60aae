"""What a small linear model says of each example that it has not seen: leave-one-out ridge regression, in closed form.

For a linear smoother ``ŷ = H y`` the answer without example i is ``yᵢ − (yᵢ − ŷᵢ) / (1 − hᵢᵢ)``, exactly, so that n
models cost one decomposition. The penalty is the one with the least squared error of those answers. Source: Rifkin and
Lippert, *Notes on regularized least squares*, 2007; Allen's PRESS, 1974.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PENALTIES = np.geomspace(1e-3, 1e1, 9)
"""A row; on features of unit variance."""
_LEAST_FREEDOM = 1e-6


def left_out_probabilities(features: NDArray[np.float32], side: NDArray[np.int64], classes: int) -> Floats:
    """The probability of each class for each row, as a linear model has it that was fitted to the other rows.

    Args:
        features: float32 ``[n, width]``.
        side: class numbers ``[n]``.
        classes: how many there are.

    Returns:
        float64 ``[n, classes]``, rows of sum 1; least squares of the indicators, cut at 0.

    >>> row = np.linspace(-1, 1, 20, dtype=np.float32)
    >>> told = left_out_probabilities(row[:, None], (row > 0).astype(np.int64), 2)
    >>> bool((told.argmax(axis=1) == (row > 0)).all())
    True
    """
    told = np.maximum(left_out_values(features, np.eye(classes)[side]), 0)
    return np.asarray(told / np.maximum(told.sum(axis=1, keepdims=True), 1e-12), np.float64)


def left_out_values(features: NDArray[np.float32], values: Floats) -> Floats:
    """Any numbers of each row, as a linear model has them that was fitted to the other rows.

    Args:
        features: float32 ``[n, width]``.
        values: float64 ``[n, columns]``.

    Returns:
        float64 ``[n, columns]``.
    """
    number = len(values)
    columns = features.astype(np.float64)
    columns = (columns - columns.mean(axis=0)) / (columns.std(axis=0) + 1e-9)
    usual = values.mean(axis=0)
    targets = values - usual
    left, scale, _ = np.linalg.svd(columns, full_matrices=False)
    turned = left.T @ targets
    tried = []
    for penalty in _PENALTIES * number:
        kept = scale**2 / (scale**2 + penalty)
        freedom = 1 - (left**2) @ kept - 1 / number  # the intercept takes 1/n of each row
        missed = (targets - left @ (kept[:, None] * turned)) / np.maximum(freedom, _LEAST_FREEDOM)[:, None]
        tried.append((float((missed**2).mean()), targets - missed))
    return np.asarray(min(tried, key=lambda error: error[0])[1] + usual, np.float64)
