"""How far an update goes: shorter steps are judged where the gate objects to what is lost of the old, and to nothing
else; what was judged last is what is stored."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from itertools import count as count_from
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from freshtune.cycle import stepping, trial
from freshtune.cycle.trial import Judged
from freshtune.front_door import OpenWorkspace
from freshtune.judge.case import Gate, ReleaseFacts
from freshtune.phases import Phases
from freshtune.records import Finding, Release, Scorecard, Verdict
from freshtune.ship.changes import top_weights
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews

HEAD_ALONE = (
    "model.cut=2",
    "model.taps=[0.5, 1.0]",
    "model.units=0",
    "model.words=64",
    "learn.adapter={name='head_only'}",
    "learn.average=[1.0, 0.25, 0.5]",
    "learn.development=0",
    "learn.trunk.share=0",
    "learn.first.epochs=10",
    "learn.fit.epochs=5",
)
HARM = {
    "old": Finding("bound on old", False, {}, "", shown=False),
    "slice": Finding("slices", False, {}, ""),
    "new": Finding("gain on new", False, {}, ""),
    "labels": Finding("labels", False, {}, ""),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def make(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], OpenWorkspace]]:
    """Shops of the same history and the same delta."""
    monkeypatch.setenv("FRESHTUNE_CACHE", str(tmp_path / "cache"))
    with ExitStack() as stack:
        count = count_from(1)

        def made() -> OpenWorkspace:
            shop = make_shop(tmp_path / f"shop-{next(count)}", tiny, flags=HEAD_ALONE)
            stack.callback(close, shop)
            shop.ingest(reviews(0, 400), REVIEW)
            shop.train("sentiment")
            shop.ingest(reviews(500, 600), REVIEW)
            return shop

        yield made


def stepped(
    shop: OpenWorkspace, harms: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> tuple[Release, list[float], list[str]]:
    """An update whose looks the gate answers so, the last one for all that follow; the confidences that it was asked
    with, and remarks."""
    asked: list[float] = []
    judged_update = trial.judged_update

    def answered(
        ours: Mapping[str, Scorecard],
        theirs: Mapping[str, Scorecard],
        labels: Finding,
        facts: ReleaseFacts,
        gate: Gate,
    ) -> Judged:
        said = harms[min(len(asked), len(harms) - 1)]
        asked.append(gate.confidence)
        found = tuple(HARM[each] for each in said)
        return Judged(judged_update(ours, theirs, labels, facts, gate).scorecards, Verdict(not found, found))

    monkeypatch.setattr(stepping, "judged_update", answered)
    remarks: list[str] = []
    return shop.update("sentiment", Phases(on_remark=remarks.append)), asked, remarks


def moved(shop: OpenWorkspace, release: Release) -> dict[str, NDArray[np.float32]]:
    """By how much each weight of a release differs from its parent's."""
    assert release.parent is not None
    ours, theirs = (top_weights(shop.store.registry, each) for each in (release.id, release.parent))
    return {name: ours[name] - theirs[name] for name in ours}


def test_a_shorter_step_is_taken_where_the_gate_objects_to_what_is_lost_of_the_old(
    make: Callable[[], OpenWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        one = make()
        whole, asked, remarks = stepped(one, [[]], patch)
    assert (asked, remarks) == ([0.95], [])
    with monkeypatch.context() as patch:
        two = make()
        quarter, asked, remarks = stepped(two, [["old"], ["slice", "old"], []], patch)
    assert quarter.verdict.promote
    said = {finding.rule: finding for finding in quarter.verdict.findings}
    assert said["step"].numbers == {"share": 0.25, "looks": 3.0}
    assert said["step"].words.startswith("25% of the way")
    assert asked == pytest.approx([1 - 0.05 / look for look in (1, 2, 3)]), "each look is stricter"
    assert [text.rpartition(";")[2] for text in remarks] == [" 50% is tried.", " 25% is tried."]
    far, near = moved(one, whole), moved(two, quarter)
    assert max(np.abs(step).max() for step in far.values()) > 1e-3
    for name, step in far.items():
        np.testing.assert_allclose(near[name], step / 4, atol=1e-6)
    assert verify(two.store.registry).whole, "what a longer step left in the folder is no part of it"


@pytest.mark.parametrize("harms", [["new"], ["labels"], ["old", "new"], ["labels", "slice"]], ids=" and ".join)
def test_no_step_is_short_enough_for_what_is_wrong_with_the_delta(
    harms: list[str], make: Callable[[], OpenWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked, remarks = stepped(make(), [harms], monkeypatch)
    assert (len(asked), remarks, release.verdict.promote) == (1, [], False)


def test_where_none_is_short_enough_the_last_is_recorded(
    make: Callable[[], OpenWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = make()
    release, asked, remarks = stepped(shop, [["slice"], ["old"]], monkeypatch)
    assert (len(asked), len(remarks)) == (3, 2)
    assert release.verdict.undecided, "what the last look said counts"
    assert shop.store.registry.live_id("sentiment") == release.parent
    assert verify(shop.store.registry).whole
