"""An update waits until its delta says enough: labels that can be tested, and news since the last attempt."""

from freshtune.cycle.champion import nothing_new
from freshtune.cycle.gathering import look
from freshtune.errors import NotFound
from freshtune.judge.label_test import usable_labels
from freshtune.records import Delta, LogRange
from freshtune.settings import Settings
from freshtune.ship.release_rows import ReleaseSummary
from freshtune.tasks import Task
from freshtune.workspace import Workspace


def reason_to_wait(shop: Workspace, task: Task, settings: Settings, delta: Delta) -> NotFound | None:
    """Why a pending delta is not learned yet: too few labels that can be tested for poison, or too few since an
    attempt at it was left undecided; None where it can be."""
    if not delta.labelled:
        return nothing_new(task, f"{delta.counts.events} events came, none of them with a label.")
    needed, before = settings.judge.labels.least_labels, _undecided(shop, task, delta.range.since)
    if before is None:
        found, since = evidence(delta, task), "that can be tested"
        why = (
            f"{len(delta.labelled)} to learn and {len(delta.held_out)} held out have come. Labels in the middle of a "
            "scale, or of one class alone, cannot be tested for poison."
        )
    else:
        found, since = _since(shop, task, settings, LogRange(before.range.upto, delta.range.upto)), "since the last try"
        why = f"{before.id} was undecided: {' '.join(before.reasons)}"
    if found >= needed:
        return None
    return NotFound(
        f"{task.name} waits for more labels: {found} of {needed} {since}.",
        why,
        "Send more: all are learned together. judge.labels.least_labels says how many it takes.",
    )


def evidence(delta: Delta, task: Task) -> int:
    """How many labels of a delta, on both sides of the split, can be tested."""
    return usable_labels((*delta.labelled, *delta.held_out), task.head())


def _since(shop: Workspace, task: Task, settings: Settings, within: LogRange) -> int:
    return evidence(look(shop, task, settings, within), task) if within.upto > within.since else 0


def _undecided(shop: Workspace, task: Task, since: int) -> ReleaseSummary | None:
    """The last attempt at what is pending, if it was left undecided."""
    latest = shop.registry.list(task.name, limit=1)
    if latest and latest[0].outcome == "undecided" and latest[0].range.since == since:
        return latest[0]
    return None
