"""Where records come from. A member reads one format, from the start or from where it was left."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from freshtune.errors import NotFound, UsageError
from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.sources.csv import Csv
from freshtune.intake.sources.jsonl import JsonLines
from freshtune.intake.sources.parquet import Parquet
from freshtune.intake.sources.raw import Raw, Record

__all__ = ["SOURCES", "Raw", "Record", "Source", "open_source"]


class Source(Protocol):
    """A run of records that can be resumed. A member is a frozen dataclass whose fields are its settings."""

    @property
    def name(self) -> str:
        """What its position is stored under."""

    def columns(self) -> tuple[str, ...] | None:
        """The names that every record has; None where the format does not say."""

    def records(self, after: str | None = None) -> Iterator[Raw]:
        """Give the records behind a position, in order.

        A position is good only for the bytes that it was made from: where what lies before it has changed, the
        source is read from its start. Bounded memory; a broken record does not end the run.

        Args:
            after: the position of the last record that was kept; None for the start.
        """


SOURCES: Mapping[str, type[Csv | JsonLines | Parquet]] = {"csv": Csv, "jsonl": JsonLines, "parquet": Parquet}

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def open_source(path: Path, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Choose the member that reads a file, by its suffix (``.gz`` put aside).

    Raises:
        NotFound: there is no such file.
        UsageError: no member reads files of this suffix.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}", mend="Check the path.")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    member = _SUFFIXES.get(suffixes[-1] if suffixes else "")
    if member is None:
        raise UsageError(
            f"{path.name} cannot be read",
            f"Its suffix is none of {', '.join(_SUFFIXES)}, each also with .gz.",
            "Rename it after its format, or write it as one of them.",
        )
    return SOURCES[member](path, limits=limits)
