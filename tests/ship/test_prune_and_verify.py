"""Prune frees what nobody needs and nothing else; verify finds every byte that changed."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from freshtune.errors import NotFound
from freshtune.ship.checkout import checkout
from freshtune.ship.prune import prune
from freshtune.ship.registry import Registry
from freshtune.ship.verify import verify
from tests.ship.drafts import draft, files, open_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path) as opened:
        yield opened


def chain(registry: Registry, folder: Path, length: int, task: str = "sentiment") -> list[str]:
    """Releases, each tuned from the one before, all promoted, all on one trunk."""
    made: list[str] = []
    for number in range(length):
        parent = made[-1] if made else None
        release = registry.record(
            draft(parent, number * 100, number * 100 + 100, task=task, accuracy=number / 100),
            files(folder, f"{task}{number}"),
        )
        registry.promote(release.id, parent, "test")
        made.append(release.id)
    return made


def pruned(registry: Registry) -> set[str]:
    return {summary.id for summary in registry.list() if summary.pruned}


def test_old_releases_lose_their_files_and_keep_their_story(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 6)
    before = sum(stored.size for stored in registry.artefacts.stored())
    report = prune(registry, keep=2)
    assert report.releases == tuple(made[:3])
    assert pruned(registry) == set(made[:3])
    assert before - sum(stored.size for stored in registry.artefacts.stored()) == report.size > 0
    assert verify(registry).whole
    old = registry.get(made[0])
    assert old.verdict.promote
    assert set(old.artefacts) == {"manifest.json", "verdict.json"}
    assert registry.summary(made[0]).scores["old"] == {"accuracy": 0.88}
    with pytest.raises(NotFound, match="pruned"):
        registry.promote(made[0], made[-1], "test")
    assert len(registry.history("sentiment")) == 6
    assert len(registry.consumed("sentiment")) == 6
    assert registry.load_file(made[-1], "trunk.onnx").exists()


def test_a_dry_run_says_the_same_and_touches_nothing(registry: Registry, tmp_path: Path) -> None:
    chain(registry, tmp_path, 5)
    before, version = sorted(one.digest for one in registry.artefacts.stored()), registry.version()
    said = prune(registry, keep=1, dry_run=True)
    assert (sorted(one.digest for one in registry.artefacts.stored()), registry.version()) == (before, version)
    done = prune(registry, keep=1)
    assert (said.releases, said.artefacts, said.size) == (done.releases, done.artefacts, done.size)


def test_rollback_still_works_after_pruning(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 5)
    for _ in range(6):
        refused = draft(made[-1], 500, 500 + len(registry.list()), promote=False)
        registry.record(refused, files(tmp_path, f"refused{len(registry.list())}"))
    prune(registry, keep=0)
    assert registry.rollback("sentiment", made[-1], "test").id == made[-2]
    with pytest.raises(NotFound, match="pruned"):
        registry.rollback("sentiment", made[-2], "test")


def test_a_pruned_release_that_is_recorded_again_is_whole(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 4)
    prune(registry, keep=1)
    again = registry.record(draft(None, 0, 100, accuracy=0.0), files(tmp_path, "sentiment0"))
    assert again.id == made[0]
    assert not registry.summary(again.id).pruned
    assert verify(registry).whole


def test_only_old_orphans_go(registry: Registry, tmp_path: Path) -> None:
    chain(registry, tmp_path, 1)
    orphan = registry.artefacts.put(b"of a release that is just being recorded")
    (tmp_path / "artefacts" / ".writing-x").write_bytes(b"half")
    assert prune(registry, keep=1).size == 0
    assert registry.artefacts.exists(orphan)
    report = prune(registry, keep=1, grace=0.0)
    assert (report.artefacts, report.unfinished) == ((orphan,), (".writing-x",))
    assert not registry.artefacts.exists(orphan)
    assert verify(registry).whole


def test_prune_between_storing_and_the_row_loses_nothing(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prune_now(name: str) -> None:
        if name == "record:manifest":
            with open_registry(tmp_path) as other:
                assert len(prune(other, keep=0, grace=0.0).artefacts) == 6

    monkeypatch.setattr("freshtune.ship.registry.fault_point", prune_now)
    registry.record(draft(), files(tmp_path, "a"))
    report = verify(registry)
    assert (report.whole, report.artefacts) == (True, 6)


def test_prune_beside_a_recording_process_loses_nothing(registry: Registry, tmp_path: Path) -> None:
    done = threading.Event()

    def prune_all_the_time() -> None:
        with open_registry(tmp_path) as other:
            while not done.is_set():
                prune(other, keep=100, grace=0.0)

    pruning = threading.Thread(target=prune_all_the_time)
    pruning.start()
    try:
        for number in range(15):
            registry.record(draft(upto=number + 1, accuracy=number / 100), files(tmp_path, f"beside{number}"))
    finally:
        done.set()
        pruning.join()
    report = verify(registry)
    assert (report.releases, report.damaged) == (15, ())


def test_tasks_are_pruned_each_on_its_own(registry: Registry, tmp_path: Path) -> None:
    one, two = chain(registry, tmp_path, 4), chain(registry, tmp_path, 2, "rating")
    prune(registry, keep=1)
    assert pruned(registry) == set(one[:2])
    assert verify(registry, two[0]).whole


def test_verify_names_every_damaged_file(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 3)
    assert verify(registry).whole
    assert verify(registry, made[0]).artefacts == 6
    path = registry.load_file(made[0], "trunk.onnx")
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])
    registry.load_file(made[1], "manifest.json").unlink()
    report = verify(registry)
    assert [(damage.release, damage.name) for damage in report.damaged] == [
        (made[0], "trunk.onnx"), (made[1], "manifest.json"), (made[1], "trunk.onnx"), (made[2], "trunk.onnx")
    ]  # fmt: skip
    assert "missing" in report.damaged[1].problem
    with pytest.raises(NotFound):
        verify(registry, "nothing")


def test_verify_sees_a_registry_that_disagrees_with_the_manifest(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 1)[0]
    stranger = registry.artefacts.put(b"another model")
    with registry.writing() as db:
        db.execute("UPDATE files SET digest = ? WHERE release = ? AND name = 'top.onnx'", (stranger, made))
    assert [damage.name for damage in verify(registry).damaged] == ["top.onnx"]


def test_a_checkout_has_the_files_and_heals(registry: Registry, tmp_path: Path) -> None:
    made = chain(registry, tmp_path, 2)
    folder = checkout(registry, made[0], tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == sorted(registry.files(made[0]))
    assert (folder / "top.onnx").read_bytes() == b"sentiment0" * 20
    assert checkout(registry, made[0], tmp_path / "out") == folder
    (folder / "top.onnx").unlink()
    (folder / "top.onnx").write_bytes(b"damaged")
    assert (checkout(registry, made[0], tmp_path / "out") / "top.onnx").read_bytes() == b"sentiment0" * 20
    assert [path.name for path in (tmp_path / "out").iterdir()] == [made[0]]
