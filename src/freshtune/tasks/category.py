"""Where a product belongs: a node of a tree, in which a child implies its parents."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field

from freshtune.model.heads.several import Several
from freshtune.records import Event, Example, Json, Kind
from freshtune.tasks.names import name_of, names_known, require_named
from freshtune.tasks.one_text import examples_of_one_text

PATH = " > "
"""What stands between a node and its parent."""
_DEEPEST = 16


@dataclass(frozen=True)
class Category:
    """Products' titles and descriptions → a node of the shop's tree with all above it, such as
    ``home``, ``home > bath``, ``home > bath > towels``.

    Attributes:
        labels: the nodes, each as its whole path. Where some are named, a label with another is refused.
        parents: child → parent, for shops that send a node by its own name alone; ``towels = "bath"``.
        more: labels may bring nodes of their own beside those that are named.
        most_names: it answers with so many nodes at most.
    """

    labels: tuple[str, ...] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    more: bool = False
    most_names: Annotated[int, Field(ge=2, le=10_000)] = 1_000

    name = "category"
    pairs = False
    kinds: tuple[Kind, ...] = ("item",)
    metrics = ("micro_f1", "macro_f1", "accuracy")

    def __hash__(self) -> int:
        return hash((self.labels, frozenset(self.parents.items()), self.more, self.most_names))

    def head(self) -> Several:
        """Of the nodes that are named and all above them, or of none yet; see :meth:`knowing`."""
        for child, parent in self.parents.items():
            for name in (child, parent):
                if name_of(name, "category") != name or PATH.strip() in name:
                    raise ValueError(f"parents names nodes by their own names alone, not {name!r}")
            self._above(child)
        for label in self.labels:
            if self._nodes(label)[-1] != label:
                raise ValueError(f"a node must be written as it is read, {self._nodes(label)[-1]}")
        return Several(self._with_parents(self.labels), PATH)

    def label(self, value: Json) -> tuple[str, ...]:
        """A node and all above it.

        Args:
            value: its path, ``home > bath > towels``; the name of a node that ``parents`` knows; or a list of nodes by
                their paths.

        >>> Category().label("home>bath")
        ('home', 'home > bath')
        >>> Category(parents={"towels": "bath", "bath": "home"}).label("towels")
        ('home', 'home > bath', 'home > bath > towels')
        """
        sent = value if isinstance(value, list | tuple) else [value]
        nodes = {node for each in sent for node in self._nodes(each)}
        if not nodes:
            raise ValueError("the label names no node")
        named = self._with_parents(self.labels)
        require_named(sorted(nodes), named, self.more)
        return tuple(sorted(nodes))

    def knowing(self, names: Iterable[str]) -> "Category":
        """The same task whose head has these nodes first, then the others that are named.

        Raises:
            ConfigurationError: they are more than it may answer with.
        """
        named = self._with_parents(self.labels)
        labels = names_known(self.name, named, self.more, self.most_names, names)
        return replace(self, labels=labels, more=self.more or not self.labels)

    def examples(self, events: Iterable[Event], items: Mapping[str, Event]) -> Iterator[Example]:  # noqa: ARG002
        return examples_of_one_text(self, events)

    def _above(self, node: str) -> list[str]:
        """A node's name and those above it, the topmost first; ValueError where it is above itself."""
        line = [node]
        while (parent := self.parents.get(line[0])) is not None:
            if parent in line:
                raise ValueError(f"the category {parent!r} is above itself: {PATH.join([parent, *line])}")
            line.insert(0, parent)
        return line

    def _with_parents(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(node for label in labels for node in self._nodes(label)))

    def _nodes(self, path: Json) -> tuple[str, ...]:
        """The nodes from the topmost to the one that a path leads to, each as its own path.

        Where ``parents`` knows the first part, the path begins above it.
        """
        parts = [name_of(part, "category") for part in (path.split(PATH.strip()) if isinstance(path, str) else [path])]
        line = [*self._above(parts[0]), *parts[1:]]
        if len(line) > _DEEPEST:
            raise ValueError(f"a category {len(line)} levels deep; {_DEEPEST} is the most")
        return tuple(PATH.join(line[: depth + 1]) for depth in range(len(line)))
