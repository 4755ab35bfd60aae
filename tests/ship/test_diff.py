"""What changed between two releases."""

from dataclasses import replace
from pathlib import Path

import pytest

from freshtune.errors import UsageError
from freshtune.records import Estimate, Outcome, Scorecard
from freshtune.ship.diff import Flips, ScoreChange, diff
from tests.ship.drafts import draft, files, open_registry


def card(right: dict[str, bool], accuracy: float) -> Scorecard:
    outcomes = tuple(Outcome(name, 1.0, float(hit), 0.5, ()) for name, hit in right.items())
    return Scorecard("new", len(right), {"accuracy": Estimate(accuracy, accuracy, accuracy)}, {}, outcomes)


def test_a_diff_names_files_scores_and_flips(tmp_path: Path) -> None:
    before = card({"a": True, "b": False, "c": True, "only-before": True}, 0.75)
    after = card({"a": True, "b": True, "c": False, "only-after": False}, 0.5)
    with open_registry(tmp_path) as registry:
        one = registry.record(replace(draft(), scorecards={"new": before}), files(tmp_path, "a"))
        cards = {"new": after, "champion/new": before}
        two = registry.record(replace(draft(one.id, 100, 200), scorecards=cards), files(tmp_path, "bb"))
        other = registry.record(draft(task="rating"), files(tmp_path, "c"))
        found = diff(registry, one.id, two.id)
        assert [change.name for change in found.files] == ["manifest.json", "model.json", "scorecards.json", "top.onnx"]
        assert found.download == sum(change.size for change in found.files) > 40
        assert found.same_trunk
        assert found.scores == (ScoreChange("new", "accuracy", 0.75, 0.5),)
        assert found.flips == (Flips("new", 3, 1, 1),)
        assert diff(registry, one.id, one.id).files == ()
        with pytest.raises(UsageError, match="different tasks"):
            diff(registry, one.id, other.id)
