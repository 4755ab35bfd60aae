"""``ingest``: its exit code, what it tells of refused records, and its help."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from freshtune.cli import app
from freshtune.workspace import create_workspace

COLUMNS = ("--task", "sentiment", "--text", "text", "--label", "label")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    create_workspace(tmp_path / "shop", ["[tasks.sentiment]", ""])
    return tmp_path / "shop"


def ingest(shop: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["ingest", "-w", str(shop), *map(str, arguments)])


def rows(path: Path, labels: list[Any]) -> Path:
    lines = [json.dumps({"text": f"text {number} 好", "label": label}) for number, label in enumerate(labels)]
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return path


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_only_a_run_that_stores_nothing_of_what_it_read_has_failed(shop: Path, as_json: tuple[str, ...]) -> None:
    bad, good = (shop.parent / name for name in ("bad.jsonl", "good.jsonl"))
    rows(bad, [0, 1, 1]), rows(good, ["positive", 1])
    refused = ingest(shop, bad, *COLUMNS, *as_json)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("✗ Nothing was stored.\n  All 3 records were refused")
    assert "--label-map" in refused.stderr
    assert "3" in refused.stdout, "the counts are told all the same"
    assert ingest(shop, bad, good, *COLUMNS, *as_json).exit_code == 0, "partly refused"
    assert ingest(shop, good, *COLUMNS, *as_json).exit_code == 0, "all of it known"
    assert "--text COLUMN" in ingest(shop, rows(bad, [0, 1]), *as_json).stderr, "records that are no events"


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_files_without_a_record_are_told(shop: Path, as_json: tuple[str, ...]) -> None:
    nothing, header, line = (shop.parent / name for name in ("nothing.csv", "header.csv", "nothing.jsonl"))
    nothing.write_text(""), header.write_text("text,label\n"), line.write_text("\n")
    for files in ([nothing], [header], [line], [nothing, header]):
        told = ingest(shop, *files, *COLUMNS, *as_json)
        assert told.exit_code == 4, told.output
        assert [words[0] for words in told.stderr.strip().split("\n")] == ["✗", " ", "→"]
        assert ("nothing.csv holds no record" in told.stderr) is (files == [nothing])
        if as_json:
            assert json.loads(told.stdout)["read"] == 0
    full = rows(shop.parent / "full.jsonl", ["positive"])
    assert ingest(shop, nothing, full, *COLUMNS, *as_json).exit_code == 0, "one of them holds something"
    assert ingest(shop, full, *COLUMNS, *as_json).exit_code == 0, "it is all known, not empty"


def test_dead_letters_are_counted_by_reason_before_the_latest_are_shown(shop: Path) -> None:
    assert ingest(shop, "--dead-letters").stdout == "No record was refused.\n"
    many = rows(shop.parent / "a.jsonl", list(range(60)))
    with many.open("a", encoding="utf-8") as file:
        file.write('{"text": "", "label": "positive"}\n{"text": "kept", "label": "positive"}\n')
    assert ingest(shop, many, *COLUMNS).exit_code == 0
    summary, _, latest = ingest(shop, "--dead-letters").stdout.partition("\n\n")
    counts = [row.split()[:2] for row in summary.split("\n")[1:]]
    assert counts == [["60", "bad_label"], ["1", "missing_text"]]
    assert "label 59 is none of negative, positive" in summary, "an example of each"
    headline, _, *found = latest.rstrip().split("\n")
    assert (headline, len(found)) == ("the latest 20 of 61", 20)
    assert "record 61" in found[0], "newest first"
    for limit in (1, 3, 1_000):
        few = ingest(shop, "--dead-letters", "--limit", str(limit)).stdout
        assert f"the latest {min(limit, 61)} of 61" in few
        assert len(json.loads(ingest(shop, "--dead-letters", "--limit", str(limit), "--json").stdout)) == min(limit, 61)
    assert len(json.loads(ingest(shop, "--dead-letters", "--json").stdout)) == 61


def test_every_column_is_explained_in_words_of_its_own() -> None:
    group: Any = typer.main.get_command(app)
    options = {option.name: option.help for option in group.commands["ingest"].params}
    columns = ("text", "pair", "label", "time", "id_", "user", "item", "session", "category", "example")
    assert len({options[name] for name in columns}) == len(columns)
    assert all(len(options[name].split()) > 3 for name in columns)
    assert CliRunner().invoke(app, ["ingest", "--help"]).stdout.count("COLUMN") >= len(columns)
