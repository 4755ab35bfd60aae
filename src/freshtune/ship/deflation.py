"""Files as they go over a network: deflated, the same bytes for the same content."""

import gzip
import shutil
import struct
import zlib
from pathlib import Path

_LEVEL = 6
"""What a higher level saves of weights is less than a hundredth, for three times the work."""


ENDING = 8
"""Bytes at the end of a gzip file that say what it must hold."""


def deflate(source: Path, target: Path) -> None:
    """Write a file as gzip, without name and time.

    Args:
        target: written over.
    """
    with (
        source.open("rb") as plain,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as small,
    ):
        shutil.copyfileobj(plain, small, 1 << 20)


def inflate(source: Path, target: Path) -> None:
    """The reverse of :func:`deflate`.

    Raises:
        gzip.BadGzipFile, EOFError, zlib.error: the source is no gzip file, or was cut or changed.
    """
    with gzip.open(source, "rb") as small, target.open("wb") as plain:
        shutil.copyfileobj(small, plain, 1 << 20)


def ending(content: Path) -> bytes:
    """The last bytes of a file once it is deflated, by whatever zlib: its CRC-32 and its length."""
    crc, length = 0, 0
    with content.open("rb") as plain:
        while block := plain.read(1 << 20):
            crc, length = zlib.crc32(block, crc), length + len(block)
    return struct.pack("<LL", crc, length & 0xFFFFFFFF)


def deflated_bytes(content: Path) -> int:
    """How many bytes of a file go over a network."""
    return len(gzip.compress(content.read_bytes(), _LEVEL, mtime=0))
