"""Small releases to record in tests."""

from datetime import UTC, datetime
from pathlib import Path

from freshtune.records import Estimate, Finding, LogRange, Outcome, Scorecard, Verdict
from freshtune.ship.artefacts import FolderStore
from freshtune.ship.registry import Registry
from freshtune.ship.release_rows import ReleaseDraft

CREATED = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


def scorecard(name: str, accuracy: float) -> Scorecard:
    outcome = Outcome("e1", 1.0, 1.0, 0.9, (0.1, 0.9), category="酒店")
    estimate = Estimate(accuracy, accuracy - 0.02, accuracy + 0.02)
    return Scorecard(name, 300, {"accuracy": estimate}, {"酒店": {"accuracy": accuracy}}, (outcome,))


def draft(
    parent: str | None = None,
    since: int = 0,
    upto: int = 100,
    promote: bool = True,
    task: str = "sentiment",
    trunk: str = "t" * 64,
    accuracy: float = 0.9,
) -> ReleaseDraft:
    words = "accuracy on new +1.2 points" if promote else "old fell by 3.0 points 旧数据下降"
    verdict = Verdict(promote, (Finding("gain_on_new", promote, {"gain": 1.2}, words),))
    cards = {"new": scorecard("new", accuracy), "old": scorecard("old", 0.88)}
    return ReleaseDraft(task, parent, trunk, "v" * 64, LogRange(since, upto), "r" * 64, cards, verdict, CREATED)


def files(folder: Path, name: str, trunk: str = "trunk") -> dict[str, Path]:
    """Three files whose bytes depend on ``name``; the trunk is shared by all that give the same one."""
    content = {"trunk.onnx": trunk.encode() * 50, "top.onnx": name.encode() * 20, "model.json": f'"{name}"'.encode()}
    made = {}
    for file, data in content.items():
        made[file] = folder / f"{name}-{file}"
        made[file].write_bytes(data)
    return made


def open_registry(folder: Path) -> Registry:
    return Registry(folder / "registry.db", FolderStore(folder / "artefacts"))
