"""A store gives the bytes that it was given, or nothing."""

import gzip
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from freshtune.errors import FreshtuneError, IntegrityError, UsageError
from freshtune.ship.artefacts import ArtefactStore, FolderStore, digest_of
from freshtune.ship.deflation import deflated_bytes
from freshtune.ship.remote_artefacts import open_artefacts
from tests.ship.drafts import draft, files, open_registry


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtefactStore]:
    url = str(tmp_path / "store") if request.param == "folder" else "memory://shop/artefacts"
    yield open_artefacts(url, tmp_path / "cache")
    forget("/shop")


def forget(folder: str) -> None:
    """Empty a folder of the one file system that all tests of this process share."""
    memory = fsspec.filesystem("memory")
    if memory.exists(folder):
        memory.rm(folder, recursive=True)


def stored_file(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def flip_byte(path: Path, place: int, mask: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ mask]))


@pytest.mark.parametrize("content", [b"", b"\x00", "中文与 English".encode(), bytes(range(256)) * 9000])
def test_bytes_and_files_come_back(store: ArtefactStore, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "源文件"
    source.write_bytes(content)
    digest = store.put(source)
    assert digest == digest_of(content) == store.put(content)
    assert store.exists(digest)
    assert store.path(digest).read_bytes() == content
    [one] = store.stored()
    assert one.digest == digest
    assert one.size == len(content) if isinstance(store, FolderStore) else deflated_bytes(source)
    store.check(digest)


def test_what_is_deleted_is_gone(store: ArtefactStore) -> None:
    digest = store.put(b"x")
    store.delete(digest)
    store.delete(digest)
    assert not store.exists(digest)
    assert list(store.stored()) == []
    with pytest.raises(IntegrityError, match="missing"):
        store.path(digest)
    with pytest.raises(IntegrityError, match="missing"):
        store.check(digest)


@pytest.mark.parametrize("name", ["", "../x", "A" * 64, "a" * 63, "a" * 64 + "\n", "/etc/passwd"])
def test_only_digests_are_names(store: ArtefactStore, name: str) -> None:
    for verb in (store.exists, store.path, store.delete, store.check):
        with pytest.raises(UsageError):
            verb(name)


def test_a_remote_copy_is_checked_when_it_arrives(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    store = open_artefacts("memory://bucket", tmp_path / "one")
    digest = store.put(b"some weights")
    kept = f"/bucket/{digest[:2]}/{digest}.gz"
    whole = memory.cat_file(kept)
    for damaged in (
        gzip.compress(b"some weightz"),
        b"some weights",
        b"",
        whole[:-1],
        whole[:9],
        whole[:15] + b"\xff" * 9,
    ):
        memory.pipe_file(kept, damaged)
        with pytest.raises(IntegrityError, match="damaged"):
            open_artefacts("memory://bucket", tmp_path / "two").path(digest)
        with pytest.raises(IntegrityError, match="damaged"):
            store.check(digest)
    memory.pipe_file(kept, whole[:-1])
    store.put(b"some weights")
    assert open_artefacts("memory://bucket", tmp_path / "three").path(digest).read_bytes() == b"some weights"
    forget("/bucket")


def test_what_goes_over_a_network_is_deflated_and_the_same_each_time(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    numbers = np.random.default_rng(0).normal(0, 20, 400_000).clip(-64, 63).astype(np.int8).tobytes()
    sent = []
    for folder in ("one", "two"):
        digest = open_artefacts("memory://bucket", tmp_path / folder).put(numbers)
        sent.append(memory.cat_file(f"/bucket/{digest[:2]}/{digest}.gz"))
        forget("/bucket")
    assert sent[0] == sent[1]
    assert len(sent[0]) < 0.9 * len(numbers)
    assert len(sent[0]) == deflated_bytes(stored_file(tmp_path / "one", digest))


def test_a_damaged_local_copy_is_fetched_again(tmp_path: Path) -> None:
    store = open_artefacts("memory://bucket", tmp_path)
    digest = store.put(b"some weights")
    overwrite(stored_file(tmp_path, digest), b"some weightz")
    assert store.path(digest).read_bytes() == b"some weights"
    forget("/bucket")


def test_urls(tmp_path: Path) -> None:
    assert isinstance(open_artefacts(tmp_path.as_uri()), FolderStore)
    with pytest.raises(UsageError, match="cache"):
        open_artefacts("memory://x")
    with pytest.raises(FreshtuneError, match="nowhere"):
        open_artefacts("nowhere://x", tmp_path)


def test_putting_good_bytes_heals_a_damaged_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    digest = store.put(b"good")
    overwrite(stored_file(tmp_path, digest), b"evil")
    with pytest.raises(IntegrityError, match="damaged"):
        store.path(digest)
    assert store.put(b"good") == digest
    assert store.path(digest).read_bytes() == b"good"


def test_a_verified_file_that_changes_is_hashed_again(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    digest = store.put(b"good")
    path = stored_file(tmp_path, digest)
    hour_ago = time.time_ns() - 3_600_000_000_000
    os.utime(path, ns=(hour_ago, hour_ago))
    assert store.path(digest) == path
    overwrite(path, b"evil")
    os.utime(path, ns=(hour_ago, hour_ago))
    with pytest.raises(IntegrityError):
        store.path(digest)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(b"weights")
    assert list(store.stored()) == []
    assert list(store.unfinished()) == []


def test_a_source_that_changes_underway_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"one")
    store = FolderStore(tmp_path / "store")

    def changing(name: str) -> None:
        source.write_bytes(b"two")

    digest = store.put(b"one")
    store.delete(digest)
    monkeypatch.setattr("freshtune.ship.artefacts.digest_of", lambda content: digest_of(b"other"))
    with pytest.raises(IntegrityError, match="changed while"):
        store.put(source)
    assert list(store.stored()) == []


def test_a_thousand_flipped_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    generator = random.Random(13)
    with open_registry(tmp_path) as registry:
        made = files(tmp_path, "release")
        made["top.onnx"].write_bytes(generator.randbytes(30_000))
        release = registry.record(draft(), made)
        names = sorted(release.artefacts)
        refused = 0
        for number in range(1_000):
            name = generator.choice(names)
            path = stored_file(tmp_path / "artefacts", release.artefacts[name])
            place, mask = generator.randrange(path.stat().st_size), generator.randrange(1, 256)
            flip_byte(path, place, mask)
            with pytest.raises(IntegrityError, match="damaged"):
                registry.load_file(release, name)
            if number % 20 == 0:
                with pytest.raises(IntegrityError):
                    registry.promote(release.id, None, "test")
            if name in ("scorecards.json", "verdict.json"):
                with pytest.raises(IntegrityError):
                    registry.get(release.id)
            refused += 1
            flip_byte(path, place, mask)
        assert refused == 1_000
        assert registry.promote(release.id, None, "test") == release
