"""freshtune from Python: what a newcomer calls, and what it says when something is not there."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import freshtune as ft
from freshtune.errors import ConfigurationError, FreshtuneError, NotFound, UsageError
from freshtune.front_door import OpenWorkspace
from freshtune.intake.mapping import ColumnMapping
from freshtune.model.predictor import Input
from freshtune.phases import Phases
from freshtune.records import Json
from tests.ship.drafts import draft, files
from tests.small_shop import REVIEW, backbone, close, make_shop, reviews, write_rows

PHONE = "13800138000"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenWorkspace]:
    """A workspace with a live release of sentiment."""
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(folder / "cache"))
        made = make_shop(folder / "shop", backbone(folder / "backbone"), ("sentiment", "relevance"))
        made.ingest(write_rows(folder / "a.jsonl", reviews(0, 500)), REVIEW)
        assert made.train("sentiment", Phases()).verdict.promote
        yield made
        close(made)


def test_the_package_offers_its_door_and_nothing_else() -> None:
    assert {"open", "create", "OpenWorkspace"} <= set(dir(ft))
    assert ft.OpenWorkspace is OpenWorkspace
    with pytest.raises(AttributeError):
        _ = ft.no_such_thing


def test_create_then_open_is_the_same_shop(tmp_path: Path) -> None:
    made = ft.create(tmp_path / "shop", ["sentiment", "rating"])
    again = ft.open(str(tmp_path / "shop"))
    assert again.settings == made.settings
    assert list(again.settings.tasks) == ["sentiment", "rating"]
    with pytest.raises(UsageError, match="no such task"):
        ft.create(tmp_path / "other", ["no such task"])
    assert not (tmp_path / "other").exists(), "nothing is made for settings that do not stand"
    with pytest.raises(ConfigurationError):
        ft.open(tmp_path)


def test_ingest_takes_files_and_records_and_counts(tmp_path: Path) -> None:
    made = ft.create(tmp_path / "shop", ["sentiment"])
    rows = reviews(0, 20)
    seen: list[int] = []
    report = made.ingest(write_rows(tmp_path / "a.jsonl", rows), REVIEW, lambda so_far: seen.append(so_far.read))
    assert (report.read, report.kept, report.duplicates) == (20, 20, 0)
    assert seen[-1] == 20
    again = made.ingest(rows, REVIEW)
    assert (again.read, again.kept, again.duplicates) == (20, 0, 20)
    bad = made.ingest([{"id": "x", "text": "ok", "label": "nonsense"}, {"id": "y", "label": "positive"}], REVIEW)
    assert bad.kept == 0
    assert sum(bad.dead_letters.values()) == 2
    with pytest.raises(NotFound):
        made.ingest(tmp_path / "nowhere.jsonl", REVIEW)
    with pytest.raises(UsageError):
        made.ingest(rows, ColumnMapping(text="text", task="nonsense"))
    close(made)


def test_predict_answers_in_order_as_the_service_does(shop: OpenWorkspace) -> None:
    texts: list[str | Input] = ["lovely 很好", Input("awful 失望"), "lovely 很好"]
    answers = shop.predict("sentiment", texts)
    assert [answer["label"] for answer in answers] == ["positive", "negative", "positive"]
    assert answers[0] == answers[2]
    assert set(answers[0]) == {"label", "score", "probabilities"}
    assert shop.predict("sentiment", []) == []
    assert shop.predict("sentiment", texts, shop.release_of("sentiment")) == answers


def test_what_is_asked_is_masked_like_what_was_learned(shop: OpenWorkspace) -> None:
    masked = shop.masked([f"call {PHONE}", Input("a", f"b {PHONE}"), "plain"])
    assert not any(PHONE in part for one in masked for part in one if part)
    assert masked[0].text.removeprefix("call ") == str(masked[1].pair).removeprefix("b "), "one person, one token"
    assert masked[2] == Input("plain")
    first, second = shop.predict("sentiment", [f"great {PHONE}", masked_text(shop, f"great {PHONE}")])
    assert first == second


def masked_text(shop: OpenWorkspace, text: str) -> str:
    return shop.masked([text])[0].text


def test_half_a_character_is_refused(shop: OpenWorkspace) -> None:
    for wrong in ("\ud83d", Input("a", "\udc00")):
        with pytest.raises(UsageError, match="surrogate"):
            shop.predict("sentiment", [wrong])


def test_evaluate_stores_nothing_and_leaves_out_what_intake_refuses(shop: OpenWorkspace) -> None:
    head = shop.store.events.head()
    rows: list[dict[str, Json]] = [
        *reviews(2_000, 2_030),
        *reviews(2_000, 2_003),
        {"id": "bad", "text": None, "label": "positive"},
    ]
    found = shop.evaluate("sentiment", rows, REVIEW)
    card = found.scorecard
    assert card.examples == 30, "repeated ones count once, refused ones not at all"
    assert (found.data.read, found.data.refused, found.data.unlabelled) == (34, {"missing_text": 1}, 0)
    assert found.data.first_refused[0].source == "record 34"
    assert 0.5 < card.metrics["accuracy"].value <= 1
    assert all(np.isfinite(estimate.value) for estimate in card.metrics.values())
    assert shop.store.events.head() == head


def test_what_is_not_there_is_told_with_the_mend(shop: OpenWorkspace) -> None:
    for call, kind in (
        (lambda: shop.predict("relevance", ["x"]), NotFound),
        (lambda: shop.predict("rating", ["x"]), UsageError),
        (lambda: shop.predict("sentiment", ["x"], "no-such-release"), NotFound),
        (lambda: shop.train("sentimental"), UsageError),
        (lambda: shop.evaluate("rating", [], REVIEW), UsageError),
        (lambda: shop.evaluate("sentiment", [], REVIEW), UsageError),
        (lambda: shop.ingest([], ColumnMapping(text="text", task="rating")), UsageError),
        (lambda: shop.update("relevance"), NotFound),
        (lambda: shop.pending("sentiment"), NotFound),
        (lambda: shop.include("sentiment", 0, 10), NotFound),
    ):
        with pytest.raises(kind) as told:
            call()
        assert isinstance(told.value, FreshtuneError)
        assert told.value.what
        assert told.value.mend


def test_the_phases_of_an_update_are_told(shop: OpenWorkspace) -> None:
    shop.ingest(reviews(500, 620), REVIEW)
    started: list[str] = []
    phases = Phases(on_start=started.append)
    shop.update("sentiment", phases)
    assert started == list(phases.seconds) == ["delta", "learn", "ship", "judge", "publish"]
    assert all(seconds >= 0 for seconds in phases.seconds.values())


def test_too_few_labels_say_how_many_there_are_and_how_to_see_them(tmp_path: Path) -> None:
    made = ft.create(tmp_path / "shop", ["sentiment", "rating"])
    unlabelled: list[dict[str, Json]] = [{"id": f"u{n}", "text": row["text"]} for n, row in enumerate(reviews(90, 97))]
    made.ingest([*reviews(0, 40), *unlabelled], REVIEW)
    delta = made.pending("sentiment")
    assert (len(delta.labelled) + len(delta.held_out), len(delta.held_out) > 0) == (40, True)
    with pytest.raises(UsageError) as told:
        made.train("sentiment")
    assert f"{len(delta.labelled)} labelled examples to learn, {len(delta.held_out)} held out" in told.value.why
    assert f"{len(delta.unlabelled)} without a label" in told.value.why
    assert "To learn: " in told.value.why
    assert "freshtune update sentiment --dry-run" in told.value.mend
    with pytest.raises(UsageError, match="47 events hold for rating: 0 labelled"):
        made.train("rating")
    close(made)


def refused_training(folder: Path, labels: dict[str, int]) -> UsageError:
    """What the training of so many reviews of each label says, on a backbone that nobody may open."""
    made = ft.create(folder / "shop", ["sentiment"])
    of_label = {label: [row for row in reviews(0, 600) if row["label"] == label] for label in labels}
    made.ingest([row for label, count in labels.items() for row in of_label[label][:count]], REVIEW)
    strict = ft.open(folder / "shop", [f"model.backbone={folder / 'there is none'}"])
    with pytest.raises(UsageError) as told:
        strict.train("sentiment")
    close(made)
    close(strict)
    return told.value


@pytest.mark.parametrize("count", [10, 60, 200])
def test_labels_of_one_class_are_refused_before_anything_is_opened(tmp_path: Path, count: int) -> None:
    told = refused_training(tmp_path, {"positive": count})
    assert "cannot be made from one label" in told.what
    numbers = [int(number) for number in re.findall(r"(\d+) positive", told.why)]
    assert sum(numbers) == count
    assert "negative" not in told.why
    assert "--label-map" in told.mend


def test_a_held_out_side_of_one_class_is_refused_with_the_counts(tmp_path: Path) -> None:
    told = refused_training(tmp_path, {"positive": 80, "negative": 2})
    assert "cannot be judged" in told.what
    assert re.search(r"To learn: 2 negative, \d+ positive\. Held out: \d+ positive\.", told.why)
    assert "other labels" in told.mend


def test_a_second_text_is_asked_for_where_the_task_reads_two(shop: OpenWorkspace, tmp_path: Path) -> None:
    registry = shop.store.registry
    made = registry.record(draft(task="relevance"), files(tmp_path, "r"))
    with pytest.raises(UsageError) as told:
        shop.predict("relevance", [Input("lamp", "desk lamp"), "lamp"], made.id)
    assert "Input 1 " in told.value.why
    assert "--pair" in told.value.mend
