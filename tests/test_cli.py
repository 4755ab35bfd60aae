"""The command line: exit codes, stdout for data and stderr for the rest, errors in three parts, and Ctrl-C."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from freshtune import front_door
from freshtune.cli import app
from freshtune.phases import Phases
from tests.serve.waiting import until
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews, write_rows

DONE, USAGE, NO, NOT_FOUND, CONFIGURATION = 0, 2, 3, 4, 5
COLUMNS = ("--task", "sentiment", "--text", "text", "--label", "label", "--id", "id")


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(result: Result, code: int) -> str:
    """What an error says: on stderr alone, marked, without a traceback."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.lstrip().startswith(("✗", "Usage"))
    return result.stderr


def document(result: Result, code: int = DONE) -> Any:
    """The one JSON document on stdout."""
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a live release."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        made = make_shop(folder / "shop", backbone(folder / "backbone"))
        made.ingest(reviews(0, 500), REVIEW)
        assert made.train("sentiment").verdict.promote
        close(made)
        yield folder / "shop"


@pytest.fixture
def shop(beginning: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(beginning, tmp_path / "shop"))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, part in getattr(group, "commands", {}).items():
        yield from commands(part, (*path, name))


EVERY = list(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = call(*path, "--help")
    assert result.exit_code == DONE
    assert "Usage" in result.stdout
    assert result.stderr == ""


def test_the_commands_of_the_design_are_there() -> None:
    names = {" ".join(path) for path in EVERY}
    assert names >= {
        "demo", "init", "doctor", "ingest", "train", "update", "predict", "evaluate", "serve", "config show",
        "config validate", "keys create", "keys list", "keys revoke", "releases list", "releases show",
        "releases diff", "releases promote", "releases rollback", "releases verify", "releases export",
        "releases prune",
    }  # fmt: skip


def test_help_and_a_wrong_setting_cost_no_torch(beginning: Path) -> None:
    child = """
import sys
from typer.testing import CliRunner
from freshtune.cli import app
codes = [CliRunner().invoke(app, arguments).exit_code for arguments in (
    ["train", "--help"], ["config", "validate", "-w", sys.argv[1], "--set", "learn.fit.epoch=3"],
    ["update", "sentiment", "-w", sys.argv[1], "--set", "learn.fit.epochs=0"],
)]
print(codes, sorted({"torch", "transformers", "onnx", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", child, str(beginning)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[0, 5, 5] []"


def test_a_shop_from_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "店"
    made = document(call("init", folder, "--task", "sentiment", "--task", "rating", "--json"))
    assert made == {"workspace": str(folder), "tasks": ["sentiment", "rating"]}
    assert "not empty" in told(call("init", folder, "--task", "sentiment"), USAGE)
    assert "sentiment" in told(call("init", tmp_path / "b", "--task", "sentimnt"), USAGE)
    assert not (tmp_path / "b").exists()
    assert document(call("config", "validate", "-w", folder, "--json")) == {"valid": True}
    rows: list[dict[str, Any]] = [*reviews(0, 30), {"id": "bad", "text": "x", "label": "nonsense"}]
    file = write_rows(tmp_path / "评论.jsonl", rows)
    report = document(call("ingest", file, "-w", folder, *COLUMNS, "--json"))
    assert (report["read"], report["kept"], report["duplicates"]) == (31, 30, 0)
    assert sum(report["dead_letters"].values()) == 1
    letters = document(call("ingest", "--dead-letters", "-w", folder, "--json"))
    assert [letter["reason"] for letter in letters] == list(report["dead_letters"])
    again = call("ingest", file, "-w", folder, *COLUMNS)
    assert again.exit_code == DONE
    assert "duplicates" in again.stdout
    assert "no live release" in told(call("update", "sentiment", "-w", folder), NOT_FOUND)
    assert "at least 50 are needed" in told(call("train", "sentiment", "-w", folder), USAGE)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], USAGE, "nonsense"),
        (["train"], USAGE, "Missing argument"),
        (["ingest"], USAGE, "No file is named"),
        (["ingest", "nowhere.csv", *COLUMNS], NOT_FOUND, "nowhere.csv"),
        (["ingest", "{shop}/salt", *COLUMNS], USAGE, "suffix"),
        (["ingest", "{file}", "--task", "nonsense", "--text", "text"], USAGE, "nonsense"),
        (["ingest", "{file}", "--task", "sentiment", "--text", "text", "--label-map", "x"], USAGE, "label map"),
        (["train", "nonsense"], USAGE, "no task"),
        (["update", "sentimnt"], USAGE, "Did you mean 'sentiment'?"),
        (["update", "sentiment"], NOT_FOUND, "nothing new"),
        (["update", "sentiment", "--dry-run"], NOT_FOUND, "nothing new"),
        (["update", "sentiment", "--include", "x"], USAGE, "SINCE:UPTO"),
        (["update", "sentiment", "--include", "0:9"], NOT_FOUND, "quarantined"),
        (["update", "sentiment", "--set", "learn.fit.epoch=3"], CONFIGURATION, "Did you mean 'epochs'?"),
        (["update", "sentiment", "--set", "learn.fit.epochs=0"], CONFIGURATION, "learn.fit.epochs"),
        (["predict", "nowhere.txt"], NOT_FOUND, "nowhere.txt"),
        (["predict", "{shop}"], NOT_FOUND, "cannot be read"),
        (["predict", "{gb}"], USAGE, "UTF-8"),
        (["predict", "{csv}", "--text", "nonsense"], USAGE, "nonsense"),
        (["predict", "--text", "text"], USAGE, "Which file?"),
        (["predict", "{text}", "--task", "rating"], USAGE, "[tasks.rating]"),
        (["predict", "{text}", "--release", "nonsense"], NOT_FOUND, "nonsense"),
        (["evaluate", "--data", "nowhere.csv", "--text", "text", "--label", "label"], NOT_FOUND, "nowhere.csv"),
        (["evaluate", "--data", "{csv}", "--text", "text", "--label", "nonsense"], USAGE, "nonsense"),
        (["releases", "show", "nonsense"], NOT_FOUND, "nonsense"),
        (["releases", "rollback", "sentiment"], NOT_FOUND, "nothing was live"),
        (["config", "show", "--set", "nonsense"], CONFIGURATION, "sets nothing"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_an_error_says_what_why_and_the_mend(
    beginning: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    places = {
        "{shop}": beginning, "{file}": tmp_path / "a.jsonl", "{csv}": tmp_path / "a.csv", "{gb}": tmp_path / "gb.txt",
        "{text}": tmp_path / "a.txt",
    }  # fmt: skip
    places["{text}"].write_text("lovely\n", "utf-8")
    write_rows(places["{file}"], reviews(0, 3))
    places["{csv}"].write_text("text,label\nlovely,positive\n", "utf-8")
    places["{gb}"].write_bytes("很好".encode("gb18030"))
    for name, place in places.items():
        arguments = [argument.replace(name, str(place)) for argument in arguments]
    where = ["-w", str(beginning)] if len(arguments) > 1 or arguments == ["ingest"] else []
    assert words in told(call(*arguments, *where), code)


@pytest.mark.parametrize("command", ["train sentiment", "config show", "releases list", "keys list"])
def test_a_folder_that_is_no_workspace_is_refused(tmp_path: Path, command: str) -> None:
    assert "freshtune init" in told(call(*command.split(), "-w", tmp_path), CONFIGURATION)
    assert list(tmp_path.iterdir()) == [], "and left as it was"


def test_a_damaged_release_is_told(shop: Path) -> None:
    assert document(call("releases", "verify", "-w", shop, "--json"))["damaged"] == []
    [top] = [
        path
        for path in (shop / "artefacts").rglob("*")
        if path.is_file() and path.name == front_door_digest(shop, "top.onnx")
    ]
    content = bytearray(top.read_bytes())
    content[len(content) // 2] ^= 1
    top.chmod(0o644)
    top.write_bytes(content)
    shutil.rmtree(shop / "cache")
    assert call("releases", "verify", "-w", shop).exit_code == CONFIGURATION, "integrity is the same code"
    text = shop.parent / "a.txt"
    text.write_text("lovely\n", "utf-8")
    assert "✗" in told(call("predict", text, "-w", shop), CONFIGURATION)


def front_door_digest(shop: Path, name: str) -> str:
    opened = front_door.open(shop)
    live = opened.store.registry.live("sentiment")
    close(opened)
    assert live is not None
    return live.artefacts[name]


def test_an_update_that_is_promoted_and_one_that_is_refused(shop: Path) -> None:
    poisoned = write_rows(shop.parent / "poison.jsonl", reviews(500, 700, flipped=True))
    assert call("ingest", poisoned, "-w", shop, *COLUMNS).exit_code == DONE
    dry = document(call("update", "sentiment", "-w", shop, "--dry-run", "--json"))
    assert dry["range"] == [500, 700]
    assert dry["labelled"] + dry["held_out"] == 200
    answered = call("update", "sentiment", "-w", shop, "--json")
    refused = document(answered, NO)
    assert refused["promote"] is False
    assert refused["reasons"]
    assert f"freshtune update sentiment -w {shop} --include 500:700" in answered.stderr
    clean = write_rows(shop.parent / "clean.jsonl", reviews(700, 900))
    assert call("ingest", clean, "-w", shop, *COLUMNS).exit_code == DONE
    promoted = call("update", "sentiment", "-w", shop)
    assert promoted.exit_code == DONE, promoted.output
    assert "promoted" in promoted.stdout
    assert "accuracy" in promoted.stdout
    listed = document(call("releases", "list", "-w", shop, "--json"))
    assert len(listed) == 3
    assert "nothing new" in told(call("update", "sentiment", "-w", shop), NOT_FOUND)
    both = call("update", "sentiment", "-w", shop, "--include", "500:700", "--dry-run", "--json")
    assert document(both) | {"counts": {}} == dry | {"counts": {}}
    assert both.stderr == "Log 500–700 would come out of quarantine and be learned.\n"
    assert "nothing new" in told(call("update", "sentiment", "-w", shop, "--dry-run"), NOT_FOUND), "nothing was written"
    again = document(call("update", "sentiment", "-w", shop, "--include", "500:700", "--json"), NO)
    assert again["range"] == [500, 700]


def test_predictions_are_data_as_they_are(shop: Path) -> None:
    lines = [
        "lovely great :smile: [bold]很好[/bold]",
        "awful\tterrible 讨厌",
        "x" * 300,
        "",
        "a\rb",
        "第一\u2028句 很好",
    ]
    file = shop.parent / "texts.txt"
    file.write_text("\n".join(lines) + "\n", "utf-8", newline="")
    plain = call("predict", file, "-w", shop)
    assert plain.exit_code == DONE
    assert plain.stderr == ""
    rows = [row.split("\t", 2) for row in plain.stdout.split("\n") if row]
    assert [text for _, _, text in rows] == [re.sub("[\t\r]", " ", text) for text in lines], "a row for every line"
    assert [label for label, _, _ in rows][:2] == ["positive", "negative"]
    answers = document(call("predict", file, "-w", shop, "--json"))
    assert answers["task"] == "sentiment"
    assert answers["release"].startswith("sentiment-")
    assert [answer["label"] for answer in answers["answers"]] == [label for label, _, _ in rows]
    piped = CliRunner().invoke(app, ["predict", "-", "-w", str(shop), "--json"], input="\n".join(lines))
    assert json.loads(piped.stdout)["answers"] == answers["answers"]


def test_evaluate_gives_scores_by_name(shop: Path) -> None:
    file = write_rows(shop.parent / "held.jsonl", reviews(2_000, 2_040))
    flags = ("--data", file, "--text", "text", "--label", "label", "--category", "category")
    found = document(call("evaluate", "-w", shop, *flags, "--json"))
    assert found["examples"] == 40
    assert 0.5 < found["scores"]["accuracy"] <= 1
    assert found["intervals"]["accuracy"][0] <= found["scores"]["accuracy"] <= found["intervals"]["accuracy"][1]
    assert (found["read"], found["refused"], found["unlabelled"]) == (40, {}, 0)
    shown = call("evaluate", "-w", shop, *flags).stdout
    for category, values in found["slices"].items():
        assert [category, f"{values['examples']:.0f}", f"{values['accuracy']:.4f}"] in map(str.split, shown.split("\n"))


def test_evaluate_shows_a_baseline_beside_the_release(shop: Path) -> None:
    file = write_rows(shop.parent / "held.jsonl", reviews(2_000, 2_040))
    flags = ("--data", file, "--text", "text", "--label", "label", "--baseline")
    found = document(call("evaluate", "-w", shop, *flags, "--json"))
    theirs = found["baseline"]
    assert theirs["name"] == "tfidf"
    assert set(theirs["scores"]) == set(found["scores"])
    assert 0.5 < theirs["scores"]["accuracy"] < 1, "half of these are said in words that it has not met"
    gain = theirs["gain"]
    assert gain["value"] == pytest.approx(found["scores"]["accuracy"] - theirs["scores"]["accuracy"])
    assert gain["low"] <= gain["value"] <= gain["high"]
    shown = call("evaluate", "-w", shop, *flags).stdout
    assert f"{theirs['scores']['accuracy']:.4f}" in shown
    assert f"accuracy over TF-IDF: {100 * gain['value']:+.2f} points" in shown


def test_evaluate_tells_what_it_left_out_and_refuses_to_judge_on_nothing(beginning: Path, tmp_path: Path) -> None:
    rows = [row | {"label": int(row["label"] == "positive")} for row in reviews(2_000, 2_040)]
    flags = ("--data", write_rows(tmp_path / "held.jsonl", rows), "--text", "text", "--label", "label")
    words = told(call("evaluate", "-w", beginning, *flags), USAGE)
    assert "40 refused, bad_label" in words
    assert "--label-map 0=negative,1=positive" in words
    positive = sum(bool(row["label"]) for row in rows)
    half = (*flags, "--label-map", "0=negative")
    found = document(call("evaluate", "-w", beginning, *half, "--json"))
    assert (found["read"], found["examples"], found["refused"]) == (40, 40 - positive, {"bad_label": positive})
    assert f"refused {positive} · bad_label" in call("evaluate", "-w", beginning, *half).stdout
    assert "--data" in told(call("evaluate", "-w", beginning, "--text", "text"), USAGE)


def test_every_command_gives_an_unknown_task_the_same_code(beginning: Path, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "a.jsonl", reviews(0, 3))
    commands = (
        ["train", "nope"], ["update", "nope"], ["update", "nope", "--dry-run"], ["update", "nope", "--include", "0:1"],
        ["predict", str(file), "--text", "text", "--task", "nope"], ["evaluate", "--data", str(file), "--task", "nope"],
        ["ingest", str(file), "--task", "nope", "--text", "text"],
    )  # fmt: skip
    for command in commands:
        assert "no task 'nope'" in told(call(*command, "-w", beginning), USAGE), command


def test_a_rate_that_is_too_high_is_told_and_leaves_nothing(shop: Path) -> None:
    call("ingest", write_rows(shop.parent / "a.jsonl", reviews(500, 600)), "-w", shop, *COLUMNS)
    result = call("update", "sentiment", "-w", shop, "--set", "learn.fit.learning_rate=1e30")
    assert result.exit_code == 1
    assert "learn.fit.learning_rate" in result.stderr
    assert "Traceback" not in result.output
    assert call("update", "sentiment", "-w", shop).exit_code in (DONE, NO), "the next one is not held up"


def test_ctrl_c_leaves_nothing_half_written_and_the_next_run_goes_on(shop: Path) -> None:
    flags = ["--set", "learn.first.checkpoint_seconds=0", "--set", "learn.first.epochs=400"]
    flags += ["--set", "learn.first.patience=9999"]
    command = [sys.executable, "-m", "freshtune", "train", "sentiment", "-w", str(shop), "--json", *flags]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    progress = shop / "runs" / "sentiment" / "checkpoint" / "progress.json"
    until(lambda: progress.exists() or process.poll() is not None, 60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + signal.SIGINT, "")
    assert "Nothing is half-written" in err
    assert "Traceback" not in err
    assert {path.name for path in (shop / "runs" / "sentiment").iterdir()} <= {
        "range.json", "checkpoint", "checkpoint.old", "checkpoint.fresh"
    }  # fmt: skip
    assert len(document(call("releases", "list", "-w", shop, "--json"))) == 1
    assert call("releases", "verify", "-w", shop).exit_code == DONE
    opened = front_door.open(shop, flags[1::2])
    numbers: list[int] = []

    def on_step(step: Any) -> None:
        numbers.append(step.number)
        if len(numbers) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened.train("sentiment", Phases(on_step=on_step))
    close(opened)
    assert numbers[0] > 1, "it goes on where it stood"


def test_a_real_process_says_the_same(beginning: Path) -> None:
    command = [sys.executable, "-m", "freshtune", "update", "sentiment", "-w", str(beginning)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (NOT_FOUND, "")
    assert [line[0] for line in done.stderr.strip().split("\n")] == ["✗", " ", "→"]
    version = [sys.executable, "-m", "freshtune", "--version"]
    assert subprocess.run(version, capture_output=True, text=True, check=True).stdout.startswith("freshtune 0.")
