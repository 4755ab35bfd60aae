"""Artefacts on any fsspec file system, and the one way to open a store by its address."""

import gzip
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from freshtune.errors import FreshtuneError, IntegrityError, UsageError
from freshtune.ship.artefacts import DIGEST, ArtefactStore, FolderStore, Stored, damaged, digest_of, missing, place
from freshtune.ship.deflation import ENDING, deflate, ending, inflate


def open_artefacts(url: str | Path, cache: Path | None = None) -> ArtefactStore:
    """Open a store.

    Args:
        url: a folder, or any fsspec URL such as ``s3://bucket/shop``.
        cache: folder for local copies of what is not on this machine; needed for those.

    Raises:
        UsageError: no cache for a remote store.
        FreshtuneError: fsspec does not know the protocol, or its package is missing.
    """
    if isinstance(url, Path) or "://" not in url:
        return FolderStore(Path(url))
    protocol = url.split("://", 1)[0]
    if protocol in ("file", "local"):
        return FolderStore(Path(url.split("://", 1)[1]))
    if cache is None:
        raise UsageError(f"artefacts at {protocol}:// need a cache folder", mend="Name a folder for local copies.")
    try:
        filesystem, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FreshtuneError(f"cannot open artefacts at {protocol}://", str(error), "Install its package.") from error
    return RemoteStore(filesystem, root, FolderStore(cache))


_SUFFIX = ".gz"


class RemoteStore:
    """Any fsspec file system, with a folder for local copies of what was read or written here; what it keeps is
    deflated, as int8 weights lose a fifth of their bytes."""

    def __init__(self, filesystem: Any, root: str, near: FolderStore) -> None:
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._near = near

    def put(self, content: Path | bytes) -> str:
        digest = self._near.put(content)
        local, key = self._near.path(digest), self._key(digest)
        # Not every file system shows an upload whole or not at all: one that does not end as it must was cut short.
        if not self.exists(digest) or self._filesystem.cat_file(key, start=-ENDING) != ending(local):
            with tempfile.TemporaryDirectory() as folder:
                deflate(local, Path(folder) / "deflated")
                self._filesystem.makedirs(key.rsplit("/", 1)[0], exist_ok=True)
                self._filesystem.put_file(str(Path(folder) / "deflated"), key)
        return digest

    def path(self, digest: str) -> Path:
        if self._near.exists(digest):
            try:
                return self._near.path(digest)
            except IntegrityError:
                self._near.delete(digest)
        with tempfile.TemporaryDirectory() as folder:
            self._near.put(self._fetched(digest, Path(folder)))
        return self._near.path(digest)

    def check(self, digest: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._fetched(digest, Path(folder))

    def exists(self, digest: str) -> bool:
        self._filesystem.invalidate_cache()
        return bool(self._filesystem.exists(self._key(digest)))

    def delete(self, digest: str) -> None:
        self._near.delete(digest)
        if self.exists(digest):
            self._filesystem.rm_file(self._key(digest))

    def stored(self) -> Iterator[Stored]:
        self._filesystem.invalidate_cache()
        for key, facts in sorted(self._filesystem.find(self._root, detail=True).items()):
            digest = key.rsplit("/", 1)[-1].removesuffix(_SUFFIX)
            if DIGEST.fullmatch(digest):
                written = self._filesystem.modified(key).timestamp()
                yield Stored(digest, int(facts["size"]), max(0.0, time.time() - written))

    def unfinished(self) -> Iterator[Stored]:
        return self._near.unfinished()

    def drop_unfinished(self, name: str) -> None:
        self._near.drop_unfinished(name)

    def _fetched(self, digest: str, folder: Path) -> Path:
        """The bytes as the other side has them, in a folder."""
        small, whole = folder / "deflated", folder / "whole"
        try:
            self._filesystem.get_file(self._key(digest), str(small))
        except FileNotFoundError as error:
            raise missing(digest) from error
        try:
            inflate(small, whole)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise damaged(digest) from error
        if digest_of(whole) != digest:
            raise damaged(digest)
        return whole

    def _key(self, digest: str) -> str:
        return f"{self._root}/{place(digest)}{_SUFFIX}"
