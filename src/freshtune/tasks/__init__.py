"""What a model is for. A task turns events into examples, says what kind of answer it wants and how it is scored."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from freshtune.model.heads import Head, Named
from freshtune.model.predictor import Input
from freshtune.records import Event, Example, Json, Kind, names_of
from freshtune.tasks.attributes import Attributes
from freshtune.tasks.category import Category
from freshtune.tasks.custom import Custom
from freshtune.tasks.intent import Intent
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

    def label(self, value: Json) -> str | int | float | tuple[str, ...]:
        """The hard label that a sender's value stands for, several names sorted.

        ValueError names what is wrong (a rating outside its scale …).
        """

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        """Make the examples of a run of events; pure.

        Args:
            events: events in log order; those of other kinds or of another task are passed over.
            items: the latest item event of each item id that the events name.

        Yields:
            One example for each event that carries what the task needs, in order, ``split_key`` set.
        """


@runtime_checkable
class Growing(Task, Protocol):
    """A task whose set of classes may grow: an update then grows the head."""

    def knowing(self, names: Iterable[str]) -> Task:
        """The same task whose head has these names first, in their order."""


def answering(task: Task, known: Sequence[str], examples: Iterable[Example] = ()) -> Task:
    """A task whose head has the classes that are known, then those that examples bring, by name.

    One whose answers do not grow stays as it is.

    >>> brought = [Example("1", "intent", "", label=name) for name in ("refund", "delivery")]
    >>> answering(Intent(), ["refund"], brought).head().outputs
    2
    """
    if not isinstance(task, Growing):
        return task
    brought = {name for example in examples for name in names_of(example.label)}
    return task.knowing((*known, *sorted(brought - set(known))))


def class_names(head: Head) -> tuple[str, ...]:
    """The names that a head answers with; none where it answers on a scale."""
    return head.labels if isinstance(head, Named) else ()


def first_without_pair(task: Task, inputs: Sequence[Input]) -> int | None:
    """The place, from 0, of the first input that lacks the second text that the task reads; None where none does.

    >>> first_without_pair(Relevance(), [Input("lamp", "desk lamp"), Input("lamp", " ")])
    1
    """
    if not task.pairs:
        return None
    return next((place for place, each in enumerate(inputs) if not (each.pair or "").strip()), None)


TASKS: Mapping[str, type[Task]] = {
    "sentiment": Sentiment,
    "rating": Rating,
    "relevance": Relevance,
    "intent": Intent,
    "attributes": Attributes,
    "category": Category,
    "custom": Custom,
}
"""By name, which is that of its table ``[tasks.NAME]``; a custom one may have another, where ``like`` says so."""
