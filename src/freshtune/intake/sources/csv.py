"""Comma, tab or semicolon separated values with a header; quoted cells may hold line feeds."""

import csv
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources.quoted_rows import Row, rows
from freshtune.intake.sources.raw import Raw, Record
from freshtune.intake.sources.text_lines import Place, TextLines, shown


@dataclass(frozen=True)
class Csv:
    """A csv or tsv file, plain or gzip.

    Attributes:
        encoding: ``utf-8`` or ``gb18030``; found out from the file where None.
        delimiter: one character; the likeliest of comma, tab and semicolon in the header where None.
    """

    path: Path
    encoding: str | None = None
    delimiter: str | None = None
    limits: Limits = DEFAULT_LIMITS

    @property
    def name(self) -> str:
        return str(self.path.resolve())

    def columns(self) -> tuple[str, ...] | None:
        text = TextLines(self.path, self.limits)
        return self._header(text, self.encoding or text.encoding()).columns or None

    def records(self, after: str | None = None) -> Generator[Raw, None, None]:
        text = TextLines(self.path, self.limits)
        encoding = self.encoding or text.encoding()
        header = self._header(text, encoding)
        place, stored = header.end, Place.read(after)
        if stored.offset > place.offset and text.holds(stored):
            place = stored
        try:
            with closing(text.lines(place)) as lines:
                for row in rows(lines, encoding, header.delimiter):
                    if not row.cells and row.bad is None:
                        continue
                    place = Place(row.last.offset, row.last.checksum, place.number + 1)
                    yield Raw(_content(row, header.columns), str(place), place.number)
        except BadRecord as bad:
            yield Raw(bad, str(place), place.number + 1)

    def _header(self, text: TextLines, encoding: str) -> "_Header":
        with closing(text.lines(Place())) as lines:
            try:
                first = next((line for line in lines if line.content.strip()), None)
            except BadRecord:
                first = None
        if first is None:
            return _Header((), self.delimiter or ",", Place())
        written = first.content.decode(encoding, "replace")
        delimiter = self.delimiter or max(",\t;", key=written.count)
        cells = next(csv.reader([written], delimiter=delimiter), [])
        return _Header(tuple(cell.strip() for cell in cells), delimiter, Place(first.offset, first.checksum))


class _Header(NamedTuple):
    columns: tuple[str, ...]
    delimiter: str
    end: Place


def _content(row: Row, columns: tuple[str, ...]) -> Record | BadRecord:
    if row.bad is not None:
        return BadRecord(row.bad.reason, row.bad.detail, shown(row.last.content))
    if len(row.cells) != len(columns):
        detail = f"{len(row.cells)} cells, the header has {len(columns)}"
        return BadRecord("broken_csv", detail, "|".join(row.cells)[:4_096])
    return dict(zip(columns, row.cells, strict=True))
