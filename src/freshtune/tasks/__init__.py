"""What a model is for. A task turns events into examples, says what kind of answer it wants and how it is scored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from freshtune.model.heads import Head
from freshtune.model.predictor import Input
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.rating import Rating
from freshtune.tasks.relevance import Relevance
from freshtune.tasks.sentiment import Sentiment


class Task(Protocol):
    """A job of the shop. A member is a frozen dataclass, its fields the settings (``[tasks.rating] highest = 10``)."""

    @property
    def name(self) -> str:
        """Its key in TASKS, its name in the CLI and the URL."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Event kinds that become its examples."""

    @property
    def pairs(self) -> bool:
        """Whether it reads two texts, ``text`` and ``pair``; then an input without a second one cannot be answered."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names in ``judge.metrics.METRICS``; the first is the primary one, which the gate and replay look at."""

    def head(self) -> Head:
        """How logits become an answer."""

    def label(self, value: Json) -> str | int | float:
        """The label that a sender's value stands for; ValueError names what is wrong (rating outside its scale …)."""

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        """Make the examples of a run of events; pure.

        Args:
            events: events in log order; those of other kinds or of another task are passed over.
            items: the latest item event of each item id that the events name.

        Yields:
            One example for each event that carries what the task needs, in order, ``split_key`` set.
        """


def first_without_pair(task: Task, inputs: Sequence[Input]) -> int | None:
    """The place, from 0, of the first input that lacks the second text that the task reads; None where none does.

    >>> first_without_pair(Relevance(), [Input("lamp", "desk lamp"), Input("lamp", " ")])
    1
    """
    if not task.pairs:
        return None
    return next((place for place, each in enumerate(inputs) if not (each.pair or "").strip()), None)


TASKS: Mapping[str, type[Task]] = {"sentiment": Sentiment, "rating": Rating, "relevance": Relevance}
