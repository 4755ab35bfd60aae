"""A task that is no part of freshtune: what a shop's engineer writes in an afternoon."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshtune.model.heads.classes import Classes
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.one_text import examples_of_one_text


@dataclass(frozen=True)
class Urgency:
    """Messages → whether somebody must look at once; a label is the number of hours until somebody did."""

    hours: float = 2.0

    name = "urgency"
    pairs = False
    kinds: tuple[Kind, ...] = ("chat",)
    metrics = ("balanced_accuracy", "accuracy")

    def head(self) -> Classes:
        return Classes(("later", "now"))

    def label(self, value: Json) -> str:
        if value in ("later", "now"):
            return str(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{value!r} is no number of hours")
        return "now" if value <= self.hours else "later"

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        return examples_of_one_text(self, events)
