"""What a head reads out of logits: plain arrays, one row an input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to ``n`` inputs.

    Attributes:
        prediction: the answer as a number, float32 ``[n]``: class index, star, grade; how many names are said.
        score: the real-valued answer, float32 ``[n]``: probability of the last class, expected star, relevance; the
            expected share of names that hold.
        probabilities: float32 ``[n, classes]``, rows sum to 1; of names each its own; ``[n, 0]`` where there is none.
    """

    prediction: NDArray[np.float32]
    score: NDArray[np.float32]
    probabilities: NDArray[np.float32]
