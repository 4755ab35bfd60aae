"""What a product is like: several values, such as its colour, its brand, whom it is for."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from freshtune.model.heads.several import Several
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.names import name_of, names_known
from freshtune.tasks.one_text import examples_of_one_text

_BETWEEN, _IS = "|", "="


@dataclass(frozen=True)
class Attributes:
    """Products' titles and descriptions → values of attributes, each written ``colour=red``.

    An attribute that a label does not name has no value there.

    Attributes:
        labels: the values. Where some are named, a label with another is refused.
        more: labels may bring values of their own beside those that are named.
        most_names: it answers with so many values at most.
    """

    labels: tuple[str, ...] = ()
    more: bool = False
    most_names: Annotated[int, Field(ge=2, le=10_000)] = 1_000

    name = "attributes"
    pairs = False
    kinds: tuple[Kind, ...] = ("item",)
    metrics = ("micro_f1", "macro_f1", "accuracy")

    def head(self) -> Several:
        """Of the values that are named, or of none yet; see :meth:`knowing`."""
        for label in self.labels:
            if _value(label) != label:
                raise ValueError(f"a value must be written as it is read, {_value(label)}")
        return Several(self.labels)

    def label(self, value: Json) -> tuple[str, ...]:
        """The values of a product.

        Args:
            value: ``{"colour": "red", "size": ["M", "L"]}``, a list of ``colour=red``, or these in one text with ``|``
                between. Empty values are passed over; true is ``yes``, false ``no``.

        >>> Attributes().label({"colour": ["red", "blue"], "brand": " ", "size": 42.5, "vegan": True})
        ('colour=blue', 'colour=red', 'size=42.5', 'vegan=yes')
        """
        values = tuple(sorted({_value(said) for said in _said(value)}))
        if not values:
            raise ValueError("the label names no value")
        unknown = [said for said in values if self.labels and not self.more and said not in self.labels]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of the {len(self.labels)} values that are named")
        return values

    def knowing(self, names: Iterable[str]) -> "Attributes":
        """The same task whose head has these values first, then the others that are named.

        Raises:
            ConfigurationError: they are more than it may answer with.
        """
        labels = names_known(self.name, self.labels, self.more, self.most_names, names)
        return replace(self, labels=labels, more=self.more or not self.labels)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)


def _said(value: Json) -> Iterator[Json]:
    """Each ``attribute=value`` of a label, in whatever form it was sent."""
    if isinstance(value, str):
        value = list(value.split(_BETWEEN))
    if isinstance(value, list | tuple):
        yield from (part for part in value if not _is_empty(part))
        return
    if not isinstance(value, dict):
        raise ValueError(f"label {str(value)[:80]!r} is no list of values and no object of attributes")
    for attribute, held in value.items():
        if _IS in attribute:
            raise ValueError(f"{attribute[:80]!r} is no name of an attribute: it holds {_IS}")
        for each in held if isinstance(held, list) else [held]:
            if not _is_empty(each):
                yield f"{attribute}{_IS}{name_of(_as_written(each), 'value')}"


def _is_empty(value: Json) -> bool:
    """Whether nothing is said: no text, no number, or ``size=`` alone."""
    if isinstance(value, str):
        return not value.strip() or (value.strip().endswith(_IS) and value.count(_IS) == 1)
    return value is None or (isinstance(value, float) and math.isnan(value))


def _as_written(value: Json) -> Json:
    """A value as people write it; what is no text and no number stays, to be refused."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and math.isfinite(value) else value


def _value(written: Json) -> str:
    """``colour=red`` as it is kept."""
    attribute, equals, value = written.partition(_IS) if isinstance(written, str) else ("", "", "")
    if not equals:
        raise ValueError(f"{str(written)[:80]!r} is no value of an attribute: write it as colour{_IS}red")
    return f"{name_of(attribute, 'attribute')}{_IS}{name_of(value, 'value')}"
