"""The examples of a recording: checked and masked as a shop's own are, the same each time."""

from collections.abc import Iterable
from pathlib import Path

from freshtune.intake.checks import EventChecks
from freshtune.intake.labelled import read_labelled
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.intake.sources import Record
from freshtune.records import Example
from freshtune.rivals.freshtune_loop import SALT
from freshtune.tasks import Task


def read_recording(source: str | Path | Iterable[Record], mapping: ColumnMapping, task: Task) -> tuple[Example, ...]:
    """Labelled examples in the recording's order; what intake would refuse is left out.

    Args:
        source: a csv, jsonl or parquet file, plain or gz; or records.

    Raises:
        NotFound, UsageError: as ``intake.labelled.read_labelled`` does.
    """
    return read_labelled(source, mapping, EventChecks({task.name: task}, Masker(SALT)), task).examples
