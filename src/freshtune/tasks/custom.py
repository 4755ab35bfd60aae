"""A shop's own idea: one text or two to an answer of any kind, from settings alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.several import Several
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.event_fields import SHARED_FIELDS
from freshtune.tasks.names import listed, name_of, names_known, require_named
from freshtune.tasks.one_text import examples_of_one_text
from freshtune.tasks.scales import grade_of, step_of
from freshtune.tasks.two_texts import examples_of_two_texts

Answer = Literal["class", "classes", "step", "number"]
_METRICS: Mapping[Answer, tuple[str, ...]] = {
    "class": ("accuracy", "macro_f1", "balanced_accuracy", "nll", "ece"),
    "classes": ("micro_f1", "macro_f1", "accuracy"),
    "step": ("quadratic_kappa", "mae", "accuracy", "macro_f1", "nll", "ece"),
    "number": ("mae",),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True)
class Custom:
    """Texts of any kind of event → one class, several, a step of a scale or a number.

    In ``freshtune.toml`` its table has a name of its own::

        [tasks.returns]
        like = "custom"
        kinds = ["chat"]
        answer = "class"

    Attributes:
        name: of its table; in the CLI, the URL and the field of an event that carries its label.
        kinds: of the events that it reads.
        pairs: it reads two texts.
        answer: ``class`` and ``classes`` are names, ``step`` a whole number of a scale, ``number`` any between its
            ends.
        labels: the names; where some are named, a label that is none of them is refused. None takes what labels bring.
        more: labels may bring names of their own beside those that are named.
        most_names: it answers with so many names at most.
        lowest, highest: of the scale.
    """

    name: str = "custom"
    kinds: tuple[Kind, ...] = ("review",)
    pairs: bool = False
    answer: Answer = "class"
    labels: tuple[str, ...] = ()
    more: bool = False
    most_names: Annotated[int, Field(ge=2, le=10_000)] = 1_000
    lowest: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    highest: Annotated[float, Field(allow_inf_nan=False)] = 5.0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of its kind of answer; two texts that are graded are a ranking."""
        return ("ndcg_at_10", "mrr", "mae") if self.pairs and self.answer == "number" else _METRICS[self.answer]

    def head(self) -> Head:
        """Of its kind of answer; the names that are named, or none yet, see :meth:`knowing`."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a task: small letters, digits and _, 32 at most")
        if self.name in SHARED_FIELDS:
            raise ValueError(f"{self.name} is a field of every event: give the task another name")
        if not self.kinds or {"label", "erase"} & set(self.kinds):
            raise ValueError("kinds names what it reads, such as review or chat; label and erase hold no text")
        if any(name_of(label) != label for label in self.labels):
            raise ValueError("labels must be written as they are read, without space around them")
        if self.answer in ("class", "classes"):
            return Classes(self.labels) if self.answer == "class" else Several(self.labels)
        if self.labels or self.more:
            raise ValueError(f"an answer that is a {self.answer} has no labels; its scale is lowest and highest")
        if self.answer == "number":
            return Score(self.lowest, self.highest)
        if not (self.lowest.is_integer() and self.highest.is_integer()):
            raise ValueError("a scale of steps goes from a whole number to a whole number")
        return Ordinal(int(self.lowest), int(self.highest))

    def label(self, value: Json) -> str | int | float | tuple[str, ...]:
        """A name, several names, a whole number or a number, as it answers.

        Args:
            value: several names are a list, a text with ``|`` between, or the values of an object.

        >>> Custom(answer="classes").label("late | broken")
        ('broken', 'late')
        """
        if self.answer == "step":
            return step_of(value, int(self.lowest), int(self.highest), "label")
        if self.answer == "number":
            return grade_of(value, self.lowest, self.highest, "label")
        sent = [value] if self.answer == "class" else listed(list(value.values()) if isinstance(value, dict) else value)
        names = tuple(sorted({name_of(each) for each in sent}))
        if not names:
            raise ValueError("the label names nothing")
        require_named(names, self.labels, self.more)
        return names[0] if self.answer == "class" else names

    def knowing(self, names: Iterable[str]) -> "Custom":
        """The same task whose head has these names first, then the others that are named.

        Raises:
            ConfigurationError: they are more than it may answer with.
        """
        if self.answer in ("step", "number"):
            return self
        labels = names_known(self.name, self.labels, self.more, self.most_names, names)
        return replace(self, labels=labels, more=self.more or not self.labels)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:
        return examples_of_two_texts(self, events, items) if self.pairs else examples_of_one_text(self, events)
