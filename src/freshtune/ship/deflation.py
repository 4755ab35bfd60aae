"""Files as they go over a network: deflated, the same bytes for the same content."""

import gzip
import shutil
from pathlib import Path

_LEVEL = 6
"""What a higher level saves of weights is less than a hundredth, for three times the work."""


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
        OSError: the source is no whole gzip file; EOFError and zlib.error for one that was cut or changed.
    """
    with gzip.open(source, "rb") as small, target.open("wb") as plain:
        shutil.copyfileobj(small, plain, 1 << 20)


def deflated_bytes(content: Path) -> int:
    """How many bytes of a file go over a network."""
    return len(gzip.compress(content.read_bytes(), _LEVEL, mtime=0))
