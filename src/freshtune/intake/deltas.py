"""What a task has not consumed yet: deduplicated, late labels joined, split into labelled, unlabelled and held out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from freshtune.intake.delta_index import DeltaIndex
from freshtune.intake.event_log import EventLog
from freshtune.intake.folding import CHUNK, Found, example_of, fold, say
from freshtune.intake.held_out import side_of_bucket
from freshtune.intake.standings import Standing
from freshtune.records import Delta, DeltaCounts, Example, Label, LogRange
from freshtune.tasks import Task
from freshtune.tasks.event_fields import sent_label

LISTED = 100
"""Contradicted examples that are named; all are counted."""


def collect_delta(
    log: EventLog,
    task: Task,
    within: LogRange,
    index: DeltaIndex,
    held_out_share: float,
    quarantined: Sequence[LogRange] = (),
) -> Delta:
    """Collect one delta. The same range gives the same delta whenever, and however often, it is asked for.

    An example comes when it is new, when its label is new or corrected (by a label event or by a duplicate), and, if it
    is labelled, when its product's text has changed. Of duplicates the earliest one stands for all, with the latest
    label of them all.

    Args:
        log: where the events are.
        task: whose examples are wanted.
        within: the log positions that are new to the task.
        index: folded forward to the end of the range, if it is not there yet.
        held_out_share: share of split keys that are never trained on, in [0, 1].
        quarantined: ranges that were refused or rolled back: neither their labels nor their examples count as known.

    Returns:
        The delta, each side in log order; unlabelled examples of the held-out side are in none.
    """
    fold(log, task, index, within.upto)
    index.standings.quarantine(quarantined)
    spoke, items = _survey(log, task, within)
    changed = _rerendered(log, task, items, within)
    clusters = {member.cluster for member in index.standings.members(task.name, changed).values()}
    standings = index.standings.touched(task.name, within, clusters)
    due = [standing for standing in standings if _is_due(standing, within, changed)]
    current = _rendered(log, task, [standing.kept.example for standing in due], within.upto)
    labelled, unlabelled, held_out = _sides(due, current, held_out_share)
    return Delta(
        task=task.name,
        range=within,
        labelled=tuple(labelled),
        unlabelled=tuple(unlabelled),
        held_out=tuple(held_out),
        counts=replace(_counted(task.name, index, within, standings, changed), events=spoke),
    )


def _sides(
    due: Sequence[Standing], current: Mapping[str, Example], held_out_share: float
) -> tuple[list[Example], list[Example], list[Example]]:
    labelled: list[Example] = []
    unlabelled: list[Example] = []
    held_out: list[Example] = []
    for standing in due:
        example = current.get(standing.kept.example)
        if example is None:  # its item has lost its text
            continue
        if side_of_bucket(standing.kept.bucket, held_out_share) == "train":
            (unlabelled if standing.now is None else labelled).append(replace(example, label=standing.now))
        elif standing.now is not None:
            held_out.append(replace(example, label=standing.now))
    return labelled, unlabelled, held_out


def labelled_examples(
    log: EventLog,
    task: Task,
    ids: Sequence[str],
    upto: int,
    index: DeltaIndex | None = None,
    quarantined: Sequence[LogRange] = (),
) -> dict[str, Example]:
    """Examples of which only the ids were kept, with their latest labels and their products' current texts.

    The cost grows with ``ids``, not with the log.

    Args:
        ids: of examples of any earlier delta.
        upto: log position; nothing later is looked at.
        index: with it, labels that were given to duplicates count too, as in the delta; without it, only those given
            to the example itself.
        quarantined: ranges whose labels do not count.

    Returns:
        Example by id, in the order of ``ids``; unknown and unlabelled ones are left out.
    """
    examples = _rendered(log, task, ids, upto)
    if index is None:
        labels = _own_labels(log, task, examples, upto, quarantined)
    else:
        fold(log, task, index, upto)
        index.standings.quarantine(quarantined)
        members = index.standings.members(task.name, examples)
        labels = {id_: index.standings.label(member.cluster, upto) for id_, member in members.items()}
    return {id_: replace(examples[id_], label=label) for id_ in examples if (label := labels.get(id_)) is not None}


def _survey(log: EventLog, task: Task, within: LogRange) -> tuple[int, set[str]]:
    """How many events of a range speak to the task, and the items that it changes."""
    spoke, items = 0, set()
    for event in log.read(within):
        if event.kind == "item" and event.item:
            items.add(event.item)
        if event.kind == "label":
            spoke += sent_label(event, task.name) is not None
        elif event.kind in task.kinds:
            spoke += event.task in (None, task.name)
    return spoke, items


def _rerendered(log: EventLog, task: Task, items: set[str], within: LogRange) -> set[str]:
    """Ids of earlier examples whose texts differ now that these items have changed."""
    before, now = log.items(items, within.since), log.items(items, within.upto)
    changed = [id_ for id_ in sorted(items) if id_ in before and before[id_].text != now[id_].text]
    ids = set()
    for event in log.about_items(changed, within.since) if changed else ():
        old, new = example_of(task, event, before)[0], example_of(task, event, now)[0]
        if old and new and (old.text, old.pair) != (new.text, new.pair):
            ids.add(new.id)
    return ids


def _is_due(standing: Standing, within: LogRange, changed: set[str]) -> bool:
    if standing.kept.position > within.since or standing.now != standing.before:
        return True
    return standing.now is not None and standing.kept.example in changed


def _rendered(log: EventLog, task: Task, ids: Sequence[str], upto: int) -> dict[str, Example]:
    """Examples by id with the current texts of the items they name; ids of no example are left out."""
    rendered = {}
    for start in range(0, len(ids), CHUNK):
        part = ids[start : start + CHUNK]
        events = log.get(part)
        items = log.items({event.item for event in events.values() if event.item}, upto)
        for id_ in part:
            if id_ in events and events[id_].position <= upto and (example := example_of(task, events[id_], items)[0]):
                rendered[id_] = example
    return rendered


def _own_labels(
    log: EventLog, task: Task, examples: Mapping[str, Example], upto: int, quarantined: Sequence[LogRange]
) -> dict[str, Label | None]:
    found = Found()
    events = log.get(examples)
    for said in log.labels(examples, upto).values():
        for event in said:
            say(task, event, found)
    said_at = [
        (events[id_].position, id_, example.label) for id_, example in examples.items() if example.label is not None
    ]
    said_at += [(late.position, late.example, late.label) for late in found.late]
    live = [said for said in sorted(said_at, key=lambda said: said[0]) if not _lies_in(said[0], quarantined)]
    return {id_: label for _, id_, label in live}


def _lies_in(position: int, ranges: Iterable[LogRange]) -> bool:
    return any(one.since < position <= one.upto for one in ranges)


def _counted(
    task: str, index: DeltaIndex, within: LogRange, standings: Sequence[Standing], changed: set[str]
) -> DeltaCounts:
    how = dict(index.standings.duplicates(task, within))
    for standing in standings:
        if standing.kept.position > within.since and standing.kept.how != "first":
            how[standing.kept.how] -= 1  # what it repeats is quarantined, so that it is the one that is kept
    old = [standing for standing in standings if standing.kept.position <= within.since]
    return DeltaCounts(
        exact_duplicates=how.get("exact", 0),
        near_duplicates=how.get("near", 0),
        late_labels=index.standings.late(task, within),
        corrections=sum(s.before is not None and s.now != s.before for s in old),
        conflicts=sum(standing.conflicts for standing in standings),
        rerendered=sum(s.now is not None and s.now == s.before and s.kept.example in changed for s in old),
        refused_labels=index.standings.refused(task, within),
        waiting_labels=index.standings.waiting(task, within),
        conflicting=tuple(s.kept.example for s in standings if s.conflicts)[:LISTED],
    )
