"""Rows out of lines: a quoted cell may run over several, and a quote that is never closed costs one line only."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field

from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources.text_lines import Line, decode


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, the last line that it took, and what is wrong with it, if anything."""

    cells: list[str]
    last: Line
    bad: BadRecord | None = None


@dataclass(slots=True)
class _Feed:
    """Hands lines to the csv reader and remembers those of the row under way, so that they can be read again."""

    lines: Iterator[Line]
    encoding: str
    again: list[Line] = field(default_factory=list)
    taken: list[Line] = field(default_factory=list)
    fault: BadRecord | None = None
    ran_out: bool = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.again.pop() if self.again else next(self.lines, None)
        if line is None:
            self.ran_out = True
            raise StopIteration
        self.taken.append(line)
        try:
            if not line.whole:
                raise BadRecord("record_too_large", "a line beyond the limit")
            return decode(line.content, self.encoding) + "\n"
        except BadRecord as bad:
            self.fault = bad
            raise csv.Error from None

    def give_back_all_but_first(self) -> Line:
        """Start over behind the first line of a row that could not be read."""
        first, *others = self.taken
        self.again += reversed(others)
        return first


def rows(lines: Iterator[Line], encoding: str, delimiter: str) -> Iterator[Row]:
    """Give the rows of a csv text; a blank line is a row of no cells.

    A bad row takes its first line with it, and reading goes on with the next. Cells are bounded by
    ``csv.field_size_limit`` (131,072 characters).
    """
    feed = _Feed(lines, encoding)
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.taken.clear()
        feed.fault, feed.ran_out = None, False
        bad: BadRecord | None = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad = feed.fault or BadRecord("broken_csv", str(error))
        if bad is None and feed.ran_out:
            bad = BadRecord("broken_csv", "a quote is never closed")
        if bad is None:
            yield Row(cells, feed.taken[-1])
            continue
        if len(feed.taken) > 1:
            bad = BadRecord("broken_csv", f"a quote is never closed ({bad.reason})")
        yield Row(cells, feed.give_back_all_but_first(), bad)
        reader = csv.reader(feed, delimiter=delimiter)
