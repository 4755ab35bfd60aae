"""What ``predict`` is asked about: a text a line of a file or of stdin, or a column of a table."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from freshtune.cli.terminal import note
from freshtune.errors import NotFound, UsageError
from freshtune.intake.limits import DEFAULT_LIMITS
from freshtune.intake.mapping import ColumnMapping, joined_text
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources import Source, open_source
from freshtune.model.predictor import Input

_GZIP = b"\x1f\x8b"


def read_inputs(file: Path | None, text: str | None, pair: str | None) -> list[Input]:
    """The inputs of a file, in its order; records that cannot be read are told on stderr and left out.

    Args:
        file: None, or ``-``, is stdin.
        text, pair: columns of a table; without them each line is a text, a blank one too.

    Raises:
        NotFound: there is no such file, or nothing in it.
        UsageError: it is no text, or a table without ``text``, or has no such column.
    """
    file = None if file is None or str(file) == "-" else file
    if text is not None:
        if file is None:
            raise UsageError("Which file?", "--text names a column of a file.", "freshtune predict FILE --text COLUMN")
        return _some(list(_of_table(open_source(file), text, pair)), file)
    if pair is not None:
        raise UsageError("--pair goes with --text.", "", "Name both columns: --text COLUMN --pair COLUMN.")
    if file is not None:
        _refuse_table(file)
    return _some([Input(row) for row in _lines(file)], file)


def _some(inputs: list[Input], file: Path | None) -> list[Input]:
    if not inputs:
        raise NotFound(
            "There was nothing to ask about.",
            f"{file.name if file else 'stdin'} holds no text: it is empty, or a header alone.",
            "Look whether it was written to its end, then ask again.",
        )
    return inputs


def _refuse_table(file: Path) -> None:
    """A csv read as lines would be answered, header and commas and all."""
    try:
        columns = open_source(file).columns()
    except (NotFound, UsageError):
        return  # no table, or none that is there: it is read as lines, and told if it cannot be
    found = f"Its columns are {', '.join(map(repr, columns))}." if columns else "Its records have named values."
    raise UsageError(
        f"{file.name} is a table, and no column is named.", found, f"freshtune predict {file} --text COLUMN"
    )


def _of_table(source: Source, text: str, pair: str | None) -> Iterator[Input]:
    ColumnMapping(text=text, pair=pair).check({}, source.columns())
    left_out: list[str] = []
    named_in = records = 0
    for raw in source.records():
        if isinstance(raw.content, BadRecord):
            left_out.append(f"record {raw.number}: {raw.content}")
            continue
        records += 1
        asked = joined_text(raw.content, text)
        named_in += asked is not None
        second = raw.content.get(pair) if pair else None
        yield Input(str(asked or ""), None if second is None else str(second))
    if records and not named_in:  # a format without a header says it only here
        raise UsageError(f"No record has {text!r}.", "", "Name the value that holds the text with --text.")
    if left_out:
        note(f"{len(left_out):,} that cannot be read left out, the first: {left_out[0]}")


def _lines(file: Path | None) -> list[str]:
    """Every line, so that answers stand beside what was asked; what follows the last newline is none if empty."""
    name = file or "stdin"
    if file is None and sys.stdin.isatty():
        note("Reading stdin, a text a line; Ctrl-D ends it.")
    try:
        content = sys.stdin.buffer.read() if file is None else file.read_bytes()
        if content.startswith(_GZIP):
            content = _unpacked(content)
        *lines, rest = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        return [*lines, rest] if rest else lines
    except (EOFError, OverflowError, gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(
            f"{name} cannot be unpacked.", str(error), "Send it again: it is no whole gzip file."
        ) from None
    except OSError as error:
        raise NotFound(f"{name} cannot be read.", error.strerror or str(error), "Check the path.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no text.", str(error), "Write it as UTF-8.") from None


def _unpacked(content: bytes) -> bytes:
    """The bytes of a gzip file; OverflowError where they grow as no text does."""
    most = max(DEFAULT_LIMITS.ratio_from_bytes, DEFAULT_LIMITS.max_ratio * len(content))
    with gzip.open(io.BytesIO(content)) as packed:
        unpacked = packed.read(most + 1)
    if len(unpacked) > most:
        raise OverflowError(f"it grows more than {DEFAULT_LIMITS.max_ratio} times")
    return unpacked
