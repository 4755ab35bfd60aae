"""One of several named classes: softmax over one logit each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.model.heads.soft_labels import distribution
from freshtune.records import Label


@dataclass(frozen=True)
class Classes:
    """Softmax over ``labels``; none at all where they are not known yet.

    >>> Classes(("negative", "positive")).answers(np.array([[0.0, 2.0]], np.float32)).prediction
    array([1.], dtype=float32)
    """

    labels: tuple[str, ...]
    kind: Literal["classes"] = "classes"

    def __post_init__(self) -> None:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"each class must have a name of its own: {self.labels}")

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def target(self, label: Label) -> NDArray[np.float32]:
        """One-hot of a class name, or a soft label as it is; float32 ``[outputs]``."""
        if isinstance(label, tuple):
            return distribution(label, self.outputs)
        target = np.zeros(self.outputs, np.float32)
        target[int(self.number(label))] = 1
        return target

    def number(self, label: Label) -> float:
        """Index of a hard label; of a soft one, its likeliest class."""
        if isinstance(label, tuple):
            return float(distribution(label, self.outputs).argmax())
        if label not in self.labels:
            raise ValueError(f"label {label!r} is none of {', '.join(self.labels)}")
        return float(self.labels.index(str(label)))

    def name(self, number: float) -> str:
        """The class name of an index."""
        return self.labels[int(number)]

    def answers(self, logits: NDArray[np.float32]) -> Answers:
        """Read logits ``[n, outputs]``."""
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        return Answers(logits.argmax(axis=1).astype(np.float32), probabilities[:, -1], probabilities)

    def read(self, answers: Answers) -> list[Label]:
        """The classes' names."""
        return [self.labels[int(number)] for number in answers.prediction.tolist()]

    def columns(self, width: int) -> tuple[str, ...]:
        """The names of the columns of ``Answers.probabilities``."""
        return self.labels[:width]

    def grown(self, labels: Sequence[Label]) -> "Classes":
        """The same head with new classes after the old ones, so that old logits keep their place."""
        if not all(isinstance(label, str) for label in labels):
            raise ValueError("a class is a name")
        return Classes(tuple(dict.fromkeys((*self.labels, *map(str, labels)))))
