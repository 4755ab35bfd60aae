"""An exported folder stands alone: its card's lines, run in it, give our answers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freshtune import record_json
from freshtune.errors import NotFound, UsageError
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.onnx_model import open_onnx_model
from freshtune.model.predictor import Input
from freshtune.records import Release
from freshtune.ship.bundle import REHEARSAL
from freshtune.ship.checkout import checkout
from freshtune.ship.hub_layout import export_hub
from freshtune.ship.model_card import DATA_WINDOW, DataWindow
from freshtune.ship.registry import Registry
from tests.ship.drafts import draft, files, open_registry, scorecard
from tests.ship.tiny_onnx import tiny_release

INPUTS = [
    Input("房间很干净"), Input("good room"), Input(""), Input("服务差 " * 30), Input("🙂 <b>&amp;"),
    Input("红色连衣裙", "red dress 红色"), Input("good", ""),
]  # fmt: skip
HEADS = {"sentiment": Classes(("差评", "positive")), "rating": Ordinal(1, 5), "relevance": Score(0, 2)}

ASK = """
import sys
answers = [answer(text, pair) for text, pair in json.loads(sys.stdin.read())]
print(json.dumps({"answers": answers, "torch": "torch" in sys.modules, "freshtune": "freshtune" in sys.modules}))
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(tmp_path / "shop") as opened:
        yield opened


@pytest.fixture(autouse=True)
def shop(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()


def tiny(registry: Registry, folder: Path, task: str = "sentiment") -> Release:
    window = DataWindow(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC), 512, 350, 12, 150, 96)
    made = tiny_release(folder / task, HEADS[task])
    made[DATA_WINDOW] = folder / task / DATA_WINDOW
    made[DATA_WINDOW].write_bytes(record_json.dumps(window))
    before = {"champion/new": scorecard("new", 0.81), "champion/old": scorecard("old", 0.895)}
    planned = draft(task=task)
    return registry.record(replace(planned, scorecards={**planned.scorecards, **before}), made)


def run_card(folder: Path, inputs: list[Input]) -> Any:
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(code) == 1
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code[0] + ASK],
        cwd=folder, input=json.dumps(inputs), stdout=subprocess.PIPE, check=True, encoding="utf-8", timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("task", HEADS)
def test_the_cards_snippet_gives_our_answers(registry: Registry, tmp_path: Path, task: str) -> None:
    release = tiny(registry, tmp_path, task)
    folder = export_hub(release.id, registry, tmp_path / "导出" / "model")
    ours = open_onnx_model(checkout(registry, release.id, tmp_path / "served"), None, 1)
    answers = ours.head.answers(ours.logits(INPUTS))
    told = run_card(folder, INPUTS)
    assert (told["torch"], told["freshtune"]) == (False, False)
    if task == "relevance":
        expected = [[score] for score in answers.score.tolist()]
    else:
        expected = answers.probabilities.tolist()
        names = ["差评", "positive"] if task == "sentiment" else ["1", "2", "3", "4", "5"]
        assert all(list(answer) == names for answer in told["answers"])
    found = [list(answer.values()) for answer in told["answers"]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert len({tuple(answer) for answer in found}) > 3


def test_the_card_tells_the_whole_story(registry: Registry, tmp_path: Path) -> None:
    release = tiny(registry, tmp_path)
    card = (export_hub(release.id, registry, tmp_path / "out") / "README.md").read_text("utf-8")
    head = card.split("---")[1]
    for line in ("- zh", "- en", "license: other", "pipeline_tag: text-classification", "base_model:"):
        assert line in head
    for told in (
        "after 0 up to 100", "2026-01-02 00:00 to 2026-03-04 00:00", "| 512 |", "| 350 |", "| 150 |",
        "| new | champion | accuracy | 0.8100 | 0.7900 to 0.8300 |",
        "| new | **this release** | accuracy | 0.9000 | 0.8800 to 0.9200 |",
        "accuracy went from 0.8950 (the release before) to 0.8800 (this release): **1.50 points lost**",
        "Its answer is one of `差评`, `positive`", "the gate **passed it**", "通过",
        "- champion: the release that was live",
        "- accuracy: share of right answers", "`answer(text)` gives the probability of each answer",
        "passed – gain_on_new: accuracy on new +1.2 points", "up to 12 tokens", "Intended use", "本模型", "## Limits",
    ):  # fmt: skip
        assert told in card


def test_the_card_of_a_refused_release_says_so(registry: Registry, tmp_path: Path) -> None:
    release = registry.record(draft(promote=False), tiny_release(tmp_path / "m", HEADS["sentiment"]))
    card = (export_hub(release.id, registry, tmp_path / "out") / "README.md").read_text("utf-8")
    assert "the gate **refused it**" in card
    assert "旧数据下降" in card
    assert "not compared" in card
    assert "未通过" in card


def test_what_got_better_is_called_a_gain(registry: Registry, tmp_path: Path) -> None:
    planned, gain = draft(), {"champion/old": scorecard("old", 0.87)}
    made = tiny_release(tmp_path / "m", HEADS["sentiment"])
    release = registry.record(replace(planned, scorecards={**planned.scorecards, **gain}), made)
    card = (export_hub(release.id, registry, tmp_path / "out") / "README.md").read_text("utf-8")
    assert "**1.00 points gained: it got better**" in card
    assert "time of the events" not in card, "a release that does not say what it learned from"


def test_the_outcome_of_every_example_stays_in_the_house(registry: Registry, tmp_path: Path) -> None:
    folder = export_hub(tiny(registry, tmp_path).id, registry, tmp_path / "out")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "README.md", "config.json", "data_window.json", "manifest.json", "model.json",
        "tokenizer.json", "tokenizer_config.json", "top.onnx", "trunk.onnx", "verdict.json",
    ]  # fmt: skip
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["id2label"] == {"0": "差评", "1": "positive"}
    assert sorted(config["freshtune"]["files"]) == names


def test_customers_texts_and_this_machines_paths_stay_in_the_house(registry: Registry, tmp_path: Path) -> None:
    made = tiny_release(tmp_path / "m", HEADS["sentiment"])
    described = json.loads(made["model.json"].read_text("utf-8"))
    described["backbone"] = "/srv/models/our own"
    made["model.json"].write_text(json.dumps(described), "utf-8")
    made[REHEARSAL] = tmp_path / REHEARSAL
    made[REHEARSAL].write_text('["客户的评论"]', "utf-8")
    folder = export_hub(registry.record(draft(), made).id, registry, tmp_path / "out")
    told = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    assert b"/srv/models" not in told
    assert "客户的评论".encode() not in told
    assert not (folder / REHEARSAL).exists()
    assert "a model from a local folder" in (folder / "README.md").read_text("utf-8")
    assert len(run_card(folder, INPUTS)["answers"]) == len(INPUTS)


def test_an_earlier_export_is_replaced_and_nothing_else(registry: Registry, tmp_path: Path) -> None:
    one, two = tiny(registry, tmp_path, "sentiment"), tiny(registry, tmp_path, "rating")
    folder = tmp_path / "exports" / "out"
    folder.mkdir(parents=True)
    export_hub(one.id, registry, folder)
    export_hub(two.id, registry, folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["freshtune"]["release"] == two.id
    (folder / ".git").mkdir()
    with pytest.raises(UsageError, match=r"'\.git'"):
        export_hub(one.id, registry, folder)
    assert json.loads((folder / "config.json").read_text("utf-8"))["freshtune"]["release"] == two.id
    other = tmp_path / "other"
    other.mkdir()
    (other / "笔记.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="笔记"):
        export_hub(one.id, registry, other)
    with pytest.raises(UsageError, match="no folder"):
        export_hub(one.id, registry, other / "笔记.txt")
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_what_cannot_be_served_cannot_be_exported(registry: Registry, tmp_path: Path) -> None:
    release = registry.record(draft(), files(tmp_path, "a"))
    with pytest.raises(NotFound, match=r"tokenizer\.json"):
        export_hub(release.id, registry, tmp_path / "out")
    assert not (tmp_path / "out").exists()
