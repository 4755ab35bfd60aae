"""Labelled examples out of a file, for judging alone: checked and masked like everything else, stored nowhere."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from freshtune.errors import UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.dead_letters import dead_letter
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.reasons import REASONS, BadRecord
from freshtune.intake.sources import Raw, Record, open_source
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.several import Several
from freshtune.records import DeadLetter, Event, Example, Json
from freshtune.tasks import Task

_NO_COLUMNS = "Name the columns: --text COLUMN --label COLUMN."
_MENDS: Mapping[str, str] = {
    "missing_text": "Name the column of the text: --text COLUMN.",
    "unknown_field": _NO_COLUMNS,
    "unknown_kind": _NO_COLUMNS,
    "missing_task": "Say in the mapping which task the labels are for.",
    "rating_outside_scale": "Bring the labels into the scale, such as --label-map 10=5,9=5.",
}


@dataclass(frozen=True)
class LabelledData:
    """What a file or a run of records holds to judge a model by.

    Attributes:
        examples: each with a label, each event once.
        read: records met.
        refused: reason → how many records intake refuses for it.
        first_refused: for each of these reasons its first record, masked.
        unlabelled: events that carry no label for the task, or not all that the task reads.
    """

    examples: tuple[Example, ...]
    read: int
    refused: Mapping[str, int]
    first_refused: tuple[DeadLetter, ...]
    unlabelled: int


def read_labelled(
    source: str | Path | Iterable[Record], mapping: ColumnMapping, checks: EventChecks, task: Task
) -> LabelledData:
    """Read labelled examples; what intake would refuse is counted and left out.

    Args:
        source: a csv, jsonl or parquet file, plain or gz; or records.
        mapping: which column is what.

    Raises:
        NotFound: there is no such file.
        UsageError: the mapping does not fit, or nothing with a label is left: says what became of the records.
    """
    events: dict[str, Event] = {}
    refused: Counter[str] = Counter()
    first: dict[str, DeadLetter] = {}
    read = 0
    for raw in _raws(source, mapping, checks):
        read += 1
        try:
            if isinstance(raw.content, BadRecord):
                raise raw.content
            event = checks.event(_about_something(mapping.event(raw.content, checks.tasks))).event
            events[event.id] = event
        except BadRecord as bad:
            if bad.reason not in refused:
                shown = raw.content.excerpt if isinstance(raw.content, BadRecord) else raw.content
                first[bad.reason] = dead_letter(bad, shown, f"record {raw.number}", checks.masker)
            refused[bad.reason] += 1
    labelled = tuple(example for example in task.examples(events.values(), {}) if example.label is not None)
    found = LabelledData(labelled, read, dict(refused), tuple(first.values()), len(events) - len(labelled))
    if not labelled:
        raise _nothing_left(found, mapping, task)
    return found


def _about_something(sent: Mapping[str, Json]) -> Mapping[str, Json]:
    """What is stored nowhere needs no item of its own: a product that names none is one without a name."""
    return sent if sent.get("item") or sent.get("kind") != "item" else {**sent, "item": "unnamed"}


def _raws(source: str | Path | Iterable[Record], mapping: ColumnMapping, checks: EventChecks) -> Iterator[Raw]:
    if not isinstance(source, str | Path):
        mapping.check(checks.tasks, None)
        yield from (Raw(record, "", number) for number, record in enumerate(source, 1))
        return
    opened = open_source(Path(source), checks.limits)
    mapping.check(checks.tasks, opened.columns())
    yield from opened.records()


def _nothing_left(found: LabelledData, mapping: ColumnMapping, task: Task) -> UsageError:
    what = f"None of {found.read:,} records can judge {task.name}."
    if not found.read:
        return UsageError(what, "There is no record at all.", "Give a file with labelled rows.")
    why = [f"{found.refused[each.reason]:,} refused, {each.reason}: {each.detail}." for each in found.first_refused]
    if found.unlabelled:
        why.append(f"{found.unlabelled:,} without a label, or without what {task.name} reads.")
    if not found.refused:
        return UsageError(
            what, " ".join(why), "Name the columns: --text, --label, and --pair where there are two texts."
        )
    most = max(found.refused, key=lambda reason: found.refused[reason])
    return UsageError(what, " ".join(why), _mend(most, mapping, task))


def _mend(reason: str, mapping: ColumnMapping, task: Task) -> str:
    if reason != "bad_label":
        return _MENDS.get(reason, f"Mend the records: {REASONS[reason]}.")
    if mapping.label_map:
        return "Give every label that the file has its place in --label-map, or name another column with --label."
    head = task.head()
    if isinstance(head, Several):
        return "Name the column or columns that hold the names with --label; docs/tasks.md shows how they are written."
    if isinstance(head, Classes) and not head.labels:
        return "Name the column that holds the names of the classes with --label."
    if isinstance(head, Classes):
        pairs = ",".join(f"{number}={name}" for number, name in enumerate(head.labels))
        return f"Map what the file says onto the task's own labels, such as --label-map {pairs}."
    return "Name a column of numbers with --label, or map its values, such as --label-map good=1,bad=0."
