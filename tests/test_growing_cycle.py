"""Classes arrive: the head grows, what was known stays known, and the service answers with the new names."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from freshtune import front_door
from freshtune.cycle.rehearsal import Rehearsal
from freshtune.errors import ConfigurationError, NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.intake.held_out import side
from freshtune.model.onnx_model import described_model
from freshtune.records import Release
from freshtune.serve.app import create_app, service_of
from freshtune.serve.service import ServeSettings
from freshtune.ship.bundle import REHEARSAL
from freshtune.ship.diff import diff
from freshtune.ship.verify import verify
from freshtune.tasks.split_key import normalised
from tests.serve.waiting import until
from tests.small_shop import ASKED, INTENTS, asked, backbone, close, make_shop

pytestmark = pytest.mark.usefixtures("own_cache")

OLD, NEW = ("refund", "delivery", "sizes"), ("books", "lamps")
QUESTIONS = {
    "refund": "angry 破损 angry",
    "sizes": "shirt 衣服 shirt",
    "books": "书 book 书",
    "lamps": "台灯 lamp lamp",
}


FLAGS = (
    "learn.fit.epochs=30",
    "learn.fit.weight_decay=0.01",
    "learn.memory.mix=5.0",
    "learn.average=[1.0]",
    "model.units=0",
    "model.words=0",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a shop whose live release knows three intents."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHTUNE_CACHE", str(tmp_path_factory.getbasetemp() / "freshtune-cache"))
        made = make_shop(folder / "shop", backbone(folder / "backbone"), ("intent",), FLAGS)
        made.ingest(asked(0, 400, OLD), ASKED)
        first = made.train("intent")
    assert first.verdict.promote, first.verdict.reasons
    close(made)
    return folder / "shop"


@pytest.fixture
def shop(tmp_path: Path, trained: Path) -> Iterator[OpenWorkspace]:
    """The same, a copy of its own."""
    copy = front_door.open(shutil.copytree(trained, tmp_path / "shop"), FLAGS)
    yield copy
    assert verify(copy.store.registry).whole
    close(copy)


def classes_of(shop: OpenWorkspace, release: Release) -> list[str]:
    head = described_model(shop.store.registry.load_file(release, "model.json"))["head"]
    assert isinstance(head, dict)
    return [str(name) for name in head["labels"]]  # type: ignore[union-attr]


def answers(shop: OpenWorkspace, release: str | None = None) -> dict[str, str]:
    told = shop.predict("intent", list(QUESTIONS.values()), release)
    return {name: str(each["label"]) for name, each in zip(QUESTIONS, told, strict=True)}


def grown(shop: OpenWorkspace) -> Release:
    shop.ingest(asked(400, 560, NEW), ASKED)
    release = shop.update("intent")
    assert release.verdict.promote, release.verdict.reasons
    return release


def test_new_classes_are_learned_and_old_ones_kept_in_their_places(shop: OpenWorkspace) -> None:
    first = shop.store.registry.live("intent")
    assert first is not None
    assert classes_of(shop, first) == sorted(OLD)
    second = grown(shop)
    assert classes_of(shop, second) == [*sorted(OLD), *NEW]
    assert second.trunk == first.trunk
    assert answers(shop) == {name: name for name in QUESTIONS}
    assert set(answers(shop, first.id).values()) <= set(OLD)
    found = {finding.rule: finding for finding in second.verdict.findings}
    assert found["gain on new"].numbers["gain"] > 0.5, "the champion is judged wrong where it lacks the class"
    assert {len(row.probabilities) for row in second.scorecards["old"].outcomes} == {5}
    assert {len(row.probabilities) for row in second.scorecards["champion/old"].outcomes} == {3}
    known = Rehearsal.read(shop.store.registry.load_file(second, REHEARSAL))
    assert {len(said) for said in known.said.values()} == {3}, "a teacher is kept as it was"
    assert {row.label for row in known.memory} == set(INTENTS)


def test_what_has_grown_learns_on_and_grows_again(shop: OpenWorkspace) -> None:
    shop.ingest(asked(400, 520, ("books", "refund")), ASKED)
    assert shop.update("intent").verdict.promote
    shop.ingest(asked(520, 700, ("lamps", "delivery", "books")), ASKED)
    third = shop.update("intent")
    assert third.verdict.promote, third.verdict.reasons
    assert classes_of(shop, third) == [*sorted(OLD), "books", "lamps"]
    known = Rehearsal.read(shop.store.registry.load_file(third, REHEARSAL))
    assert {len(said) for said in known.said.values()} == {3, 4}
    shop.ingest(asked(700, 900), ASKED)
    fourth = shop.update("intent")
    assert fourth.verdict.promote, fourth.verdict.reasons
    assert fourth.artefacts["top_template.onnx"] == third.artefacts["top_template.onnx"]
    assert answers(shop) == {name: name for name in QUESTIONS}


def test_it_can_be_rolled_back_compared_and_trained_anew(shop: OpenWorkspace) -> None:
    registry = shop.store.registry
    first = registry.live("intent")
    assert first is not None
    second = grown(shop)
    change = diff(registry, first.id, second.id, lambda _, outcomes: float(len(outcomes)))
    assert {"model.json", "top.onnx", "top_template.onnx"} <= {file.name for file in change.files}
    assert all(part.common == part.examples for part in change.held_out)
    assert sum(part.gained for part in change.held_out) > 20
    registry.rollback("intent", second.id, "test")
    assert registry.live_id("intent") == first.id
    assert set(answers(shop).values()) <= set(OLD)
    shop.ingest(asked(600, 760, ("lamps", "refund")), ASKED)
    other = shop.update("intent")
    assert other.verdict.promote, other.verdict.reasons
    assert classes_of(shop, other) == [*sorted(OLD), "lamps"], "what was rolled back is in quarantine"
    again = shop.train("intent")
    assert classes_of(shop, again) == [*sorted(OLD), "lamps"]
    assert "champion/old" in again.scorecards


def test_a_class_that_is_only_held_out_has_its_place_too(shop: OpenWorkspace) -> None:
    share = shop.settings.intake.held_out
    judge = next(row for row in asked(400, 500, ("lamps",)) if side(normalised(str(row["text"])), share) == "held_out")
    shop.ingest([*asked(500, 640, OLD), judge], ASKED)
    release = shop.update("intent")
    assert release.verdict.promote or release.verdict.reasons
    assert classes_of(shop, release) == [*sorted(OLD), "lamps"]


def test_a_running_service_swaps_to_the_larger_head_and_back(shop: OpenWorkspace) -> None:
    body = {"inputs": [{"text": QUESTIONS["lamps"]}]}
    service = service_of(shop.store, shop.settings.tasks, ServeSettings(), with_keys=False)
    with TestClient(create_app(service), "http://127.0.0.1") as client:
        until(lambda: client.get("/readyz").status_code == 200)
        before = client.post("/v1/predict/intent", json=body).json()
        second = grown(shop)
        until(lambda: client.post("/v1/predict/intent", json=body).json()["release"] == second.id)
        after = client.post("/v1/predict/intent", json=body).json()
        shop.store.registry.rollback("intent", second.id, "test")
        until(lambda: client.post("/v1/predict/intent", json=body).json()["release"] == before["release"])
    assert after["answers"][0]["label"] == "lamps"
    assert set(after["answers"][0]["probabilities"]) == set(INTENTS)
    assert set(before["answers"][0]["probabilities"]) == set(OLD)


def test_more_classes_than_allowed_and_names_that_are_gone_are_refused_with_the_way_on(shop: OpenWorkspace) -> None:
    shop.ingest(asked(400, 560, NEW), ASKED)
    live = shop.release_of("intent")
    for lines, words in (("most_names=4", "met 5 names"), ('labels=["refund", "books"]', "has changed")):
        changed = front_door.open(shop.store.root, [*FLAGS, f"tasks.intent.{lines}"])
        with pytest.raises(ConfigurationError, match=words) as refused:
            changed.update("intent")
        assert refused.value.mend
        close(changed)
    assert shop.release_of("intent") == live
    assert list(shop.store.run_folder("intent").glob("checkpoint*")) == []


def test_classes_that_are_named_grow_with_the_list(shop: OpenWorkspace) -> None:
    named = ",".join(f'"{name}"' for name in INTENTS)
    closed = front_door.open(shop.store.root, [*FLAGS, f"tasks.intent.labels=[{named}]"])
    counted = closed.ingest([*asked(400, 560, NEW), {"id": "x", "text": "lamp", "label": "unheard"}], ASKED)
    assert counted.dead_letters == {"bad_label": 1}
    release = closed.update("intent")
    assert release.verdict.promote, release.verdict.reasons
    assert classes_of(closed, release) == [*sorted(OLD), *NEW]
    close(closed)


def test_labels_that_are_no_names_are_dead_letters(shop: OpenWorkspace) -> None:
    bad = ("x" * 65, "two\nlines", True, 1.5, ["a"])
    rows = [{"id": f"b{place}", "text": f"lamp {place}", "label": label} for place, label in enumerate(bad)]
    counted = shop.ingest(rows, ASKED)  # type: ignore[arg-type]
    assert counted.dead_letters == {"bad_label": len(bad)}
    assert counted.kept == 0


def test_few_examples_a_class_give_a_clear_verdict(shop: OpenWorkspace) -> None:
    """One or two examples of each new class, among others of the old ones."""
    shop.ingest([*asked(400, 520, OLD), *asked(520, 523, NEW)], ASKED)
    release = shop.update("intent")
    assert release.verdict.promote or release.verdict.reasons
    assert classes_of(shop, release) == [*sorted(OLD), *NEW]


def test_new_classes_alone_in_small_numbers_wait(shop: OpenWorkspace) -> None:
    shop.ingest(asked(400, 420, NEW), ASKED)
    with pytest.raises(NotFound, match="20 of 80"):
        shop.update("intent")


def test_an_evaluation_counts_classes_that_the_release_lacks_as_wrong(shop: OpenWorkspace) -> None:
    found = shop.evaluate("intent", asked(700, 750), ASKED)
    assert found.scorecard.metrics["accuracy"].value == pytest.approx(0.6)
    told = shop.evaluate("intent", asked(700, 750, OLD), ASKED)
    assert told.scorecard.metrics["accuracy"].value == 1


def test_old_texts_under_a_new_name_are_refused_and_the_head_stays_as_it_was(shop: OpenWorkspace) -> None:
    live = shop.release_of("intent")
    rows = [
        {**row, "label": "books" if place // 3 % 2 else row["label"]} for place, row in enumerate(asked(400, 600, OLD))
    ]
    shop.ingest(rows, ASKED)
    release = shop.update("intent")
    assert not release.verdict.promote
    assert "labels" in {finding.rule for finding in release.verdict.findings if not finding.passed}
    assert shop.release_of("intent") == live
    assert verify(shop.store.registry).whole
