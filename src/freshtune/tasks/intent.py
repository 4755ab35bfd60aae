"""What a customer wants: one of a set of classes that may grow."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from freshtune.model.heads.classes import Classes
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.names import name_of, names_known, require_named
from freshtune.tasks.one_text import examples_of_one_text


@dataclass(frozen=True)
class Intent:
    """Questions to the shop → one of ``labels``, or of the classes that labels have brought where none is named.

    Attributes:
        labels: the classes. Where some are named, a label that is none of them is refused.
        more: labels may bring classes of their own beside those that are named.
        most_names: it answers with so many classes at most.
    """

    labels: tuple[str, ...] = ()
    more: bool = False
    most_names: Annotated[int, Field(ge=2, le=10_000)] = 1_000

    name = "intent"
    pairs = False
    kinds: tuple[Kind, ...] = ("chat",)
    metrics = ("accuracy", "macro_f1", "balanced_accuracy", "nll", "ece")

    def head(self) -> Classes:
        """Of the classes that are named, or of none yet; see :meth:`knowing`."""
        named = tuple(map(name_of, self.labels))
        if named != self.labels:
            raise ValueError(f"classes must be written as they are read: {', '.join(named)}")
        return Classes(self.labels)

    def label(self, value: Json) -> str:
        """The name of a class; whole numbers are read as their digits."""
        name = name_of(value)
        require_named([name], self.labels, self.more)
        return name

    def knowing(self, names: Iterable[str]) -> "Intent":
        """The same task whose head has these classes first, then the others that are named.

        Where its classes are named, and no more of them welcome, those that it does not name are left out.

        Raises:
            ConfigurationError: they are more than it may answer with.
        """
        labels = names_known(self.name, self.labels, self.more, self.most_names, names)
        return replace(self, labels=labels, more=self.more or not self.labels)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)
