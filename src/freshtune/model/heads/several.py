"""Any number of names at once: one logit each, "does it hold?"."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from freshtune.model.answers import Answers
from freshtune.records import Label, names_of

_SAID = 0.5
"""A name whose probability lies above is said."""


@dataclass(frozen=True)
class Several:
    """A sigmoid for each of ``labels``; none at all where they are not known yet.

    Attributes:
        path: what stands between the parts of a name where names are a tree's nodes, such as `` > ``; then a node is
            never likelier than its parent, so that what is said implies its parents. Empty where names are no tree's.

    >>> head = Several(("red", "blue", "linen"))
    >>> head.read(head.answers(np.array([[2.0, -1.0, 0.5]], np.float32)))
    [('linen', 'red')]
    """

    labels: tuple[str, ...]
    path: str = ""
    kind: Literal["several"] = "several"

    def __post_init__(self) -> None:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"each must have a name of its own: {self.labels}")

    @property
    def outputs(self) -> int:
        return len(self.labels)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.labels)}

    def target(self, label: Label) -> NDArray[np.float32]:
        """1 for each name of a label, or a soft label as it is; float32 ``[outputs]``."""
        if isinstance(label, tuple) and label and not isinstance(label[0], str):
            return self._chances(label)
        target = np.zeros(self.outputs, np.float32)
        target[[self._places[name] for name in self._known(label)]] = 1
        return target

    def answers(self, logits: NDArray[np.float32]) -> Answers:
        """Read logits ``[n, outputs]``: how many names are said, and the expected share of all that holds."""
        chances = (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
        if self.path:
            chances = self._below_parents(chances)
        share = chances.sum(axis=1) / max(1, self.outputs)
        return Answers((chances > _SAID).sum(axis=1).astype(np.float32), share.astype(np.float32), chances)

    def read(self, answers: Answers) -> list[Label]:
        """The names that are said, by name."""
        return [
            tuple(sorted(name for name, chance in zip(self.labels, row, strict=True) if chance > _SAID))
            for row in answers.probabilities.tolist()
        ]

    def columns(self, width: int) -> tuple[str, ...]:
        """The names of the columns of ``Answers.probabilities``."""
        return self.labels[:width]

    def grown(self, labels: Sequence[Label]) -> "Several":
        """The same head with the names of these labels after its own, so that old logits keep their place."""
        if not all(isinstance(label, str) or (label and names_of(label) == label) for label in labels):
            raise ValueError("what it answers with are names")
        brought = [name for label in labels for name in names_of(label)]
        return Several(tuple(dict.fromkeys((*self.labels, *brought))), self.path)

    def _known(self, label: Label) -> tuple[str, ...]:
        names = names_of(label)
        unknown = [name for name in names if name not in self._places]
        if not names or unknown:
            raise ValueError(f"{label!r} names {unknown or 'nothing'}; what is known is {', '.join(self.labels)}")
        return names

    def _chances(self, label: tuple[float, ...] | tuple[str, ...]) -> NDArray[np.float32]:
        chances = np.asarray(label, np.float32)
        if len(chances) != self.outputs or not ((chances >= 0) & (chances <= 1)).all():
            raise ValueError(f"a soft label of this head is {self.outputs} numbers from 0 to 1, not {label!r}")
        return chances

    def _below_parents(self, chances: NDArray[np.float32]) -> NDArray[np.float32]:
        place, bounded = self._places, chances.copy()
        for name in sorted(self.labels, key=lambda name: name.count(self.path)):  # parents before their children
            parent = place.get(name.rpartition(self.path)[0])
            if parent is not None:
                bounded[:, place[name]] = np.minimum(bounded[:, place[name]], bounded[:, parent])
        return bounded
