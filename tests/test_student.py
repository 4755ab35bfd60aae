"""A light student, and a backbone that reads the shop's texts first, end to end in a tiny shop."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from freshtune import front_door
from freshtune.cli import app
from freshtune.cycle import adapting, teaching
from freshtune.cycle.beside_teacher import RULE
from freshtune.cycle.champion import bundle_of, overruled, trunk_cache
from freshtune.errors import ConfigurationError, NotFound
from freshtune.front_door import OpenWorkspace
from freshtune.learn import adaptation, imitation
from freshtune.learn.imitation import Shown
from freshtune.model.predictor import Input
from freshtune.phases import Phases
from freshtune.records import Json, Release
from freshtune.settings import read_settings
from freshtune.ship.verify import verify
from tests.small_shop import REVIEW, STARRED, backbone, close, make_shop, reviews, starred

pytestmark = pytest.mark.usefixtures("own_cache")

HISTORY, SILENT, DELTA = 400, 600, 200
QUICK = (
    "model.cut=2", "model.words=0", "model.units=0", "learn.adapter={name='head_only'}",
    "learn.student.learning_rate=0.01", "learn.student.epochs=4", "learn.adapt.steps=6",
    "learn.adapt.learning_rate=1e-3",
)  # fmt: skip
STUDENT = (*QUICK, "learn.student.teacher=live", "learn.student.layers=1")
ADAPTED = (*QUICK, "learn.adapt.on=true")


@pytest.fixture
def shop(tmp_path: Path, tiny_backbone: Path) -> Iterator[OpenWorkspace]:
    """A workspace with labelled reviews, others without a label, and a live release."""
    made = make_shop(tmp_path / "shop", tiny_backbone, ("sentiment", "rating"))
    made.ingest(reviews(0, HISTORY), REVIEW)
    made.ingest(without_labels(reviews(HISTORY, SILENT)), REVIEW)
    assert made.train("sentiment").verdict.promote
    yield made
    assert verify(made.store.registry).whole
    close(made)


def without_labels(rows: Sequence[dict[str, Json]]) -> list[dict[str, Json]]:
    return [{name: value for name, value in row.items() if name != "label"} for row in rows]


def again(shop: OpenWorkspace, flags: Sequence[str]) -> OpenWorkspace:
    """The same workspace under other settings."""
    return OpenWorkspace(shop.store, read_settings(shop.store.root, flags))


def numbers(release: Release) -> dict[str, float]:
    (finding,) = (each for each in release.verdict.findings if each.rule == RULE)
    assert finding.passed
    return dict(finding.numbers)


def test_a_student_is_lighter_and_stands_beside_its_teacher(shop: OpenWorkspace) -> None:
    teacher = shop.store.registry.live("sentiment")
    assert teacher is not None
    student = again(shop, STUDENT).train("sentiment")
    found = numbers(student)
    assert student.trunk != teacher.trunk
    assert found["student_bytes"] < 0.8 * found["teacher_bytes"]
    assert {"student_milliseconds_32", "teacher_milliseconds_32"} <= set(found)
    assert "student_milliseconds_128" not in found, "this backbone reads 40 tokens"
    for side in ("new", "old"):
        assert found[f"student_accuracy_{side}"] == student.scorecards[side].metrics["accuracy"].value
        assert found[f"teacher_accuracy_{side}"] == student.scorecards[f"teacher/{side}"].metrics["accuracy"].value
        assert found[f"student_accuracy_{side}"] > 0.8
    assert student.verdict.promote
    assert shop.store.registry.live_id("sentiment") == student.id


def test_updates_go_on_from_a_student_and_say_nothing_of_its_backbone(shop: OpenWorkspace, tmp_path: Path) -> None:
    other = backbone(tmp_path / "other")
    there = again(shop, [*QUICK, "learn.student.teacher=live", f"model.backbone={other}"])
    student = there.train("sentiment")
    assert student.verdict.promote
    shop.ingest(reviews(SILENT, SILENT + DELTA), REVIEW)
    remarks: list[str] = []
    updated = again(shop, QUICK).update("sentiment", Phases(on_remark=remarks.append))
    assert updated.parent == student.id
    assert updated.trunk == student.trunk
    assert not [words for words in remarks if "backbone" in words]
    with trunk_cache(shop.store, shop.task("sentiment"), shop.settings.model) as cache:
        bundle = bundle_of(shop.store, updated, shop.settings.model, cache)
        assert bundle.facts.backbone == str(other)
        assert bundle.facts.teacher == student.parent, "an update keeps who taught it"
        taps = again(shop, [*QUICK, "model.taps=[1.0]", "model.max_tokens=16"]).settings
        assert {words.split()[0] for words in overruled(bundle.facts, bundle.tokens.max_tokens, taps)} >= {
            "model.max_tokens",
            "model.taps",
        }


def test_nothing_that_is_held_out_is_shown(shop: OpenWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[bytes]] = {}
    whole_imitate, whole_adapt = imitation.imitate, adaptation.adapt

    def imitated(model: Any, head: Any, shown: Shown, *rest: Any) -> Any:
        seen["student"] = [ids.tobytes() for ids in shown.inputs]
        return whole_imitate(model, head, shown, *rest)

    def adapted(model: Any, pretext: Any, inputs: Any, *rest: Any) -> None:
        seen["adapted"] = [ids.tobytes() for ids in inputs]
        whole_adapt(model, pretext, inputs, *rest)

    monkeypatch.setattr(teaching, "imitate", imitated)
    monkeypatch.setattr(adapting, "adapt", adapted)
    release = again(shop, (*STUDENT, "learn.adapt.on=true")).train("sentiment")
    held_out = {outcome.id for side in ("new", "old") for outcome in release.scorecards[side].outcomes}
    assert len(held_out) > 50
    texts = {str(row["id"]): str(row["text"]) for row in reviews(0, SILENT)}
    with trunk_cache(shop.store, shop.task("sentiment"), shop.settings.model) as cache:
        tokens = bundle_of(shop.store, release, shop.settings.model, cache).tokens
    hidden = {tokens.encode([Input(texts[id_])])[0].tobytes() for id_ in held_out}
    labelled = {tokens.encode([Input(text)])[0].tobytes() for text in texts.values()}
    for name in ("student", "adapted"):
        assert len(seen[name]) > HISTORY * 0.7, f"{name}: the training side, labelled and not"
        assert set(seen[name]) <= labelled
        assert not hidden & set(seen[name])


def test_a_student_that_is_worse_is_not_promoted_and_can_be_by_hand(shop: OpenWorkspace) -> None:
    live = shop.store.registry.live_id("sentiment")
    bad = "learn.student.imitation={labels=0.0, answers=0.0, vectors=0.0}"
    flags = [*STUDENT, bad, "learn.student.taught_head=0.0", "learn.first.epochs=1", "learn.first.learning_rate=1e-9"]
    sets = [part for flag in flags for part in ("--set", flag)]
    done = CliRunner().invoke(app, ["train", "sentiment", "-w", str(shop.store.root), *sets])
    assert done.exit_code == 3, done.output
    assert shop.store.registry.live_id("sentiment") == live
    assert "a text on one thread" in done.stdout
    assert "milliseconds 32" in done.stdout
    name = done.stdout.split(" ", 1)[0]
    assert f"freshtune releases promote -w {shop.store.root} {name} --force" in done.stderr
    by_hand = ["releases", "promote", name, "--by", "test", "--why", "speed", "-w", str(shop.store.root)]
    assert CliRunner().invoke(app, by_hand).exit_code == 3
    assert CliRunner().invoke(app, [*by_hand, "--force"]).exit_code == 0
    assert shop.store.registry.live_id("sentiment") == name


def test_the_options_are_the_settings(shop: OpenWorkspace) -> None:
    sets = [part for flag in QUICK for part in ("--set", flag)]
    arguments = ["train", "sentiment", "-w", str(shop.store.root), "--student-layers", "1", "--adapt", "--json", *sets]
    done = CliRunner().invoke(app, arguments)
    document = json.loads(done.stdout)
    assert done.exit_code == (0 if document["promote"] else 3)
    beside = document["beside_teacher"]
    assert set(beside) == {"student", "teacher"}
    assert set(beside["student"]) == set(beside["teacher"]) >= {"bytes", "milliseconds_32", "accuracy_new"}


def test_an_adapted_trunk_is_another_and_is_served(shop: OpenWorkspace) -> None:
    plain = again(shop, QUICK).train("sentiment")
    one = again(shop, ADAPTED).train("sentiment")
    two = again(shop, ADAPTED).train("sentiment")
    half = again(shop, (*ADAPTED, "learn.adapt.share=0.5")).train("sentiment")
    assert len({plain.trunk, one.trunk, half.trunk}) == 3
    assert one.trunk == two.trunk, "the same texts adapt alike"
    answers = again(shop, ()).predict("sentiment", ["great superb lovely", "bad awful broken"], one.id)
    assert [answer["label"] for answer in answers] == ["positive", "negative"]


def test_a_backbone_without_the_head_cannot_guess_words(shop: OpenWorkspace) -> None:
    with pytest.raises(ConfigurationError, match="cannot guess masked words"):
        again(shop, (*ADAPTED, "learn.adapt.pretext=masked_words")).train("sentiment")


def test_what_cannot_teach_is_refused(shop: OpenWorkspace) -> None:
    with pytest.raises(NotFound):
        again(shop, (*QUICK, "learn.student.teacher=sentiment-000000000000")).train("sentiment")
    shop.ingest(starred(0, 300), STARRED)
    with pytest.raises(NotFound, match="no live release"):
        again(shop, STUDENT).train("rating")
    live = shop.store.registry.live_id("sentiment")
    with pytest.raises(ConfigurationError, match="cannot teach rating"):
        again(shop, (*QUICK, f"learn.student.teacher={live}")).train("rating")
    with pytest.raises(ConfigurationError, match="3 layers"):
        again(shop, (*STUDENT, "learn.student.layers=3")).train("sentiment")


def test_a_scale_has_students_too(shop: OpenWorkspace) -> None:
    shop.ingest(starred(0, 400), STARRED)
    shop.ingest(without_labels(starred(400, 500)), STARRED)
    assert shop.train("rating").verdict.promote
    student = again(shop, STUDENT).train("rating")
    assert numbers(student)["student_quadratic_kappa_old"] > 0.5
    assert np.isfinite(student.scorecards["new"].metrics["mae"].value)


WRONG = {
    "learn.adapt.share=2": "learn.adapt.share",
    "learn.adapt.shares=0.5": "Did you mean 'share'?",
    "learn.adapt.pretext=masked_word": "learn.adapt.pretext",
    "learn.adapt.steps=0": "learn.adapt.steps",
    "learn.adapt.temperature=0": "learn.adapt.temperature",
    "learn.student.layer=4": "Did you mean 'layers'?",
    "learn.student.layers=0": "learn.student.layers",
    "learn.student.keep=evens": "learn.student.keep",
    "learn.student.imitation.temprature=2": "Did you mean 'temperature'?",
    "learn.student.epochs=0": "learn.student.epochs",
}


def test_wrong_settings_and_options_fail_before_torch(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    front_door.create(folder, ["sentiment"])
    child = """
import json, sys
from typer.testing import CliRunner
from freshtune.cli import app
told = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, ["train", "sentiment", "-w", sys.argv[2], *arguments])
    told.append([done.exit_code, done.stderr])
print(json.dumps([told, sorted({"torch", "transformers", "onnx", "sklearn"} & set(sys.modules))]))
"""
    calls = [["--set", flag] for flag in WRONG] + [["--student-layers", "0"], ["--teacher", "nobody"]]
    arguments = [sys.executable, "-c", child, json.dumps(calls), str(folder)]
    told, heavy = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    assert heavy == []
    assert len(told) == len(calls)
    for (code, words), said in zip(told, WRONG.values(), strict=False):
        assert (code, said in words) == (5, True), words
    assert [code for code, _ in told[len(WRONG) :]] == [2, 4]
