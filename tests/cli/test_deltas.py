"""A delta is told in words, zeros left out; a quarantined range comes back once, and saying it again is no mistake."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from freshtune import front_door
from freshtune.cli import app
from freshtune.cli.deltas import COUNTED, delta_document, delta_told
from freshtune.records import Delta, DeltaCounts, LogRange
from tests.ship.drafts import draft, files
from tests.small_shop import REVIEW, close, reviews


def update(shop: Path, *flags: str) -> Result:
    return CliRunner().invoke(app, ["update", "sentiment", "-w", str(shop), *flags])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A log of 40 reviews: 10 learned by the live release, 10 refused, 10 learned after that, 10 new."""
    made = front_door.create(tmp_path / "shop", ["sentiment"])
    made.ingest(reviews(0, 40), REVIEW)
    registry = made.store.registry
    first = registry.record(draft(None, 0, 10), files(tmp_path, "a")).id
    registry.promote(first, None, "test")
    registry.record(draft(first, 10, 20, promote=False), files(tmp_path, "b"))
    second = registry.record(draft(first, 20, 30), files(tmp_path, "c")).id
    registry.promote(second, first, "test")
    close(made)
    return tmp_path / "shop"


def counted(counts: DeltaCounts) -> Delta:
    return Delta("sentiment", LogRange(3, 9), (), (), (), counts)


def test_every_count_has_words_of_its_own() -> None:
    assert [*COUNTED, "conflicting"] == [place.name for place in fields(DeltaCounts)]
    assert len(set(COUNTED.values())) == len(COUNTED)


def test_only_what_happened_is_told_and_all_of_it_is_in_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    delta_told(counted(DeltaCounts()), None)
    assert capsys.readouterr().out == "log 3–9: 0 to learn, 0 held out, 0 without a label\n"
    delta_told(counted(DeltaCounts(events=1_200, late_labels=3)), "It waits.")
    assert capsys.readouterr().out.split("\n")[1:-1] == [
        "1,200 events that speak to the task", "3 labels that came after their example and joined it", "It waits."
    ]  # fmt: skip
    told = delta_document(counted(DeltaCounts()))["counts"]
    assert isinstance(told, dict)
    assert set(told) == {place.name for place in fields(DeltaCounts)}


def test_a_dry_run_tells_what_would_come_back_and_writes_nothing(shop: Path) -> None:
    plain = json.loads(update(shop, "--dry-run", "--json").stdout)
    assert plain["range"] == [30, 40]
    asked = update(shop, "--dry-run", "--include", "10:20", "--json")
    dry = json.loads(asked.stdout)
    assert (asked.exit_code, dry["range"], dry["labelled"] + dry["held_out"]) == (0, [10, 20], 10)
    assert asked.stderr == "Log 10–20 would come out of quarantine and be learned.\n"
    assert json.loads(update(shop, "--dry-run", "--json").stdout) == plain
    opened = front_door.open(shop)
    opened.include("sentiment", 10, 20)
    close(opened)
    assert json.loads(update(shop, "--dry-run", "--json").stdout) == dry, "and that is what comes back"


def test_what_is_back_already_is_said_and_the_work_goes_on(shop: Path) -> None:
    opened = front_door.open(shop)
    assert [part.range for part in opened.include("sentiment", 0, 40)] == [LogRange(10, 20)]
    assert opened.include("sentiment", 10, 20) == opened.include("sentiment", 0, 40) == ()
    close(opened)
    again = update(shop, "--dry-run", "--include", "10:20")
    assert (again.exit_code, again.stderr) == (0, "Log 10–20 is back already: none of it is in quarantine.\n")
    assert again.stdout.startswith("log 10–20: ")


@pytest.mark.parametrize("never", ["0:10", "15:35", "5:15", "40:99", "9:3"])
def test_what_is_not_quarantined_or_only_in_part_is_refused(shop: Path, never: str) -> None:
    for flags in ((), ("--dry-run",)):
        refused = update(shop, "--include", never, *flags)
        assert (refused.exit_code, refused.stdout) == (4, "")
        assert "no quarantined range" in refused.stderr
