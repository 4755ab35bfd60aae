"""What a tuning learns and judges by: the training side alone, in the parts in which it came."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Literal

from freshtune.cycle.gathering import look
from freshtune.errors import UsageError
from freshtune.judge.baselines import require_enough_labels
from freshtune.records import Delta, DeltaCounts, Example, LogRange
from freshtune.settings import Settings
from freshtune.ship.consumption import Consumed
from freshtune.strata import by_hash, standing
from freshtune.tasks import Task
from freshtune.workspace import Workspace

Side = Literal["learn", "search", "confirm"]
JUDGES: tuple[Side, Side] = ("search", "confirm")

INCREMENTS = 3
"""The latest deltas that a trial learns one after another."""
LEAST_DELTA = 80
"""Labelled examples of an increment, at least; smaller deltas are joined with the one before."""
LEAST_JUDGES = 30
"""Examples that judge what is new, and as many that judge what is old, on either side."""
_LEARNED, _SEARCHED = 0.6, 0.8
"""Where the sides end among the hashes: six tenths learn, two search, two confirm."""
_SHARE_OF_NEWS = 0.3
"""Of a history that came as one piece, the latest part that is played as its updates."""
_MOST_JUDGES = 1_500
"""Examples of one part that judge on one side."""


@dataclass(frozen=True, slots=True)
class Part:
    """Labelled examples that came together, as a delta brings them, by what they do in a tuning.

    Attributes:
        learn: all that a trial is trained on.
        search: what the search looks at.
        confirm: what nothing looks at before the search has ended.
    """

    learn: tuple[Example, ...]
    search: tuple[Example, ...]
    confirm: tuple[Example, ...]

    def judged(self, side: Side) -> tuple[Example, ...]:
        """The examples of a side that judges."""
        return self.search if side == "search" else self.confirm

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.learn, *self.search, *self.confirm)


@dataclass(frozen=True, slots=True)
class Material:
    """A history, and the increments that came after it."""

    history: Part
    increments: tuple[Part, ...]

    @property
    def examples(self) -> tuple[Example, ...]:
        """All there are."""
        return tuple(example for part in (self.history, *self.increments) for example in part.examples)

    def judges(self, side: Side) -> tuple[int, int]:
        """How many examples judge what is new, and how many what is old."""
        return sum(len(part.judged(side)) for part in self.increments), len(self.history.judged(side))


def side_of(split_key: str) -> Side:
    """What an example of the training side does in a tuning: by an unsalted hash of its own, the same for life.

    It knows nothing of the hash that holds examples out for the gate, nor of the one that sets development apart.

    >>> [side_of(key) for key in ("the king", "the cat", "the crown")]
    ['learn', 'search', 'confirm']
    """
    digest = blake2b(split_key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"freshtune tune").digest()
    place = int.from_bytes(digest) / 2**64
    return "learn" if place < _LEARNED else "search" if place < _SEARCHED else "confirm"


def material_of(shop: Workspace, task: Task, settings: Settings, most_history: int) -> Material:
    """The training side of what the live release and its ancestors have learned, cut as it came.

    The latest deltas are the increments; where there are none, because one training took all, the latest three tenths
    of it in three parts. Held-out examples are in no part.

    Args:
        most_history: examples of the history that are learned, at most; a fair sample of them stays.

    Raises:
        UsageError: too little to learn from, or to judge by.
    """
    deltas = _deltas(shop, task, settings)
    pieces = deltas if len(deltas) > 1 else _cut(deltas[0])
    history = _part(pieces[0].labelled, most_history)
    material = Material(history, tuple(_part(piece.labelled, len(piece.labelled)) for piece in pieces[1:]))
    _require_enough(material, task)
    return material


def _deltas(shop: Workspace, task: Task, settings: Settings) -> list[Delta]:
    """The history, then up to three increments."""
    ends = _ends(shop.registry.consumed(task.name))
    last = ends.pop() if ends else 0
    increments: list[Delta] = []
    while ends and len(increments) < INCREMENTS:
        delta = look(shop, task, settings, LogRange(ends.pop(), last))
        if len(delta.labelled) >= LEAST_DELTA:
            increments.insert(0, delta)
            last = delta.range.since
    return [look(shop, task, settings, LogRange(0, last)), *increments]


def _ends(consumed: Sequence[Consumed]) -> list[int]:
    """The log positions at which what was promoted ends, in order."""
    return sorted({part.range.upto for part in consumed if part.outcome == "promoted"})


def _cut(whole: Delta) -> list[Delta]:
    """One piece of history as a history and increments, in log order."""
    number = len(whole.labelled)
    news = max(1, round(number * _SHARE_OF_NEWS / INCREMENTS))
    starts = [0, *(max(0, number - news * left) for left in range(INCREMENTS, 0, -1)), number]
    return [
        Delta(whole.task, whole.range, whole.labelled[start:stop], (), (), DeltaCounts())
        for start, stop in pairwise(starts)
    ]


def _part(labelled: Sequence[Example], most: int) -> Part:
    sides: dict[Side, list[Example]] = {"learn": [], "search": [], "confirm": []}
    for example in labelled:
        sides[side_of(example.split_key)].append(example)
    judges = (_sample(sides[side], _MOST_JUDGES) for side in JUDGES)
    return Part(_sample(sides["learn"], most), *judges)


def _sample(examples: Sequence[Example], most: int) -> tuple[Example, ...]:
    """A fair sample of them, in their own order."""
    if len(examples) <= most:
        return tuple(examples)
    rows = sorted(range(len(examples)), key=lambda row: by_hash(standing(examples[row])))
    return tuple(examples[row] for row in sorted(rows[:most]))


def _require_enough(material: Material, task: Task) -> None:
    require_enough_labels(material.history.learn, task.head())
    for words in _lacking(material):
        raise UsageError(
            f"{task.name} has too little data to tune on.",
            f"{words} {LEAST_JUDGES} of each are needed, of what no trial learns and the gate does not look at.",
            f"Send more labelled events and update; some {LEAST_JUDGES * 20:,} labelled examples are enough.",
        )


def _lacking(material: Material) -> Iterator[str]:
    for side in JUDGES:
        new, old = material.judges(side)
        if min(new, old) < LEAST_JUDGES:
            yield f"{new} examples of the latest updates and {old} of what came before could judge."
