"""What changed between two releases: files, and scores on what both were judged on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import UsageError
from freshtune.records import Estimate, Outcome, Release, Scorecard
from freshtune.ship.diff import HeldOutChange, ScoreChange, diff
from freshtune.ship.registry import Registry
from tests.ship.drafts import draft, files, open_registry


def card(right: Mapping[str, bool], name: str = "new", target: float = 1.0) -> Scorecard:
    outcomes = tuple(Outcome(example, target, target if hit else 9.0, 0.5, ()) for example, hit in right.items())
    accuracy = sum(right.values()) / max(1, len(right))
    return Scorecard(name, len(right), {"accuracy": Estimate(accuracy, accuracy, accuracy)}, {}, outcomes)


def accuracy(metric: str, outcomes: Sequence[Outcome]) -> float:
    assert metric == "accuracy"
    return sum(each.prediction == each.target for each in outcomes) / len(outcomes)


def recorded(registry: Registry, folder: Path, name: str, cards: dict[str, Scorecard], parent: str | None) -> Release:
    made = replace(draft(parent, 0 if parent is None else 100, 200), scorecards=cards)
    return registry.record(made, files(folder, name))


def test_a_diff_names_files_and_what_is_to_be_fetched(tmp_path: Path) -> None:
    with open_registry(tmp_path) as registry:
        one = recorded(registry, tmp_path, "a", {"new": card({"a": True})}, None)
        two = recorded(registry, tmp_path, "bb", {"new": card({"a": False})}, one.id)
        other = registry.record(draft(task="rating"), files(tmp_path, "c"))
        found = diff(registry, one.id, two.id, accuracy)
        assert [change.name for change in found.files] == ["manifest.json", "model.json", "scorecards.json", "top.onnx"]
        assert found.download == sum(change.size for change in found.files) > 40
        assert found.same_trunk
        assert diff(registry, one.id, one.id, accuracy).files == ()
        with pytest.raises(UsageError, match="different tasks"):
            diff(registry, one.id, other.id, accuracy)


def test_scores_are_those_of_the_common_examples_under_the_same_label(tmp_path: Path) -> None:
    before = {"new": card({"a": True, "b": False, "only-before": True}), "old": card({"c": True}, "old")}
    after = card({"a": True, "b": True, "c": False, "only-after": False})
    relabelled = card({"relabelled": True}, target=2.0)
    cards = {
        "new": replace(after, examples=5, outcomes=(*after.outcomes, *relabelled.outcomes)),
        "old": card({"nobody-knows": True}, "old"),
        "tfidf/new": card({"only-after": True}),
    }
    before["old"] = replace(before["old"], outcomes=(*before["old"].outcomes, *card({"relabelled": True}).outcomes))
    with open_registry(tmp_path) as registry:
        one = recorded(registry, tmp_path, "a", before, None)
        two = recorded(registry, tmp_path, "bb", cards, None)
        assert diff(registry, one.id, two.id, accuracy).held_out == (
            HeldOutChange("new", 5, 3, (ScoreChange("accuracy", 2 / 3, 2 / 3),), 1, 1),
            HeldOutChange("old", 1, 0, (), 0, 0),
        )


def test_a_child_and_its_parent_are_compared_on_all_that_the_child_was_judged_on(tmp_path: Path) -> None:
    was, now = {"a": True, "b": False, "c": True}, {"a": True, "b": True, "c": True}
    with open_registry(tmp_path) as registry:
        parent = recorded(registry, tmp_path, "a", {"new": card({"z": True})}, None)
        child = recorded(registry, tmp_path, "bb", {"new": card(now), "champion/new": card(was)}, parent.id)
        [there] = diff(registry, parent.id, child.id, accuracy).held_out
        assert there == HeldOutChange("new", 3, 3, (ScoreChange("accuracy", 2 / 3, 1.0),), 1, 0)
        [back] = diff(registry, child.id, parent.id, accuracy).held_out
        assert back == HeldOutChange("new", 3, 3, (ScoreChange("accuracy", 1.0, 2 / 3),), 0, 1)


answers = st.dictionaries(st.sampled_from("abcdefgh"), st.booleans())


@given(answers, answers)
def test_gains_less_losses_are_what_accuracy_changed_by(
    tmp_path_factory: pytest.TempPathFactory, was: dict[str, bool], now: dict[str, bool]
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    with open_registry(folder) as registry:
        one = recorded(registry, folder, "a", {"old": card(was, "old")}, None)
        two = recorded(registry, folder, "bb", {"new": card(now)}, None)
        [found] = diff(registry, one.id, two.id, accuracy).held_out
    assert found.common == len(was.keys() & now.keys())
    assert bool(found.scores) == bool(found.common), "without a common example there is nothing to compare"
    for score in found.scores:
        assert (score.after - score.before) * found.common == pytest.approx(found.gained - found.lost)


def test_pruned_scorecards_leave_nothing_to_compare(tmp_path: Path) -> None:
    with open_registry(tmp_path) as registry:
        one = recorded(registry, tmp_path, "a", {"new": card({"a": True})}, None)
        two = recorded(registry, tmp_path, "bb", {}, one.id)
        assert diff(registry, one.id, two.id, accuracy).held_out == ()
