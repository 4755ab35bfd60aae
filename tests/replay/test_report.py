"""The page of a replay: complete, self-contained, true to its numbers, whatever was played."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from freshtune.records import Outcome
from freshtune.replay.cell import Order
from freshtune.replay.figures import figures
from freshtune.replay.play import Found
from freshtune.replay.report import Replayed, render, write_report
from tests.demo.test_report import Page

PARTS = ("books, phones, tablets", "水果", "until 2013-01-31", 'a <b> & "c"', "Tops", "Jackets", "计算机", "酒店")
SKILL = {
    "frozen": (0.88, 0.0), "naive": (0.90, 110.0), "retrain": (0.915, 160.0), "freshtune": (0.916, 4.0),
    "lora-trainer": (0.895, 25.0), "ewc": (0.90, 140.0), "linear": (0.905, 1.5), "tfidf-sgd": (0.83, 0.06),
    "my-recipe": (0.912, 5.0),
}  # fmt: skip


def played(name: str, steps: Sequence[int] = range(1, 8)) -> Found:
    """What a strategy could have come to; the same each time."""
    level, seconds = SKILL[name]
    chance = random.Random(name)
    rows = [[level + chance.uniform(-0.02, 0.02)]]
    for step in steps:
        row = [score + chance.uniform(-0.02, 0.015) for score in rows[-1]]
        rows.append([*row, *(level + chance.uniform(-0.03, 0.03) for _ in range(step + 1 - len(row)))])
    final = tuple(Outcome(f"e{n}", 1, int(chance.random() < level), 0.5, ()) for n in range(900))
    took = tuple(seconds * (1 + chance.uniform(-0.2, 0.2)) for _ in steps)
    scores = tuple(map(tuple, rows))
    return Found(name, 9.0, took, took, scores, (0.03,) * len(steps), 1_026, (4_718,) * len(steps), final)


def textbook() -> Found:
    return replace(
        played("naive", (3, 7)), strategy="textbook-retrain", scores=(), final=(), negative_flips=(), played=(3, 7),
        extrapolated=True, update_seconds=(700.0, 1_200.0),
    )  # fmt: skip


def replayed(found: dict[str, Found], label_delay: int = 0, parts: Sequence[str] = PARTS) -> Replayed:
    stream = {
        "digest": "c77c", "seed": 0, "label_delay": label_delay,
        "parts": [{"name": name, "learned": 500, "held_out": 600} for name in parts],
    }  # fmt: skip
    orders = [Order(name, "sentiment", {}, "bundled:bert-tiny", 128, 1, 0, 0.3, ("learn.x=1",)) for name in found]
    return Replayed({"stream": stream} | figures(found, "accuracy"), "accuracy", tuple(orders))


def sample() -> Replayed:
    """Every kind of strategy."""
    found = {name: played(name, (3, 7) if name == "retrain" else range(1, 8)) for name in SKILL}
    return replayed(found | {"textbook-retrain": textbook()})


def test_page_is_well_formed_with_a_matrix_for_each_strategy_that_was_judged() -> None:
    page = Page(render(sample()))
    assert page.open == []
    assert page.tags.count("svg") == page.tags.count("figcaption") == page.tags.count("desc") == 4 + 9
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named_by = [value for name, value in page.attributes if name == "aria-labelledby"]
    assert all(set(value.split()) <= set(ids) for value in named_by if value)


def test_page_asks_for_nothing_from_outside() -> None:
    html = render(sample())
    assert "default-src 'none'" in html
    for word in ("http://", "https://", "//cdn", "src=", "href=", "url(", "@import", "<script"):
        assert word not in html, word
    assert "a &lt;b&gt; &amp;" in html
    assert "<b> &" not in html


def test_every_strategy_is_shown_with_its_numbers() -> None:
    told = sample()
    texts = " ".join(Page(render(told)).texts)
    for name, each in told.strategies.items():
        assert name in texts
        if each["final"] is not None:
            assert f"{100 * each['final']:.1f}" in texts
    assert "extrapolated 外推" in texts
    assert f"{told.document['ratios']['speedup_vs_naive']:.1f} × faster than naive" in texts
    assert "学习曲线" in texts


@pytest.mark.parametrize(
    "found",
    [
        {"textbook-retrain": textbook()},
        {"frozen": played("frozen")},
        {"freshtune": replace(played("freshtune", (1,)), update_seconds=(0.0,))},
        {"linear": played("linear", ())},
    ],
)
def test_little_was_played(found: dict[str, Found]) -> None:
    assert Page(render(replayed(found))).open == []


def test_late_labels_are_said(tmp_path: Path) -> None:
    path = write_report(replayed({"frozen": played("frozen")}, label_delay=2), tmp_path / "deep" / "report.html")
    assert path.is_absolute()
    texts = path.read_text("utf-8")
    assert "Labels came 2 increments after their texts." in texts
    assert "标签比文本晚 2 个增量到达。" in texts
