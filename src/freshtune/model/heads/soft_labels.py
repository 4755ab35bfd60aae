"""What a soft label must be to train on."""

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-3
"""How far from 1 probabilities may sum: they may have been stored rounded."""


def distribution(label: tuple[float, ...] | tuple[str, ...], size: int) -> NDArray[np.float32]:
    """A soft label as probabilities, float32 ``[size]``.

    Raises:
        ValueError: it is names, another number of probabilities, one outside [0, 1], or a sum that is not 1.

    >>> distribution((0.25, 0.75), 2)
    array([0.25, 0.75], dtype=float32)
    """
    chances = [part for part in label if not isinstance(part, str)]
    if len(chances) < len(label):
        raise ValueError(f"{label} are several names, and one answer is wanted")
    if len(chances) != size:
        raise ValueError(f"a soft label of {len(chances)} numbers, {size} are needed")
    if not all(0 <= probability <= 1 for probability in chances) or abs(sum(chances) - 1) > TOLERANCE:
        raise ValueError(f"a soft label must be probabilities that sum to 1, not {label}")
    return np.asarray(chances, np.float32)
