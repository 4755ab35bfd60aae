"""Where the bytes of releases are kept: by their sha256, never changed, checked before they are given."""

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from freshtune.errors import IntegrityError, UsageError
from freshtune.faults import fault_point

DIGEST = re.compile(r"[0-9a-f]{64}")
_TEMPORARY = ".writing-"
_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing in a store: its digest (of an unfinished write, its file name), its bytes, its age in seconds."""

    digest: str
    size: int
    age: float


class ArtefactStore(Protocol):
    """Bytes by digest. Putting is atomic and durable, getting is verified."""

    def put(self, content: Path | bytes) -> str:
        """Store a file's or literal bytes; gives their sha256, 64 hex digits. What is there is not written again."""

    def path(self, digest: str) -> Path:
        """A local file whose bytes have this digest; IntegrityError where they have not or are missing."""

    def check(self, digest: str) -> None:
        """Read all stored bytes again; IntegrityError where they are not what the digest says."""

    def exists(self, digest: str) -> bool:
        """Whether it is stored; its bytes are not looked at."""

    def delete(self, digest: str) -> None:
        """Remove it; nothing happens where it is not there."""

    def stored(self) -> Iterator[Stored]:
        """Everything that is stored."""

    def unfinished(self) -> Iterator[Stored]:
        """What a crash left half-written; never visible as an artefact."""

    def drop_unfinished(self, name: str) -> None:
        """Remove one of them."""


def digest_of(content: Path | bytes) -> str:
    """The sha256 of a file's or literal bytes.

    >>> digest_of(b"")[:12]
    'e3b0c44298fc'
    """
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(digest: str) -> str:
    """Where a store keeps a digest: ``ab/abcd…``.

    Raises:
        UsageError: it is no sha256.
    """
    if not DIGEST.fullmatch(digest):
        raise UsageError(f"{digest!r:.80} is no sha256", mend="64 digits 0-9 and a-f.")
    return f"{digest[:2]}/{digest}"


class FolderStore:
    """A store in a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._verified: dict[str, tuple[int, int, int, int]] = {}
        root.mkdir(parents=True, exist_ok=True)

    def put(self, content: Path | bytes) -> str:
        digest = digest_of(content)
        if self.exists(digest):
            try:
                self.path(digest)
            except IntegrityError:  # what stands there is damaged: the good bytes are at hand, so they replace it
                pass
            else:
                _sync_folder(self._at(digest).parent)  # a crash may have come between its rename and this
                return digest
        self._write(content, digest)
        return digest

    def path(self, digest: str) -> Path:
        path = self._at(digest)
        try:
            before = _fingerprint(path)
            if self._verified.get(digest) == before:
                return path
            found = digest_of(path)
        except OSError as error:
            raise missing(digest) from error
        if found != digest:
            self._verified.pop(digest, None)
            raise damaged(digest)
        # A file changed within a clock tick of its last change keeps its times: only what has rested may be remembered.
        if time.time_ns() - max(before[1:3]) > _RACY_NS and _fingerprint(path) == before:
            self._verified[digest] = before
        return path

    def check(self, digest: str) -> None:
        self._verified.pop(digest, None)
        self.path(digest)

    def exists(self, digest: str) -> bool:
        return self._at(digest).is_file()

    def delete(self, digest: str) -> None:
        self._verified.pop(digest, None)
        self._at(digest).unlink(missing_ok=True)

    def stored(self) -> Iterator[Stored]:
        for path in sorted(self._root.glob("[0-9a-f][0-9a-f]/*")):
            if DIGEST.fullmatch(path.name):
                yield from _facts(path)

    def unfinished(self) -> Iterator[Stored]:
        for path in sorted(self._root.glob(f"{_TEMPORARY}*")):
            if not _being_written(path.name):
                yield from _facts(path)

    def drop_unfinished(self, name: str) -> None:
        if name.startswith(_TEMPORARY) and "/" not in name:
            (self._root / name).unlink(missing_ok=True)

    def _at(self, digest: str) -> Path:
        return self._root / place(digest)

    def _write(self, content: Path | bytes, digest: str) -> None:
        target = self._at(digest)
        target.parent.mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{_TEMPORARY}{os.getpid()}-", dir=self._root)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                copied = _copy(content, file)
                fault_point("artefact:write")
                file.flush()
                os.fchmod(file.fileno(), 0o444)
                os.fsync(file.fileno())
            if copied != digest:
                raise IntegrityError(f"{content!s:.200} changed while it was stored", mend="Try again.")
            fault_point("artefact:rename")
            temporary.replace(target)
            fault_point("artefact:sync")
            _sync_folder(target.parent)
            _sync_folder(self._root)
        finally:
            temporary.unlink(missing_ok=True)


def _copy(content: Path | bytes, target: Any) -> str:
    """Copy to an open file, hashing what is really written."""
    if isinstance(content, bytes):
        target.write(content)
        return digest_of(content)
    found = hashlib.sha256()
    with content.open("rb") as source:
        while block := source.read(1 << 20):
            found.update(block)
            target.write(block)
    return found.hexdigest()


def _fingerprint(path: Path) -> tuple[int, int, int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def _being_written(name: str) -> bool:
    """Whether the process that began this file still runs on this machine; age tells for those of another one."""
    writer = name.removeprefix(_TEMPORARY).split("-")[0]
    try:
        os.kill(int(writer), 0)
    except PermissionError:
        return True
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    return True


def _facts(path: Path) -> Iterator[Stored]:
    try:
        facts = path.stat()
    except FileNotFoundError:  # another process has just removed it
        return
    yield Stored(path.name, facts.st_size, max(0.0, time.time() - facts.st_mtime))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def missing(digest: str) -> IntegrityError:
    """What to raise when a store has not got what a release names."""
    return IntegrityError(
        f"artefact {digest[:12]} is missing",
        "The store has no such file.",
        "`freshtune releases verify` lists what is affected; restore it from a copy or roll back.",
    )


def damaged(digest: str) -> IntegrityError:
    """What to raise when the bytes are others than the digest says."""
    return IntegrityError(
        f"artefact {digest[:12]} is damaged",
        "Its bytes are not what its digest says.",
        "`freshtune releases verify` lists what is affected; restore it from a copy or roll back.",
    )
