"""How many stars a review deserves: a whole number on an ordered scale."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshtune.model.heads.ordinal import Ordinal
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.one_text import examples_of_one_text
from freshtune.tasks.scales import step_of


@dataclass(frozen=True)
class Rating:
    """Reviews → stars from ``lowest`` to ``highest``."""

    lowest: int = 1
    highest: int = 5

    name = "rating"
    pairs = False
    kinds: tuple[Kind, ...] = ("review",)
    metrics = ("quadratic_kappa", "mae", "accuracy", "macro_f1", "nll", "ece")

    def head(self) -> Ordinal:
        return Ordinal(self.lowest, self.highest)

    def label(self, value: Json) -> int:
        """A whole number inside the scale; ``"4"`` and ``4.0`` are read as 4."""
        return step_of(value, self.lowest, self.highest)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)
