"""From the log to what one update learns and is judged on."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from freshtune.cycle.rehearsal import Rehearsal
from freshtune.errors import UsageError
from freshtune.intake.deltas import collect_delta, labelled_examples
from freshtune.judge.windows import advance, held_out_sets
from freshtune.records import Delta, Example, LogRange
from freshtune.settings import Settings
from freshtune.tasks import Task
from freshtune.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Gathered:
    """The material of one update.

    Attributes:
        delta: what is new.
        remembered: old examples that are learned again beside it.
        held_out: ``new`` and ``old``, disjoint.
        after: memory and windows as they are once the update is promoted.
    """

    delta: Delta
    remembered: tuple[Example, ...]
    held_out: Mapping[str, list[Example]]
    after: Rehearsal

    @property
    def to_learn(self) -> tuple[Example, ...]:
        """What is new, then what is remembered."""
        return (*self.delta.labelled, *self.remembered)


def gather(
    shop: Workspace, task: Task, settings: Settings, within: LogRange, before: Rehearsal, dry: bool = False
) -> Gathered:
    """Collect a delta, recall what mixes with it, and move the held-out windows on.

    Args:
        within: the log range.
        before: of the champion; empty for a first release.
        dry: writes nothing.
    """
    quarantined = [
        part.range
        for part in shop.registry.consumed(task.name)
        if part.outcome != "promoted" and part.range.since > 0  # what begins at 0 was a training, not a delta
    ]
    with closing(shop.delta_index(dry)) as index:
        delta = collect_delta(shop.events, task, within, index, settings.intake.held_out, quarantined)
        again = {example.id for example in delta.labelled}
        memory = settings.learn.memory
        recalled = memory.recall([row for row in before.memory if row.id not in again], len(delta.labelled))
        windows = advance(before.windows, delta.held_out, settings.judge.windows)
        wanted = [*(row.id for row in recalled), *windows.ids()]
        upto = max(within.upto, shop.registry.watermark(task.name))
        known = labelled_examples(shop.events, task, wanted, upto, index, quarantined)
    known |= {example.id: example for example in delta.held_out}
    after = Rehearsal(memory.keep((row for row in before.memory if row.id not in again), delta.labelled), windows)
    remembered = tuple(known[row.id] for row in recalled if row.id in known)
    return Gathered(delta, remembered, held_out_sets(windows, known), after)


def require_judges(gathered: Gathered, task: Task) -> None:
    """Refuse to begin where nothing could judge the result.

    Raises:
        UsageError: no labelled example is held out.
    """
    if not any(gathered.held_out.values()):
        raise UsageError(
            f"A first release of {task.name} cannot be judged.",
            f"All {len(gathered.delta.labelled)} labelled examples fall on the training side, none is held out.",
            "Ingest labelled examples of more different texts or queries, then train again.",
        )
