"""What a soft label must be to train on."""

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3
"""How far from 1 probabilities may sum: they may have been stored rounded."""


def distribution(label: tuple[float, ...], size: int) -> NDArray[np.float32]:
    """A soft label as probabilities, float32 ``[size]``.

    Raises:
        ValueError: another number of them, one outside [0, 1], or a sum that is not 1.

    >>> distribution((0.25, 0.75), 2)
    array([0.25, 0.75], dtype=float32)
    """
    if len(label) != size:
        raise ValueError(f"a soft label of {len(label)} numbers, {size} are needed")
    if not all(0 <= probability <= 1 for probability in label) or abs(sum(label) - 1) > TOLERANCE:
        raise ValueError(f"a soft label must be probabilities that sum to 1, not {label}")
    return np.asarray(label, np.float32)
