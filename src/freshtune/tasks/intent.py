"""What a customer wants: one of a set of classes that may grow."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from freshtune.errors import ConfigurationError
from freshtune.model.heads.classes import Classes
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.one_text import examples_of_one_text

LONGEST_NAME = 64
"""Characters of a class's name, at most."""


@dataclass(frozen=True)
class Intent:
    """Questions to the shop → one of ``labels``, or of the classes that labels have brought where none is named.

    Attributes:
        labels: the classes. Where some are named, a label that is none of them is refused.
        more: labels may bring classes of their own beside those that are named.
        most_classes: it answers with so many at most.
    """

    labels: tuple[str, ...] = ()
    more: bool = False
    most_classes: Annotated[int, Field(ge=2, le=10_000)] = 1_000

    name = "intent"
    pairs = False
    kinds: tuple[Kind, ...] = ("chat",)
    metrics = ("accuracy", "macro_f1", "balanced_accuracy", "nll", "ece")

    def head(self) -> Classes:
        """Of the classes that are named, or of none yet; see :meth:`knowing`."""
        named = tuple(map(_name, self.labels))
        if named != self.labels:
            raise ValueError(f"classes must be written as they are read: {', '.join(named)}")
        return Classes(self.labels)

    def label(self, value: Json) -> str:
        """The name of a class; whole numbers are read as their digits."""
        name = _name(value)
        if self.labels and not self.more and name not in self.labels:
            raise ValueError(f"label {name!r} is none of the {len(self.labels)} that are named")
        return name

    def knowing(self, classes: Iterable[str]) -> "Intent":
        """The same task whose head has these classes first, then the others that are named.

        Where its classes are named, and no more of them welcome, those that it does not name are left out.

        Raises:
            ConfigurationError: they are more than it may answer with.
        """
        open_ = self.more or not self.labels
        known = (name for name in classes if open_ or name in self.labels)
        labels = tuple(dict.fromkeys((*known, *self.labels)))
        if len(labels) > self.most_classes:
            raise ConfigurationError(
                f"{self.name} has met {len(labels):,} classes.",
                f"tasks.{self.name}.most_classes allows {self.most_classes:,}; the last is {labels[-1]!r}.",
                f"Raise most_classes if these are classes; if not, name those that are in tasks.{self.name}.labels.",
            )
        return replace(self, labels=labels, more=open_)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)


def _name(value: Json) -> str:
    """A class's name as it is kept: composed characters, no space around it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"label {value!r} is no name")
    name = unicodedata.normalize("NFC", str(value)).strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"label {name[:80]!r} is no name of 1 to {LONGEST_NAME} characters")
    return name
