"""A student learns from its teacher's answers and vectors, with labels or without; its head ends as a task's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.learn.fit import Fit, Step, predict
from freshtune.learn.imitation import Imitation, Shown, imitate, main_directions
from freshtune.learn.state import Run
from freshtune.model.blocks import TextModel
from tests.learn.toys import SIDES, open_toy, separable
from tests.model.tiny_models import WIDTH, saved

LOOP = Fit(epochs=8, batch_tokens=300, learning_rate=3e-3, dropout=0.0, checkpoint_seconds=1e9)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return saved("bert", tmp_path_factory.mktemp("model"))


def shown(rows: int = 120, labelled: bool = False) -> Shown:
    """A teacher that knows the sides, and whose vectors tell them and the length apart."""
    examples = separable(rows, 0)
    side = examples.targets[:, 1]
    random = np.random.default_rng(1)
    places = np.stack([10 * side, np.asarray([len(text) for text in examples.inputs])], axis=1)
    return Shown(
        inputs=[np.asarray(text, np.int32) for text in examples.inputs],
        targets=examples.targets * labelled,
        weights=np.full(rows, float(labelled), np.float32),
        answers=np.stack([-4 * side + 2, 4 * side - 2], axis=1).astype(np.float32),
        vectors=(places @ random.normal(size=(2, 20))).astype(np.float32),
    )


def agreement(model: TextModel, seen: Shown) -> float:
    """How well a linear head on what the model's trunk says tells the teacher's sides apart."""
    with torch.no_grad():
        read = np.stack([model.lower(torch.tensor(text)[None], None, model.layers)[0].ravel() for text in seen.inputs])
    side = seen.answers[:, 1] > 0
    gap = read[side].mean(axis=0) - read[~side].mean(axis=0)
    middle = (read[side].mean(axis=0) + read[~side].mean(axis=0)) / 2
    return float((((read - middle) @ gap > 0) == side).mean())


def test_without_a_label_it_learns_what_the_teacher_answers(folder: Path) -> None:
    model, losses = open_toy(folder), list[float]()
    before = agreement(model, shown())
    imitate(model, SIDES, shown(), (Imitation(vectors=0), LOOP), None, lambda step: losses.append(step.loss))
    assert losses[-1] < 0.2 * losses[0]
    assert agreement(model, shown()) > max(0.95, before)


def test_vectors_alone_teach_too(folder: Path) -> None:
    model, losses = open_toy(folder), list[float]()
    alone = Imitation(labels=0, answers=0, vectors=1)
    imitate(model, SIDES, shown(), (alone, LOOP), None, lambda step: losses.append(step.loss))
    assert losses[-1] < 0.3 * losses[0]
    assert agreement(model, shown()) > 0.9


def test_the_head_is_new_and_as_wide_as_the_task(folder: Path) -> None:
    model = open_toy(folder)
    imitate(model, SIDES, shown(20), (Imitation(), replace(LOOP, epochs=1)))
    assert model.head.weight.shape == (2, WIDTH)
    assert not model.training
    assert predict(model, 0, shown(20).inputs).shape == (20, 2)


def test_rows_of_weight_0_teach_no_label(folder: Path) -> None:
    one, other = open_toy(folder), open_toy(folder)
    seen = shown(40, labelled=True)
    silent = replace(seen, weights=np.zeros(40, np.float32))
    lying = replace(silent, targets=seen.targets[:, ::-1].copy())
    for model, lesson in ((one, silent), (other, lying)):
        imitate(model, SIDES, lesson, (Imitation(), replace(LOOP, epochs=2)))
    assert all(torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())


def test_an_interrupted_lesson_ends_as_a_whole_one(folder: Path, tmp_path: Path) -> None:
    class Stopped(Exception):  # noqa: N818 (reads as what happened)
        pass

    def stop(step: Step) -> None:
        if step.number == 5:
            raise Stopped

    whole, parted, again = open_toy(folder), open_toy(folder), open_toy(folder)
    run, short = Run(tmp_path / "distilling", "this run"), replace(LOOP, epochs=2)
    imitate(whole, SIDES, shown(), (Imitation(), short))
    with pytest.raises(Stopped):
        imitate(parted, SIDES, shown(), (Imitation(), replace(short, checkpoint_seconds=0)), run, stop)
    steps: list[Step] = []
    imitate(again, SIDES, shown(), (Imitation(), short), run, steps.append)
    assert steps[0].number == 5
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in whole.state_dict().items())


@pytest.mark.parametrize("rows", [1, 2])
def test_very_few_texts_are_a_lesson_too(folder: Path, rows: int) -> None:
    model = open_toy(folder)
    imitate(model, SIDES, shown(rows), (Imitation(), replace(LOOP, epochs=2)))
    assert all(weight.isfinite().all() for weight in model.state_dict().values())


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 8), st.integers(0, 3))
def test_main_directions_are_centred_uncorrelated_and_as_asked(rows: int, width: int, count: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(3, 2, (rows, width)).astype(np.float32)
    found = main_directions(vectors, count)
    assert found.shape[0] == rows
    assert found.shape[1] == min(count, width, rows - 1)
    if found.shape[1]:
        covariance = found.T.astype(np.float64) @ found / rows
        assert np.allclose(found.mean(axis=0), 0, atol=1e-4)
        assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
        assert np.isclose(np.trace(covariance), found.shape[1], rtol=1e-3)


def test_vectors_that_are_all_alike_have_no_direction() -> None:
    assert main_directions(np.ones((5, 3), np.float32), 4).shape == (5, 0)
