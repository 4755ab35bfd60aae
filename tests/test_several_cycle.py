"""Tasks that answer with several names, through train, update, gate and service."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from freshtune import front_door
from freshtune.front_door import OpenWorkspace
from freshtune.intake.mapping import ColumnMapping
from freshtune.records import Json, LogRange
from freshtune.serve.app import create_app, service_of
from freshtune.serve.service import ServeSettings
from freshtune.ship.diff import diff
from freshtune.ship.verify import verify
from tests.serve.waiting import until
from tests.small_shop import DESCRIBED, NODES, PLACED, VALUES, backbone, close, described, make_shop, placed

pytestmark = pytest.mark.usefixtures("own_cache")

FLAGS = (
    "model.cut=2",
    "model.taps=[0.5, 1.0]",
    "model.units=0",
    "model.words=512",
    "learn.adapter={name='head_only'}",
    "learn.first.epochs=60",
    "learn.first.weight_decay=10.0",
    "learn.fit.epochs=60",
    "learn.memory.mix=50.0",
    "learn.average=[1.0]",
)
"""A head alone, that reads words too, as the defaults have it."""


@dataclass(frozen=True)
class Job:
    """A task that answers with several names, and what its shop sends.

    Attributes:
        old: names whose products make the history; the others come later.
        asked: a text, and all that is to be said of it once all names are known.
    """

    rows: Callable[[int, int, Sequence[str]], list[dict[str, Json]]]
    columns: ColumnMapping
    old: tuple[str, ...]
    new: tuple[str, ...]
    asked: tuple[str, tuple[str, ...]]


JOBS = {
    "attributes": Job(
        described,
        DESCRIBED,
        tuple(VALUES)[:4],
        tuple(VALUES)[4:],
        ("shirt 衣服 fair 一般 exact 正品", ("kind=shirt", "look=fair", "new=yes")),
    ),
    "category": Job(placed, PLACED, tuple(NODES)[:3], tuple(NODES)[3:], ("comfy 柔软 柔软", ("wear", "wear > shoe"))),
}
jobs = pytest.mark.parametrize("name", JOBS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By task the folder of a shop with a live release of the old names."""
    folder = tmp_path_factory.mktemp("several")
    model = backbone(folder / "backbone")
    shops = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(tmp_path_factory.getbasetemp() / "freshtune-cache"))
        for name, job in JOBS.items():
            made = make_shop(folder / name, model, (name,), FLAGS)
            assert made.ingest(job.rows(0, 400, job.old), job.columns).kept == 400
            first = made.train(name)
            assert first.verdict.promote, first.verdict.reasons
            close(made)
            shops[name] = folder / name
    return shops


@pytest.fixture
def shop(name: str, tmp_path: Path, trained: dict[str, Path]) -> Iterator[OpenWorkspace]:
    """A copy of the task's shop."""
    copy = front_door.open(shutil.copytree(trained[name], tmp_path / "shop"), FLAGS)
    yield copy
    assert verify(copy.store.registry).whole
    close(copy)


def said(shop: OpenWorkspace, name: str, text: str) -> dict[str, Any]:
    return dict(shop.predict(name, [text])[0])


@jobs
def test_a_first_release_says_what_holds(name: str, shop: OpenWorkspace) -> None:
    job = JOBS[name]
    rows = job.rows(900, 960, job.old)
    right = [said(shop, name, str(row["text"]))["label"] for row in rows]
    task = shop.settings.tasks[name]
    assert sum(list(task.label(row["label"])) == told for row, told in zip(rows, right, strict=True)) >= 54  # type: ignore[arg-type]
    answer = said(shop, name, str(rows[0]["text"]))
    assert set(answer["label"]) == {each for each, chance in answer["probabilities"].items() if chance > 0.5}
    assert 0.5 <= answer["score"] <= 1


@jobs
def test_scorecards_count_names_and_hold_what_was_said(name: str, shop: OpenWorkspace) -> None:
    first = shop.release_of(name)
    assert first is not None
    card = shop.store.registry.live(name).scorecards["old"]  # type: ignore[union-attr]
    assert next(iter(card.metrics)) == "micro_f1"
    assert card.metrics["micro_f1"].value > 0.9
    assert all(row.true and row.target == 1.0 and not row.probabilities for row in card.outcomes)
    assert all((row.prediction == 1.0) == (row.true == row.said) for row in card.outcomes)


@jobs
def test_names_arrive_and_what_was_known_is_kept(name: str, shop: OpenWorkspace) -> None:
    job = JOBS[name]
    shop.ingest(job.rows(400, 640, (*job.new, job.old[0])), job.columns)
    second = shop.update(name)
    assert second.verdict.promote, second.verdict.reasons
    assert tuple(said(shop, name, job.asked[0])["label"]) == job.asked[1]
    shop.ingest(job.rows(640, 800, (*job.old, *job.new)), job.columns)
    third = shop.update(name)
    assert third.verdict.promote, third.verdict.reasons
    found = {finding.rule: finding for finding in third.verdict.findings}
    assert found["labels"].examined
    assert found["negative flips"].examined
    change = diff(shop.store.registry, second.id, third.id, lambda _, outcomes: float(len(outcomes)))
    assert all(part.common == part.examples for part in change.held_out)


@jobs
def test_poisoned_labels_are_refused_and_clean_ones_after_them_learned(name: str, shop: OpenWorkspace) -> None:
    job = JOBS[name]
    rows = job.rows(400, 640, job.old)
    others = [*rows[1:], rows[0]]
    turned = [
        {**row, "label": other["label"]} if place % 5 < 2 else row
        for place, (row, other) in enumerate(zip(rows, others, strict=True))
    ]
    shop.ingest(turned, job.columns)
    release = shop.update(name)
    found = {finding.rule: finding for finding in release.verdict.findings}
    assert not release.verdict.promote
    assert not found["labels"].passed
    assert found["labels"].shown
    shop.ingest(job.rows(640, 900, job.old), job.columns)
    after = shop.update(name)
    assert {finding.rule: finding.passed for finding in after.verdict.findings}["labels"]


@jobs
def test_a_file_of_products_judges_them_without_items(name: str, shop: OpenWorkspace) -> None:
    job = JOBS[name]
    rows = [{"text": row["text"], "label": row["label"]} for row in job.rows(900, 960, job.old)]
    found = shop.evaluate(name, rows, ColumnMapping(name, text="text", label="label"), baseline=True)
    assert (found.scorecard.examples, dict(found.data.refused)) == (60, {})
    assert found.baseline is not None
    assert found.baseline.metrics["micro_f1"].value > 0.8


@jobs
def test_a_slice_is_no_label_and_a_label_is_no_slice(name: str, shop: OpenWorkspace) -> None:
    """The field ``category`` means a slice, also to the task of that name."""
    row = {"item": "n1", "kind": "item", "text": "shirt 衣服 n1x1", "category": "summer sale"}
    head = shop.store.events.head()
    assert shop.ingest([row], ColumnMapping()).kept == 1
    event = next(iter(shop.store.events.read(LogRange(head, head + 1))))
    (example,) = shop.task(name).examples([event], {})
    assert (example.label, example.category) == (None, "summer sale")


@jobs
def test_the_service_answers_with_lists(name: str, shop: OpenWorkspace) -> None:
    job = JOBS[name]
    text = str(job.rows(0, 1, job.old)[0]["text"])
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}
    service = service_of(shop.store, shop.settings.tasks, ServeSettings(), with_keys=False)
    with TestClient(create_app(service), "http://127.0.0.1") as client:
        until(lambda: client.get("/readyz").status_code == 200)
        answer = client.post(f"/v1/predict/{name}", json={"inputs": [{"text": text}]}).json()["answers"][0]
        assert isinstance(answer["label"], list)
        assert set(answer["label"]) <= set(answer["probabilities"])
        label, score, chances = client.post(f"/v2/models/{name}/infer", json={"inputs": [tensor]}).json()["outputs"]
        assert [json.loads(told) for told in label["data"]] == [answer["label"]]
        assert score["data"] == [answer["score"]]
        assert chances["parameters"]["classes"].split(",") == list(answer["probabilities"])
        sent = {"kind": "item", "item": "n1", "text": "shirt", "task": name, "label": 1.5}
        refused = client.post("/v1/events", json={"events": [sent]}).json()
        assert refused["dead_letters"] == {"bad_label": 1}
