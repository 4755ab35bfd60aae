"""A recorded stream: history, then increments, each with what may be learned and what only judges."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import orjson

from freshtune.errors import UsageError
from freshtune.intake.held_out import side
from freshtune.records import Example

_NO_TIME = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cutting:
    """How a recording becomes a stream.

    Attributes:
        base: by category, the first so many in order of first appearance are the history.
        increments, history: by time, the first share is the history, the rest is cut into so many parts, always
            between two distinct times. ``increments`` 0 cuts by category, and leaves out what has none.
        limit: examples to learn of an increment, and of each category of the history, at most.
        held_out: share of split keys that only judge.
        judges: held-out examples of an increment, and of the history, at most.
        seed: of the draw where there is more than the limit.
    """

    base: int = 3
    increments: int = 0
    history: float = 0.4
    limit: int = 500
    held_out: float = 0.3
    judges: int = 1_000
    seed: int = 0


@dataclass(frozen=True)
class Increment:
    """What arrives together."""

    name: str
    learned: tuple[Example, ...]
    held_out: tuple[Example, ...]


@dataclass(frozen=True)
class Stream:
    """The history first, then what arrives, in order."""

    increments: tuple[Increment, ...]

    @property
    def digest(self) -> str:
        """Sha256 of everything that a strategy sees."""
        digest = hashlib.sha256()
        for part in self.increments:
            digest.update(orjson.dumps([part.name, len(part.learned), len(part.held_out)]))
            for row in (*part.learned, *part.held_out):
                digest.update(orjson.dumps([row.id, row.text, row.pair, row.label, row.category]))
        return digest.hexdigest()


def cut(examples: Iterable[Example], how: Cutting) -> Stream:
    """Cut a recording; of examples with one split key and one second text the first stays.

    Args:
        examples: labelled, in the recording's order.

    Raises:
        UsageError: no category or no time, too few of them, or nothing held out in a part.
    """
    distinct = {(example.split_key, example.pair): example for example in reversed(list(examples))}
    kept = list(distinct.values())[::-1]
    parts = _by_time(kept, how) if how.increments else _by_category(kept, how)
    random = np.random.default_rng(how.seed)
    stream = Stream(tuple(_increment(name, groups, how, random) for name, groups in parts))
    for part in stream.increments:
        if not part.learned or not part.held_out:
            raise UsageError(
                f"The part {part.name!r} of the stream cannot be played.",
                f"It has {len(part.learned)} examples to learn and {len(part.held_out)} held out.",
                "Take fewer increments, or another share held out.",
            )
    return stream


def _by_category(examples: Sequence[Example], how: Cutting) -> list[tuple[str, list[list[Example]]]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        if example.category:
            groups.setdefault(example.category, []).append(example)
    if len(groups) <= how.base:
        raise UsageError(
            "The stream has no increments.",
            f"There are {len(groups)} categories and {how.base} of them are the history.",
            "Name the column with --stream-by, or take fewer with --base.",
        )
    names = list(groups)
    history, arriving = names[: how.base], names[how.base :]
    return [(", ".join(history), [groups[name] for name in history]), *((name, [groups[name]]) for name in arriving)]


def _by_time(examples: Sequence[Example], how: Cutting) -> list[tuple[str, list[list[Example]]]]:
    timed = sorted((each for each in examples if each.time is not None), key=lambda each: each.time or _NO_TIME)
    if not timed:
        raise UsageError("The stream has no times.", "", "Name their column with --time, or cut with --stream-by.")
    shares = np.linspace(how.history, 1, how.increments + 1)
    ends = [_between_times(timed, round(share * len(timed))) for share in shares]
    parts = [timed[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    if not all(parts):
        raise UsageError(
            f"{how.increments} increments cannot be cut.",
            f"There are {len({each.time for each in timed})} distinct times.",
            "Take fewer with --increments.",
        )
    return [(f"until {part[-1].time:%Y-%m-%d}", [part]) for part in parts]


def _between_times(timed: Sequence[Example], place: int) -> int:
    """The first place from here on at which the time changes."""
    while 0 < place < len(timed) and timed[place].time == timed[place - 1].time:
        place += 1
    return place


def _increment(name: str, groups: list[list[Example]], how: Cutting, random: np.random.Generator) -> Increment:
    learned: list[Example] = []
    held_out: list[Example] = []
    for group in groups:
        sides: dict[str, list[Example]] = {"train": [], "held_out": []}
        for example in group:
            sides[side(example.split_key, how.held_out)].append(example)
        learned += _drawn(sides["train"], how.limit, random)
        held_out += _drawn(sides["held_out"], max(1, how.judges // len(groups)), random)
    return Increment(name, _named(learned, name), _named(held_out, name))


def _named(rows: Iterable[Example], part: str) -> tuple[Example, ...]:
    """What has no category takes its part's name."""
    return tuple(replace(each, category=each.category or part) for each in rows)


def _drawn(rows: list[Example], limit: int, random: np.random.Generator) -> list[Example]:
    """At most so many, in their order."""
    if len(rows) <= limit:
        return rows
    return [rows[place] for place in np.sort(random.choice(len(rows), limit, replace=False))]
