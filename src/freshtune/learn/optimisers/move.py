"""One step of one weight, in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """How far a weight may move.

    Attributes:
        number: of the step, from 1.
        rate: the learning rate, the schedule's factor in it.
        decay: weight decay, per unit of learning rate; 0 for biases and norms.
    """

    number: int
    rate: float
    decay: float
