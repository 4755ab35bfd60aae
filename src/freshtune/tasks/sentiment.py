"""Is a review good or bad: classes over one text."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshtune.model.heads.classes import Classes
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.one_text import examples_of_one_text


@dataclass(frozen=True)
class Sentiment:
    """Reviews → one of ``labels``."""

    labels: tuple[str, ...] = ("negative", "positive")

    name = "sentiment"
    pairs = False
    kinds: tuple[Kind, ...] = ("review",)
    metrics = ("accuracy", "macro_f1", "balanced_accuracy", "nll", "ece")

    def head(self) -> Classes:
        if not self.labels:
            raise ValueError("classes must be named: there is none")
        return Classes(self.labels)

    def label(self, value: Json) -> str:
        """One of ``labels``, by name."""
        if not isinstance(value, str) or value not in self.labels:
            raise ValueError(f"label {value!r} is none of {', '.join(self.labels)}")
        return value

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)
