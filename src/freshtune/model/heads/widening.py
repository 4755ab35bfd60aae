"""What a model says, among the classes of a head that has grown since."""

import numpy as np
from numpy.typing import NDArray


def widened(logits: NDArray[np.float32], outputs: int) -> NDArray[np.float32]:
    """Logits ``[n, fewer]`` as ``[n, outputs]``: −∞, probability 0, for each class that the model does not know.

    >>> widened(np.zeros((1, 2), np.float32), 3)
    array([[  0.,   0., -inf]], dtype=float32)
    """
    known = np.full((len(logits), outputs), -np.inf, np.float32)
    known[:, : logits.shape[1]] = logits
    return known
