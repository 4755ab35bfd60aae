"""A head gains classes: what the champion said stays as it was, and the new ones are learned whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from freshtune.learn import challenger
from freshtune.learn.challenger import Learn, tune
from freshtune.learn.fit import Fit, predict
from freshtune.learn.head_start import begin_again, grow
from freshtune.learn.lesson import Lesson
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.divergence import divergence
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.memory.evidence import distance, likelihoods, margins
from freshtune.model.backbone import TextModel
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.widening import widened
from freshtune.records import Example
from tests.learn.toys import SIDES, open_toy, separable
from tests.model.tiny_models import LAYERS, saved

GROWN = SIDES.grown(["third", "fourth"])
LEARN = Learn(
    fit=Fit(epochs=20, batch_tokens=160, learning_rate=1e-2, head_rate_ratio=1.0, weight_decay=0.0, dropout=0.0),
    average=(0.5,),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("bert", tmp_path_factory.mktemp("model"))


def lesson(model: TextModel, head: Classes) -> Lesson:
    """24 remembered texts of the two old classes, and 24 new ones that the larger head names, of the later classes."""
    toy = separable(48, 6)
    with torch.inference_mode():
        read: list[NDArray[np.generic]] = [
            model.lower(torch.from_numpy(ids.astype(np.int64))[None], None, LAYERS)[0].numpy() for ids in toy.inputs
        ]
    places = [int(target.argmax()) for target in toy.targets]
    names = [head.labels[place + (2 if row < 24 and head.outputs > 2 else 0)] for row, place in enumerate(places)]
    examples = [Example(f"e{row}", "intent", "text", label=name) for row, name in enumerate(names)]
    return Lesson(examples, read, np.arange(48) >= 24, np.arange(48) < 0)


def test_before_it_learns_old_classes_are_said_as_before_and_new_ones_are_as_likely_as_usual(folder: Path) -> None:
    model = open_toy(folder)
    material = lesson(model, GROWN)
    before, weights = predict(model, LAYERS, material.inputs), model.head.weight.detach().clone()
    grow(model, GROWN, material, widened(before, GROWN.outputs))
    after = predict(model, LAYERS, material.inputs)
    assert torch.equal(model.head.weight[:2], weights)
    assert not model.head.weight[2:].any()
    assert after[:, :2] == pytest.approx(before, abs=1e-6)
    assert np.ptp(after[:, 2:], axis=0).max() == 0
    share = GROWN.answers(after).probabilities[:, 2:].sum(axis=1).mean()
    assert share == pytest.approx(0.5, abs=0.1), "half of the lesson is of new classes"


def test_a_head_that_has_not_grown_is_left_alone(folder: Path) -> None:
    model = open_toy(folder)
    weight = model.head.weight
    grow(model, SIDES, lesson(model, SIDES), np.zeros((48, 2), np.float32))
    assert model.head.weight is weight


def test_what_is_new_is_taken_whole_and_what_is_old_as_an_average(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenger, "_ENOUGH", 10**9)
    heads = {}
    for share in (1.0, 0.5):
        model = open_toy(folder)
        start, material = model.head.weight.detach().clone(), lesson(model, GROWN)
        teacher = widened(predict(model, LAYERS, material.inputs), GROWN.outputs)
        tune(model, LAYERS, GROWN, material, teacher, replace(LEARN, average=(share,)))
        heads[share] = model.head.weight.detach().clone()
    assert heads[1.0][2:].abs().max() > 0.05
    assert torch.equal(heads[0.5][2:], heads[1.0][2:])
    torch.testing.assert_close(heads[0.5][:2], start.lerp(heads[1.0][:2], 0.5))


def test_a_head_alone_begins_again_where_enough_is_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the champion's weights were, they have no part in what is learned: only what it says does."""
    found = {}
    for enough in (10, 13):  # 24 remembered texts of two classes
        monkeypatch.setattr(challenger, "_ENOUGH", enough)
        for scale in (1.0, -3.0):
            model = open_toy(folder)
            with torch.no_grad():
                model.head.weight *= scale
            material = lesson(model, GROWN)
            teacher = widened(predict(open_toy(folder), LAYERS, material.inputs), GROWN.outputs)
            assert tune(model, LAYERS, GROWN, material, teacher, LEARN).share == (1.0 if enough == 10 else 0.5)
            found[enough, scale] = model.head.weight.detach().clone()
    assert torch.equal(found[10, 1.0], found[10, -3.0])
    assert not torch.allclose(found[13, 1.0], found[13, -3.0], atol=1e-3)


def test_where_a_head_begins_again_new_labels_weigh_no_more_than_old_ones(folder: Path) -> None:
    found = {}
    for new in (0.5, 1.0, 2.0, 5.0):
        model = open_toy(folder)
        material = lesson(model, GROWN)
        teacher = widened(predict(model, LAYERS, material.inputs), GROWN.outputs)
        tune(model, LAYERS, GROWN, material, teacher, replace(LEARN, losses=(Supervised(new=new), Distillation())))
        found[new] = model.head.weight.detach().clone()
    assert torch.equal(found[1.0], found[2.0])
    assert torch.equal(found[1.0], found[5.0])
    assert not torch.allclose(found[1.0], found[0.5], atol=1e-3), "less is as the recipe says"


def test_a_head_that_begins_again_keeps_what_its_inner_layer_sees_and_is_fitted_as_a_first_one(folder: Path) -> None:
    found = {}
    for first, later in ((3, 9), (3, 2), (4, 9)):
        model = open_toy(folder)
        model.widen_head(4, 0)
        material = lesson(model, GROWN)
        teacher = widened(predict(model, LAYERS, material.inputs), GROWN.outputs)
        before = model.head.inner.weight.detach().clone()
        torch.manual_seed(first + later)  # whatever was drawn before has no part in it
        begin_again(model, GROWN, material)
        assert torch.equal(model.head.inner.weight, before)
        assert not model.head.outer.weight.any()
        how = replace(LEARN, first=replace(LEARN.fit, epochs=first), fit=replace(LEARN.fit, epochs=later))
        fresh = open_toy(folder)
        fresh.widen_head(4, 0)
        fresh.head.inner.load_state_dict({"weight": before * 0 + 0.1, "bias": torch.zeros(4)})
        tune(fresh, LAYERS, GROWN, material, teacher, how)
        found[first, later] = fresh.head.weight.detach().clone()
    assert torch.equal(found[3, 9], found[3, 2]), "how an update runs has no part in it"
    assert not torch.equal(found[3, 9], found[4, 9])


def test_a_teacher_is_heard_about_the_classes_that_it_knows_alone() -> None:
    ours = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    theirs = torch.randn(5, 2, generator=torch.Generator().manual_seed(2))
    wide = torch.from_numpy(widened(theirs.numpy(), 4))
    said = divergence(GROWN, wide, ours)
    torch.testing.assert_close(said, divergence(SIDES, theirs, ours[:, :2]))
    said.sum().backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    assert torch.isfinite(ours.grad).all()
    assert not ours.grad[:, 2:].any(), "new classes are neither fed nor starved by it"
    torch.testing.assert_close(
        divergence(GROWN, wide, torch.cat([theirs, ours[:, 2:].detach()], dim=1)), torch.zeros(5), atol=1e-6, rtol=0
    )


def test_what_a_champion_gives_to_a_class_that_it_lacks_is_nothing() -> None:
    logits = widened(np.array([[2.0, 0.0], [2.0, 0.0]], np.float32), 4)
    examples = [Example("a", "intent", "", label="negative"), Example("b", "intent", "", label="third")]
    known, unknown = likelihoods(GROWN, logits, examples).tolist()
    assert known == pytest.approx(0.8808, abs=1e-3)
    assert unknown == 0
    assert distance(GROWN, logits[1:], examples[1:]) == 1
    assert np.isfinite(margins(GROWN, logits)).all()


def test_losses_of_a_lesson_with_a_lesser_teacher_are_finite(folder: Path) -> None:
    model = open_toy(folder)
    material = lesson(model, GROWN)
    teacher = widened(predict(model, LAYERS, material.inputs), GROWN.outputs)
    teacher[30:, 1] = -np.inf  # a teacher that knew one class alone
    settings = replace(LEARN, losses=(Supervised(), Distillation(remembered=2.0, new=1.0, temperature=2.0)))
    tuned = tune(model, LAYERS, GROWN, material, teacher, settings)
    assert all(bool(torch.isfinite(weight).all()) for weight in tuned.weights.values())
