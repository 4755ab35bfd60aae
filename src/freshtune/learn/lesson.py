"""What is learned from: examples, and what the first trained layer reads of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from freshtune.records import Example

Inputs = Sequence[NDArray[np.generic]]


@dataclass(frozen=True)
class Lesson:
    """Examples with what the first trained layer reads of each.

    Attributes:
        remembered: marks those out of memory.
        teacher_vectors: see :class:`freshtune.learn.batches.TrainingSet`; left out, the champion's in an update.
    """

    examples: Sequence[Example]
    inputs: Inputs
    remembered: NDArray[np.bool_]
    development: NDArray[np.bool_]
    teacher_vectors: NDArray[np.float32] | None = None
