"""An update waits until its delta says enough: labels that can be tested, and news since the last attempt."""

from collections.abc import Collection
from dataclasses import replace

from freshtune.cycle.champion import nothing_new, pending_ranges
from freshtune.cycle.gathering import Gathered, look
from freshtune.errors import NotFound
from freshtune.judge.label_test import usable_labels
from freshtune.records import Delta, LogRange, Verdict
from freshtune.settings import Settings
from freshtune.ship.release_rows import ReleaseSummary
from freshtune.tasks import Task, answering
from freshtune.workspace import Workspace

_LATEST = 100
"""Releases that are looked through for an undecided attempt."""


def reason_to_wait(shop: Workspace, task: Task, settings: Settings, delta: Delta) -> NotFound | None:
    """Why a pending delta is not learned yet: too few labels that can be tested for poison, or too few since an
    attempt at it was left undecided; None where it can be."""
    if not delta.labelled:
        return nothing_new(task, f"{delta.counts.events} events came, none of them with a label.")
    needed, before = settings.judge.labels.least_labels, _undecided(shop, task.name, delta.range.since)
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


def range_to_learn(shop: Workspace, task: Task, settings: Settings, lifted: Collection[str] = ()) -> LogRange:
    """The earliest pending range that does not wait for more labels, else the first one.

    Where one waits and later ones were refused, what comes after them is not held up by it.

    Args:
        lifted: releases whose quarantine is thought away.

    Raises:
        NotFound: every event is consumed.
    """
    ranges = pending_ranges(shop, task, lifted)
    if len(ranges) == 1:
        return ranges[0]
    deltas = (look(shop, task, settings, part, lifted) for part in ranges)
    ready = (delta.range for delta in deltas if not reason_to_wait(shop, task, settings, delta))
    return next(ready, ranges[0])


def others_pending(shop: Workspace, task: Task, within: LogRange) -> tuple[LogRange, ...]:
    """The pending ranges beside the one that is learned; what arrived while an interrupted run rests is one."""
    return tuple(part for part in pending_ranges(shop, task) if part.since != within.since)


def blamed(shop: Workspace, gathered: Gathered, verdict: Verdict) -> Gathered:
    """The same; of what is refused only the range that came since an undecided attempt, which had shown no harm."""
    delta = gathered.delta
    before = None if verdict.promote or verdict.undecided else _undecided(shop, delta.task, delta.range.since)
    if before is None or before.range.upto >= delta.range.upto:
        return gathered
    return replace(gathered, delta=replace(delta, range=LogRange(before.range.upto, delta.range.upto)))


def evidence(delta: Delta, task: Task) -> int:
    """How many labels of a delta, on both sides of the split, can be tested."""
    examples = (*delta.labelled, *delta.held_out)
    return usable_labels(examples, answering(task, (), examples).head())


def _since(shop: Workspace, task: Task, settings: Settings, within: LogRange) -> int:
    return evidence(look(shop, task, settings, within), task) if within.upto > within.since else 0


def _undecided(shop: Workspace, task: str, since: int) -> ReleaseSummary | None:
    """The latest attempt at what is pending from there on that was left undecided."""
    live = shop.registry.live_id(task)
    attempts = (each for each in shop.registry.list(task, _LATEST) if each.range.since == since < each.range.upto)
    return next((each for each in attempts if each.parent == live and each.outcome == "undecided"), None)
