"""From the log to what one update learns and is judged on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from freshtune.cycle.rehearsal import Rehearsal, as_kept
from freshtune.intake.deltas import collect_delta, labelled_examples
from freshtune.judge.windows import advance, held_out_sets
from freshtune.learn.memory import Memory
from freshtune.learn.memory.evidence import Evidence
from freshtune.records import Delta, Example, LogRange
from freshtune.settings import Settings
from freshtune.ship.consumption import lifting
from freshtune.strata import Standing
from freshtune.tasks import Task
from freshtune.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Gathered:
    """The material of one update.

    Attributes:
        delta: what is new.
        remembered: old examples that are learned again beside it.
        said: what earlier champions said of examples of the memory, logits by id.
        held_out: ``new`` and ``old``, disjoint.
        after: memory and windows as they are once the update is promoted; what is new is in the memory from
            :meth:`remembering` on.
    """

    delta: Delta
    remembered: tuple[Example, ...]
    said: Mapping[str, tuple[float, ...]]
    held_out: Mapping[str, list[Example]]
    after: Rehearsal

    @property
    def to_learn(self) -> tuple[Example, ...]:
        """What is new, then what is remembered."""
        return (*self.delta.labelled, *self.remembered)

    @property
    def examples(self) -> tuple[Example, ...]:
        """Everything, to learn from and to be judged on."""
        judges = (example for examples in self.held_out.values() for example in examples)
        return (*self.to_learn, *self.delta.held_out, *judges)

    def remembering(self, memory: Memory, evidence: Evidence) -> "Gathered":
        """The same, what is new taken into the memory, by what was seen of it."""
        kept = memory.keep(self.after.memory, self.delta.labelled, evidence)
        return replace(self, after=replace(self.after, memory=kept))

    def with_all_that_was_said(self) -> "Gathered":
        """The same, keeping what earlier champions said; nothing is added."""
        return replace(self, after=replace(self.after, said=self.said))

    def saying(self, logits: NDArray[np.float32]) -> "Gathered":
        """The same, keeping what was said of the remembered examples, float32 ``[n, outputs]``, while they stay.

        Classes that were not known when it was said, at −∞, come last and are not kept.
        """
        said = dict(self.said) | dict(zip((example.id for example in self.remembered), as_kept(logits), strict=True))
        staying = {row.id for row in self.after.memory}
        after = replace(self.after, said={id_: row for id_, row in said.items() if id_ in staying})
        return replace(self, after=after)


def look(shop: Workspace, task: Task, settings: Settings, within: LogRange, lifted: Collection[str] = ()) -> Delta:
    """What a log range holds for a task; writes nothing.

    Args:
        lifted: releases whose quarantine is thought away.
    """
    quarantine = quarantined(shop, task, lifted)
    with closing(shop.delta_index(dry=True)) as index:
        return collect_delta(shop.events, task, within, index, settings.intake.held_out, quarantine)


def gather(
    shop: Workspace,
    task: Task,
    settings: Settings,
    within: LogRange,
    before: Rehearsal,
    distance: Callable[[Sequence[Example]], float] = lambda _: 0.0,
    all_of_it: Callable[[Sequence[Example]], bool] = lambda _: False,
) -> Gathered:
    """Collect a delta, recall what mixes with it, and move the held-out windows on.

    Args:
        within: the log range.
        before: of the champion; empty for a first release.
        distance: how far examples lie from what the champion knows, in [0, 1]; asked where the memory's mix hangs on
            it.
        all_of_it: whether, beside these new examples, all of the memory is recalled: where something begins again, as a
            head that grows may, and a trunk in a refresh.
    """
    quarantine = quarantined(shop, task)
    with closing(shop.delta_index()) as index:
        delta = collect_delta(shop.events, task, within, index, settings.intake.held_out, quarantine)
        kept, recalled = recall(settings.learn.memory, before, delta.labelled, distance, all_of_it(delta.labelled))
        windows = advance(before.windows, delta.held_out, settings.judge.windows)
        wanted = [*(row.id for row in recalled), *windows.ids()]
        upto = max(within.upto, shop.registry.watermark(task.name))
        known = labelled_examples(shop.events, task, wanted, upto, index, quarantine)
    known |= {example.id: example for example in delta.held_out}
    remembered = tuple(known[row.id] for row in recalled if row.id in known)
    return Gathered(delta, remembered, before.said_of(kept), held_out_sets(windows, known), Rehearsal(kept, windows))


def recall(
    memory: Memory,
    before: Rehearsal,
    new: Sequence[Example],
    distance: Callable[[Sequence[Example]], float],
    all_of_it: bool = False,
) -> tuple[tuple[Standing, ...], tuple[Standing, ...]]:
    """The memory without what comes again, and what of it mixes with what is new."""
    again = {example.id for example in new}
    kept = tuple(row for row in before.memory if row.id not in again)
    return kept, memory.recall(kept, None if all_of_it else len(new), lambda: distance(new))


def quarantined(shop: Workspace, task: Task, lifted: Collection[str] = ()) -> list[LogRange]:
    """Log ranges whose labels do not count: they were refused, or rolled back; but for those of ``lifted`` releases."""
    parts = lifting(shop.registry.consumed(task.name), lifted)
    return [part.range for part in parts if part.outcome != "promoted"]
