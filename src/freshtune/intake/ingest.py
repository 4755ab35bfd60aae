"""From records to the log: checked, masked, stored in batches with the place to go on from."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path

from freshtune.faults import fault_point
from freshtune.intake.checks import EventChecks
from freshtune.intake.dead_letters import dead_letter
from freshtune.intake.event_log import EventLog, SourcePosition
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources import Raw, Record, Source, open_source
from freshtune.records import DeadLetter, Event

BATCH = 100


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of the records so far; everything that it counts is on disk.

    Attributes:
        read: records met, ``kept + duplicates + sum(dead_letters.values())``.
        masked: personal values that were taken out.
        shortened: events of which a text was cut.
        dead_letters: reason → records refused for it.
    """

    read: int = 0
    kept: int = 0
    duplicates: int = 0
    masked: int = 0
    shortened: int = 0
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


Progress = Callable[[IngestReport], None]


def ingest_file(
    path: Path,
    mapping: ColumnMapping,
    log: EventLog,
    checks: EventChecks,
    progress: Progress | None = None,
) -> IngestReport:
    """Store a file's events.

    A file is known by its path and the mapping. Where an earlier run was interrupted, or the file has grown, reading
    goes on behind the last record that was stored, if the bytes before it are still the same (a checksum of them is
    stored with the position, in the transaction of the events). A file that was read to its end and has not grown is
    read again: the ids make that harmless, and the report says how much of it was known.

    Args:
        progress: called after each batch is on disk.

    Raises:
        NotFound: there is no such file.
        UsageError: the file's format is unknown, or the mapping names a task, kind or column that is not there.
    """
    source = open_source(path, checks.limits)
    mapping.check(checks.tasks, source.columns())
    key = f"{source.name}#{blake2b(repr(mapping).encode(), digest_size=8).hexdigest()}"
    stored = log.source_position(key)
    with closing(_behind(source, stored)) as raws:
        return _ingest(raws, mapping, checks, _Target(log, source.name, key), progress)


def ingest_records(
    records: Iterable[Record],
    mapping: ColumnMapping,
    log: EventLog,
    checks: EventChecks,
    source: str = "memory",
    progress: Progress | None = None,
) -> IngestReport:
    """Store the events of records at hand; ``source`` is what their dead letters name."""
    raws = (Raw(record, "", number) for number, record in enumerate(records, 1))
    return _ingest(raws, mapping, checks, _Target(log, source, None), progress)


@dataclass(frozen=True, slots=True)
class _Target:
    log: EventLog
    source: str
    key: str | None


def _behind(source: Source, stored: str | None) -> Generator[Raw, None, None]:
    raws = source.records(stored)
    first = next(raws, None)
    if first is None and stored is not None:
        raws = source.records()
        first = next(raws, None)
    if first is not None:
        yield from chain((first,), raws)


def _ingest(
    raws: Iterator[Raw], mapping: ColumnMapping, checks: EventChecks, target: _Target, progress: Progress | None
) -> IngestReport:
    started = time.perf_counter()
    report = IngestReport()
    while batch := list(islice(raws, BATCH)):
        report = _store(batch, report, mapping, checks, target)
        fault_point("ingest:before_acknowledge")
        if progress is not None:
            progress(_with_seconds(report, started))
    return _with_seconds(report, started)


def _store(
    batch: list[Raw], report: IngestReport, mapping: ColumnMapping, checks: EventChecks, target: _Target
) -> IngestReport:
    """Check one batch and commit it; the report afterwards."""
    events: list[Event] = []
    dead: list[DeadLetter] = []
    masked = shortened = 0
    for raw in batch:
        content = raw.content
        try:
            if isinstance(content, BadRecord):
                raise content
            checked = checks.event(mapping.event(content, checks.tasks))
        except BadRecord as bad:
            shown = content.excerpt if isinstance(content, BadRecord) else content
            dead.append(dead_letter(bad, shown, f"{target.source} record {raw.number}", checks.masker))
            continue
        events.append(checked.event)
        masked += checked.masked
        shortened += checked.shortened
    place = None if target.key is None else SourcePosition(target.key, batch[-1].position)
    appended = target.log.append(events, dead, place)
    return IngestReport(
        report.read + len(batch),
        report.kept + appended.kept,
        report.duplicates + appended.duplicates,
        report.masked + masked,
        report.shortened + shortened,
        Counter(report.dead_letters) + Counter(letter.reason for letter in dead),
    )


def _with_seconds(report: IngestReport, started: float) -> IngestReport:
    return replace(report, dead_letters=dict(report.dead_letters), seconds=time.perf_counter() - started)
