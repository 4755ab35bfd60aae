"""Columnar files, read a few hundred rows at a time."""

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources.raw import Raw, Record

_ROWS = 256
_FOOTER = 1 << 16


@dataclass(frozen=True)
class Parquet:
    """A parquet file. Its position is a row number beside the file's size and the checksum of its footer."""

    path: Path
    limits: Limits = DEFAULT_LIMITS

    @property
    def name(self) -> str:
        return str(self.path.resolve())

    def columns(self) -> tuple[str, ...] | None:
        import pyarrow.lib
        import pyarrow.parquet

        try:
            return tuple(pyarrow.parquet.read_schema(self.path).names)
        except (pyarrow.lib.ArrowException, OSError):
            return None

    def records(self, after: str | None = None) -> Generator[Raw, None, None]:
        identity = self._identity()
        number = 0
        if after is not None and after.partition(":")[2] == identity and after.partition(":")[0].isdigit():
            number = int(after.partition(":")[0])
        for content in self._contents(number):
            number += 1
            # What could not be read is tried again: the file may be mended in place.
            kept = number - 1 if isinstance(content, BadRecord) and content.reason == "broken_file" else number
            yield Raw(content, f"{kept}:{identity}", number)

    def _identity(self) -> str:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            file.seek(max(0, size - _FOOTER))
            return f"{size}:{zlib.crc32(file.read()):08x}"

    def _contents(self, start: int) -> Iterator[Record | BadRecord]:
        import pyarrow.lib
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.path, memory_map=False) as file:
                groups, skipped = _groups_behind(file.metadata, start)
                for batch in file.iter_batches(batch_size=_ROWS, row_groups=groups):
                    rest = batch.slice(min(skipped, batch.num_rows))
                    skipped -= batch.num_rows - rest.num_rows
                    yield from self._rows(rest)
        except (pyarrow.lib.ArrowException, OSError) as error:
            yield BadRecord("broken_file", f"parquet: {error}"[:500])

    def _rows(self, batch: Any) -> Iterator[Record | BadRecord]:
        if batch.nbytes <= _ROWS * 65_536:
            try:
                yield from batch.to_pylist()
            except UnicodeDecodeError:
                pass
            else:
                return
        for row in (batch.slice(place, 1) for place in range(batch.num_rows)):
            if row.nbytes > self.limits.max_record_bytes:
                yield BadRecord("record_too_large", f"{row.nbytes} bytes, the limit is {self.limits.max_record_bytes}")
                continue
            try:
                yield row.to_pylist()[0]
            except UnicodeDecodeError as error:
                cell = error.object[:4_096].decode("utf-8", "replace")
                yield BadRecord("broken_encoding", f"not UTF-8 at byte {error.start} of a cell", cell)


def _groups_behind(metadata: Any, start: int) -> tuple[list[int], int]:
    """The row groups that hold rows behind ``start``, and how many of their first rows are before it."""
    before = 0
    for group in count():
        if group == metadata.num_row_groups or before + metadata.row_group(group).num_rows > start:
            return list(range(group, metadata.num_row_groups)), start - before
        before += metadata.row_group(group).num_rows
    raise AssertionError("unreachable")
