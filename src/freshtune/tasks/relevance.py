"""How well a product answers a query: a grade for a pair of texts, scored as a ranking per query."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshtune.model.heads.score import Score
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.scales import grade_of
from freshtune.tasks.two_texts import examples_of_two_texts


@dataclass(frozen=True)
class Relevance:
    """Query and title → a grade from ``lowest`` to ``highest``, whole or between whole ones.

    The title is the event's field ``pair``, else the current text of the item that the event names.
    """

    lowest: float = 0.0
    highest: float = 2.0

    name = "relevance"
    pairs = True
    kinds: tuple[Kind, ...] = ("query",)
    metrics = ("ndcg_at_10", "mrr", "mae")

    def head(self) -> Score:
        return Score(self.lowest, self.highest)

    def label(self, value: Json) -> float:
        """A number inside the scale."""
        return grade_of(value, self.lowest, self.highest)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        return examples_of_two_texts(self, events, items)
