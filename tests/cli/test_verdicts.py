"""Verdicts and histories as lines: three marks, and every reason that a person gave."""

from pathlib import Path

import pytest

from freshtune.cli.verdicts import history_lines, mark, short_reason, standing, verdict_lines
from freshtune.records import Finding, Verdict
from freshtune.serve.replies import release_line, release_standing
from freshtune.ship.registry import Registry
from tests.ship.drafts import draft, files, open_registry


@pytest.mark.parametrize(
    ("passed", "examined", "shown"), [(True, True, "✓"), (False, True, "✗"), (True, False, "–"), (False, False, "✗")]
)
def test_what_was_not_looked_at_has_a_mark_of_its_own(passed: bool, examined: bool, shown: str) -> None:
    finding = Finding("规则", passed, {}, "words", examined)
    assert mark(finding) == shown
    assert list(verdict_lines(Verdict(passed, (finding,)))) == [f"{shown} 规则: words"]


def recorded(registry: Registry, folder: Path, number: int, promote: bool = True) -> str:
    made = draft(registry.live_id("sentiment"), 100 * number, 100 * (number + 1), promote, accuracy=number / 100)
    return registry.record(made, files(folder, f"r{number}")).id


def test_the_whole_story_of_a_release_can_be_read(tmp_path: Path) -> None:
    with open_registry(tmp_path) as registry:
        first = recorded(registry, tmp_path, 0)
        registry.promote(first, None, "gate")
        second = recorded(registry, tmp_path, 1, promote=False)
        assert "old fell" in short_reason(registry.summary(second))
        registry.promote(second, first, "王芳", "the labels are right", force=True)
        assert standing(registry.summary(second)) == "promoted, live"
        assert short_reason(registry.summary(second)) == "forced past the gate by 王芳: the labels are right"
        third = recorded(registry, tmp_path, 2)
        registry.promote(third, second, "gate")
        registry.rollback("sentiment", third, "ann", "complaints since noon")
        registry.rollback("sentiment", second, "bob", "差评")
        lines = [line[17:] for line in history_lines(second, registry.history("sentiment", second))]
        assert lines == [
            f"forced past the gate in place of {first} by 王芳: the labels are right",
            f"replaced when {third} was promoted by gate",
            f"live again, {third} was rolled back by ann: complaints since noon",
            f"rolled back to {first} by bob: 差评",
        ]
        assert standing(registry.summary(second)) == "rolled back"
        assert short_reason(registry.summary(second)) == "rolled back by bob: 差评", "the last thing that was said"
        assert short_reason(registry.summary(third)) == "rolled back by ann: complaints since noon"
        assert short_reason(registry.summary(first)) == ""
        assert standing(registry.summary(first)) == "promoted, live"


def test_of_several_rollbacks_the_last_is_told_and_none_of_one_that_is_live_again(tmp_path: Path) -> None:
    with open_registry(tmp_path) as registry:
        first = recorded(registry, tmp_path, 0)
        registry.promote(first, None, "gate")
        second = recorded(registry, tmp_path, 1)
        for why in ("once", "twice"):
            registry.promote(second, first, "ann")
            assert short_reason(registry.summary(second)) == ""
            registry.rollback("sentiment", second, "bob", why)
            assert short_reason(registry.summary(second)) == f"rolled back by bob: {why}"
        registry.promote(second, first, "ann")
        summary = registry.summary(second)
        assert (summary.rolled_back_by, summary.rolled_back_why) == (None, None)
        assert [each.id for each in registry.list()] == [second, first], "a rollback more is no release more"


def test_replies_hold_who_and_why(tmp_path: Path) -> None:
    with open_registry(tmp_path) as registry:
        first, second = recorded(registry, tmp_path, 0), recorded(registry, tmp_path, 1)
        registry.promote(first, None, "gate")
        registry.promote(second, first, "gate")
        registry.rollback("sentiment", second, "ann", "投诉")
        line = release_line(registry.summary(second))
        assert (line["outcome"], line["rolled_back_by"], line["rolled_back_why"]) == ("rolled_back", "ann", "投诉")
        told = release_standing(registry.summary(second), registry.history("sentiment", second))
        assert (told["outcome"], told["live"], told["pruned"]) == ("rolled_back", False, False)
        history = told["history"]
        assert isinstance(history, list)
        assert [(step["action"], step["by"], step["why"]) for step in history if isinstance(step, dict)] == [
            ("promote", "gate", ""), ("rollback", "ann", "投诉")
        ]  # fmt: skip
