"""What a product is like: several values, such as its colour, its brand, whom it is for."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from freshtune.model.heads.several import Several
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.names import is_empty, listed, name_of, names_known, require_named
from freshtune.tasks.one_text import examples_of_one_text

_IS = "="


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
        require_named(values, self.labels, self.more)
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
    if not isinstance(value, dict):
        yield from (part for part in listed(value) if not _is_bare(part))
        return
    for attribute, held in value.items():
        if _IS in attribute:
            raise ValueError(f"{attribute[:80]!r} is no name of an attribute: it holds {_IS}")
        for each in held if isinstance(held, list) else [held]:
            if not is_empty(each):
                yield f"{attribute}{_IS}{name_of(_as_written(each), 'value')}"


def _is_bare(written: Json) -> bool:
    """Whether it is an attribute without a value, ``size=``."""
    attribute, _, value = written.partition(_IS) if isinstance(written, str) and _IS in written else ("", "", "x")
    return bool(attribute.strip()) and not value.strip()


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
