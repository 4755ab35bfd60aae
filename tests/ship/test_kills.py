"""SIGKILL at every named place of publishing: nothing half-published, never two live, nothing to repair by hand."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from freshtune.ship.prune import prune
from freshtune.ship.registry import Registry
from freshtune.ship.verify import verify
from tests.ship.drafts import open_registry

ROOT = Path(__file__).parents[2]
WRITES = [f"artefact:{place}:{hit}" for place in ("write", "rename", "sync") for hit in range(1, 11)]
RECORDS = ("record:artefacts", "record:manifest", "record:row", "record:committed")
PROMOTIONS = ("promote:checked", "promote:history", "promote:row", "promote:committed")
OTHERS = ("rollback:checked", "rollback:history", "rollback:row", "rollback:committed", "prune:marked")
PLACES = [
    *WRITES,
    *(f"{place}:{hit}" for place in RECORDS + PROMOTIONS for hit in (1, 2)),
    *OTHERS,
    *(f"prune:deleted:{hit}" for hit in (1, 2, 3)),
]


def run_child(folder: Path, turn: int, fault: str) -> tuple[int, list[list[str]]]:
    environment = {**os.environ, "FRESHTUNE_FAULT": fault, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(
        [sys.executable, "-m", "tests.ship.killed_child", str(folder), str(turn)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False, timeout=120,
    )  # fmt: skip
    return child.returncode, [line.split() for line in child.stdout.splitlines()]


def assert_sound(registry: Registry, acknowledged: list[list[str]], steps_before: int) -> None:
    """All that was acknowledged stands, and at most the one step that was underway stands too."""
    assert verify(registry).damaged == ()
    listed = {summary.id: summary for summary in registry.list(limit=10_000)}
    assert sum(summary.live for summary in listed.values()) <= 1
    assert {release for step, release in acknowledged if step == "record"} <= set(listed)
    history = registry.history("sentiment")
    changes = [[step.action, step.release] for step in history[steps_before:]]
    told = [step for step in acknowledged if step[0] in ("promote", "rollback")]
    assert changes[: len(told)] == told
    assert len(changes) <= len(told) + 1
    live = registry.live_id("sentiment")
    assert live == (history[-1].release if history else None)
    if live is not None:
        assert listed[live].outcome == "promoted"
        assert registry.live("sentiment") is not None


@pytest.mark.real
def test_kills_at_every_place(tmp_path: Path) -> None:
    assert len(PLACES) >= 52
    watermark = 0
    for turn, place in enumerate(PLACES):
        with open_registry(tmp_path) as registry:
            steps_before = len(registry.history("sentiment"))
        code, acknowledged = run_child(tmp_path, turn, place)
        assert code == -signal.SIGKILL, f"{place} was not reached"
        with open_registry(tmp_path) as registry:
            assert_sound(registry, acknowledged, steps_before)
            assert registry.watermark("sentiment") >= watermark
            watermark = registry.watermark("sentiment")
    code, acknowledged = run_child(tmp_path, len(PLACES), "")
    assert (code, [step for step, _ in acknowledged]) == (
        0,
        ["record", "promote", "record", "promote", "rollback", "prune"],
    )
    with open_registry(tmp_path) as registry:
        prune(registry, keep=2, grace=0.0)
        assert list(registry.artefacts.unfinished()) == []
        named = {file.digest for file in registry.stored_files()}
        assert {stored.digest for stored in registry.artefacts.stored()} == named
        assert verify(registry).whole
