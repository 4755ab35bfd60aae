"""``releases`` from the shell: who decided and why is shown, and only what can be compared is compared."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from freshtune import front_door
from freshtune.cli import app
from freshtune.records import LogRange, Outcome, Scorecard
from tests.ship.drafts import draft, files
from tests.small_shop import close

WHY = "投诉 since noon"


def call(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["releases", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    return result.output


def card(right: dict[str, bool]) -> Scorecard:
    outcomes = tuple(Outcome(each, 1.0, float(hit), 0.9, (0.1, 0.9)) for each, hit in right.items())
    return replace(draft().scorecards["new"], examples=len(outcomes), outcomes=outcomes)


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Path, list[str]]:
    """A workspace with four releases: promoted, forced and rolled back, refused, and one of no common example."""
    made = front_door.create(tmp_path / "shop", ["sentiment"])
    registry, names = made.store.registry, list[str]()
    for number, (good, right) in enumerate(
        [
            (True, {"a": True, "b": False, "c": True}),
            (False, {"b": True, "c": True, "d": False}),
            (False, {"a": True}),
            (True, {"z": True}),
        ]
    ):
        drafted = replace(draft(None, 100 * number, 100 * (number + 1), good), scorecards={"new": card(right)})
        names.append(registry.record(drafted, files(tmp_path, f"r{number}")).id)
    registry.promote(names[0], None, "gate")
    registry.promote(names[1], names[0], "王芳", "the labels are right", force=True)
    registry.rollback("sentiment", names[1], "ann", WHY)
    close(made)
    return tmp_path / "shop", names


def test_who_decided_and_why_is_shown_and_listed(shop: tuple[Path, list[str]]) -> None:
    folder, (first, second, refused, _) = shop
    shown = call("show", second, "-w", folder)
    assert "rolled back · parent" in shown.split("\n")[0]
    assert f"forced past the gate in place of {first} by 王芳: the labels are right" in shown
    assert f"rolled back to {first} by ann: {WHY}" in shown
    assert "promoted, live" in call("show", first, "-w", folder).split("\n")[0]
    lines = {
        line.split()[0 if not line.startswith("▶") else 1]: line
        for line in call("list", "-w", folder).split("\n")[1:]
        if line
    }
    assert f"rolled back by ann: {WHY}" in lines[second]
    assert "old fell" in lines[refused]
    assert "✗ gain_on_new" in call("show", refused, "-w", folder)
    document = json.loads(call("show", second, "-w", folder, "--json"))
    assert [(step["by"], step["why"]) for step in document["history"]] == [
        ("王芳", "the labels are right"), ("ann", WHY)
    ]  # fmt: skip
    assert (document["outcome"], document["live"]) == ("rolled_back", False)
    listed = {each["id"]: each for each in json.loads(call("list", "-w", folder, "--json"))}
    assert listed[second]["rolled_back_why"] == WHY
    assert listed[second]["forced_why"] == "the labels are right"
    assert listed[first]["rolled_back_why"] is None


def test_promote_and_rollback_say_where_the_release_stands_now(shop: tuple[Path, list[str]]) -> None:
    folder, (first, _, _, other) = shop
    promoted: Any = json.loads(call("promote", other, "-w", folder, "--by", "bob", "--json"))
    assert (promoted["live"], promoted["history"][-1]["by"]) == (True, "bob")
    told = CliRunner().invoke(app, ["releases", "rollback", "sentiment", "-w", str(folder), "--why", WHY, "--json"])
    back: Any = json.loads(told.stdout)
    assert (back["id"], back["live"], back["history"][-1]["why"]) == (first, True, WHY)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_rollback_names_what_it_quarantines_and_how_it_comes_back(
    shop: tuple[Path, list[str]], as_json: tuple[str, ...]
) -> None:
    folder, (*_, other) = shop
    call("promote", other, "-w", folder)
    told = CliRunner().invoke(app, ["releases", "rollback", "sentiment", "-w", str(folder), *as_json])
    assert told.exit_code == 0
    suggested = f"freshtune update sentiment -w {folder} --include 300:400"
    assert told.stderr == f"Log 300–400 is in quarantine; {suggested} brings it back.\n"
    if as_json:
        assert json.loads(told.stdout)["quarantined"] == [[300, 400]]
    opened = front_door.open(folder)
    assert [part.range for part in opened.include("sentiment", 300, 400)] == [LogRange(300, 400)]
    close(opened)


def test_a_diff_counts_what_is_in_common_and_marks_what_is_not(shop: tuple[Path, list[str]]) -> None:
    folder, (first, second, _, other) = shop
    some = call("diff", first, second, "-w", folder)
    assert "2 of 3" in some
    assert "0.5000  1.0000  +0.5000" in some, "scored again on b and c alone"
    assert "of 2 answers 1 were mended, 0 were lost" in some
    none = call("diff", first, other, "-w", folder)
    assert "not comparable" in none
    assert "accuracy" not in none
    [change] = json.loads(call("diff", first, other, "-w", folder, "--json"))["held_out"]
    assert (change["common"], change["scores"]) == (0, [])


def test_an_export_does_with_a_folder_what_its_help_says(shop: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, (first, *_) = shop
    there = tmp_path / "full"
    there.mkdir()
    (there / "mine.txt").write_text("mine")
    for _ in range(2):
        assert call("export", first, there, "-w", folder).strip() == str(there / first)
        assert {path.name for path in there.iterdir()} == {"mine.txt", first}
    (there / first / "model.json").unlink()
    call("export", first, there, "-w", folder)
    assert (there / first / "model.json").exists(), "made whole"
    words = " ".join(call("export", "--help").replace("│", " ").split())
    assert "named after the release" in words
    assert "new, empty, or an earlier" in words
