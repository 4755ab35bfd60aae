"""How well a product answers a query: a grade for a pair of texts, scored as a ranking per query."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from freshtune.model.heads.score import Score
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.event_fields import category, sent_label, sent_pair
from freshtune.tasks.split_key import normalised


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
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise ValueError(f"grade {value!r} is not a number") from None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"grade {value!r} is not a number")
        if not self.lowest <= value <= self.highest:
            raise ValueError(f"grade {value!r} is outside {self.lowest:g} to {self.highest:g}")
        return float(value)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        for event in events:
            if event.kind not in self.kinds or event.task not in (None, self.name) or not event.text:
                continue
            key = normalised(event.text)
            if not key:  # nothing but space
                continue
            item = items.get(event.item) if event.item else None
            title = sent_pair(event) or (item.text if item else None)
            if not title or not title.strip():
                continue
            label = sent_label(event, self.name)
            yield Example(
                id=event.id,
                task=self.name,
                text=event.text,
                pair=title,
                label=None if label is None else self.label(label),
                time=event.time,
                category=category(event),
                split_key=key,
            )
