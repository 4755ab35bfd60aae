"""Lines of a text file, plain or gzip, in any encoding that shops send, within bounds of memory and of growth."""

import codecs
import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from freshtune.intake.limits import Limits
from freshtune.intake.reasons import BadRecord

_CHUNK = 1 << 18
_SAMPLE = 1 << 20
_EXCERPT = 4_096


class Place(NamedTuple):
    """Where a line ends: bytes of UTF-8 or GB18030 text before it, their CRC-32, and records before it.

    >>> Place.read(str(Place(12, 255, 3)))
    Place(offset=12, checksum=255, number=3)
    """

    offset: int = 0
    checksum: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.offset}:{self.checksum:08x}:{self.number}"

    @classmethod
    def read(cls, position: str | None) -> "Place":
        """Read a stored position; the start where there is none or it is another source's."""
        try:
            offset, checksum, number = (position or "").split(":")
            return cls(int(offset), int(checksum, 16), int(number))
        except ValueError:
            return cls()


class Line(NamedTuple):
    """One line without its end; ``whole`` says that it fits the limit, ``ended`` that a line feed follows."""

    content: bytes
    offset: int
    checksum: int
    whole: bool
    ended: bool


@dataclass(frozen=True)
class TextLines:
    """A text file as lines of bytes, split on line feeds alone: U+2028 and its like are part of a text."""

    path: Path
    limits: Limits

    def encoding(self) -> str:
        """``utf-8`` or ``gb18030``, by a vote of the lines in the first megabyte that are not plain ASCII."""
        with closing(self._chunks()) as chunks:
            sample = bytearray()
            try:
                for chunk in chunks:
                    sample += chunk
                    if len(sample) >= _SAMPLE:
                        break
            except BadRecord:
                pass  # what could be read still votes; the reader meets the fault itself
        votes = {"utf-8": 0, "gb18030": 0}
        for line in bytes(sample[:_SAMPLE]).split(b"\n"):
            if not line.isascii():
                votes[_encoding_of(line)] += 1
        return max(votes, key=lambda encoding: votes[encoding])

    def holds(self, place: Place) -> bool:
        """Whether the bytes before a place are still those that it was made from."""
        with closing(self._chunks()) as chunks:
            left, checksum = place.offset, 0
            try:
                for chunk in chunks:
                    checksum = zlib.crc32(chunk[:left], checksum)
                    left -= min(left, len(chunk))
                    if not left:
                        break
            except BadRecord:
                return False
        return left == 0 and checksum == place.checksum

    def lines(self, start: Place) -> Generator[Line, None, None]:
        """Give the lines behind a place that holds.

        Raises:
            BadRecord: ``broken_file`` or ``decompression_limit``, after all lines that could be read.
        """
        offset, checksum, limit = start.offset, start.checksum, self.limits.max_record_bytes
        pending, excerpt = b"", None
        with closing(self._chunks()) as chunks:
            for chunk in _behind(chunks, start.offset):
                parts = (pending + chunk).split(b"\n")
                pending = parts.pop()
                for part in parts:
                    offset += len(part) + 1
                    checksum = zlib.crc32(b"\n", zlib.crc32(part, checksum))
                    if excerpt is None and len(part) <= limit:
                        yield Line(part, offset, checksum, True, True)
                    else:
                        yield Line(excerpt or part[:_EXCERPT], offset, checksum, False, True)
                        excerpt = None
                if len(pending) > limit:
                    # Too long already: keep its start, count the rest, hold none of it.
                    excerpt = excerpt or pending[:_EXCERPT]
                    offset, checksum, pending = offset + len(pending), zlib.crc32(pending, checksum), b""
        if pending or excerpt:
            offset, checksum = offset + len(pending), zlib.crc32(pending, checksum)
            yield Line(excerpt or pending, offset, checksum, excerpt is None, False)

    def _chunks(self) -> Generator[bytes, None, None]:
        """Decompressed bytes without a byte order mark; UTF-16 turned into UTF-8."""
        with self.path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            chunks = self._unpacked(file) if packed else iter(lambda: file.read(_CHUNK), b"")
            first = next(chunks, b"")
            if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                yield from _from_utf_16(_and_then(first, chunks))
            else:
                yield from _and_then(first.removeprefix(codecs.BOM_UTF8), chunks)

    def _unpacked(self, file: BinaryIO) -> Generator[bytes, None, None]:
        size = 0
        with gzip.GzipFile(fileobj=file) as unpacked:
            while True:
                try:
                    chunk = unpacked.read(_CHUNK)
                except (EOFError, OSError, zlib.error) as error:
                    raise BadRecord("broken_file", f"gzip: {error}") from None
                size += len(chunk)
                if size > self.limits.ratio_from_bytes and size > self.limits.max_ratio * file.tell():
                    raise BadRecord("decompression_limit", f"grows more than {self.limits.max_ratio} times")
                if not chunk:
                    return
                yield chunk


def decode(line: bytes, encoding: str) -> str:
    """Read a line as text.

    Raises:
        BadRecord: ``broken_encoding``.
    """
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadRecord("broken_encoding", f"not {encoding} at byte {error.start}") from None


def shown(line: bytes) -> str:
    """The start of bytes as text, whatever they are."""
    return line[:_EXCERPT].decode("utf-8", "replace")


def _encoding_of(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        try:
            line.decode("gb18030")
        except UnicodeDecodeError:
            return "utf-8"
        return "gb18030"
    return "utf-8"


def _and_then(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _behind(chunks: Iterator[bytes], offset: int) -> Generator[bytes, None, None]:
    for chunk in chunks:
        if offset < len(chunk):
            yield chunk[offset:]
        offset -= min(offset, len(chunk))


def _from_utf_16(chunks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"  # half a character is left over: its line must not pass for whole
