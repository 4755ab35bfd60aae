"""What holds the weights near where they began: distance, importance, and how importance is measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from freshtune.learn.losses.divergence import divergence
from freshtune.learn.losses.ewc import Ewc
from freshtune.learn.losses.importance import fisher, held_at, spaced
from freshtune.learn.losses.l2_sp import L2Sp
from freshtune.learn.losses.trained import Trained
from freshtune.model.backbone import TextModel
from freshtune.model.heads import Head
from tests.learn.losses.toys import EVERY_HEAD, PLACES, toy
from tests.model.tiny_models import saved

heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return saved("bert", tmp_path_factory.mktemp("model"))


def anchored(importance: dict[str, Tensor] | None) -> Trained:
    def never(*_: object) -> Tensor:
        raise AssertionError

    weights = {"blocks.2.w": torch.tensor([1.0, 2.0]), "head.weight": torch.tensor([[3.0]])}
    return Trained(
        never, never, weights, {name: torch.zeros_like(weight) for name, weight in weights.items()}, importance
    )


def test_the_anchors_are_half_the_squared_distance(folder: Path) -> None:
    made = toy(folder, EVERY_HEAD[0], "hidden")
    assert L2Sp()(made.batch, made.logits, anchored(None)) == (1 + 4 + 9) / 2
    assert L2Sp(head=0.0)(made.batch, made.logits, anchored(None)) == (1 + 4) / 2
    importance = {"blocks.2.w": torch.tensor([0.0, 0.5]), "head.weight": torch.tensor([[2.0]])}
    assert Ewc()(made.batch, made.logits, anchored(importance)) == (0.5 * 4 + 2 * 9) / 2
    assert Ewc()(made.batch, made.logits, anchored(None)) == 0, "nothing is remembered"


@heads
def test_an_anchor_pulls_straight_back(folder: Path, head: Head) -> None:
    made = toy(folder, head, "hidden")
    names = list(made.trained.weights)
    for loss, factor in ((L2Sp(), 1.0), (Ewc(), 0.5)):
        value = loss(made.batch, made.logits, made.trained)
        pull = torch.autograd.grad(value, list(made.trained.weights.values()), retain_graph=True)
        for name, gradient in zip(names, pull, strict=True):
            distance = made.trained.weights[name].detach() - made.trained.begun[name]
            torch.testing.assert_close(gradient, factor * distance)


def test_rows_are_evenly_spaced_among_what_is_remembered() -> None:
    remembered = np.arange(100) % 2 == 1
    assert spaced(remembered, 3).tolist() == [1, 49, 99]
    assert set(spaced(remembered, 1_000)) == set(range(1, 100, 2))
    assert spaced(remembered, 7).tolist() == sorted(set(spaced(remembered, 7).tolist()))
    for nothing in (spaced(remembered, 0), spaced(np.zeros(5, np.bool_), 4), spaced(np.zeros(0, np.bool_), 4)):
        assert nothing.tolist() == []


@heads
@pytest.mark.parametrize("place", PLACES)
def test_importance_is_not_negative_the_same_each_time_and_touches_nothing(
    folder: Path, head: Head, place: str
) -> None:
    made = toy(folder, head, place)
    made.model.eval()
    before = {name: weight.detach().clone() for name, weight in made.trained.weights.items()}
    state = torch.get_rng_state()

    def measured(seed: int = 3) -> dict[str, Tensor]:
        with held_at(made.trained.weights, made.trained.begun):
            for name, weight in made.trained.weights.items():
                assert torch.equal(weight, made.trained.begun[name])
            return fisher(
                head, np.arange(4), asker(made.model, made.cut, made.batch.inputs), made.trained.weights, seed
            )

    once, again = measured(), measured()
    assert once.keys() == before.keys()
    for name, importance in once.items():
        assert importance.shape == before[name].shape
        assert not importance.requires_grad
        assert (importance >= 0).all()
        assert torch.equal(importance, again[name])
        assert torch.equal(made.trained.weights[name], before[name])
        assert made.trained.weights[name].grad is None
    assert any(importance.any() for importance in once.values())
    assert torch.equal(torch.get_rng_state(), state)


def asker(model: TextModel, cut: int, inputs: Tensor) -> Callable[[int], Tensor]:
    def ask(row: int) -> Tensor:
        one = inputs[row : row + 1]
        return model.upper(one if one.dtype.is_floating_point else model.lower(one, None, cut), None, cut)

    return ask


def test_weights_come_back_when_the_measuring_fails() -> None:
    weights = {"w": torch.ones(2, requires_grad=True)}
    seen: list[list[float]] = []

    def failing() -> None:
        with held_at(weights, {"w": torch.zeros(2)}):
            seen.append(weights["w"].tolist())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert (seen, weights["w"].tolist()) == ([[0, 0]], [1, 1])


@heads
def test_it_is_fishers_information_of_the_models_own_answers(folder: Path, head: Head) -> None:
    """Of the head's bias it is known: p(1 − p) of each output; the mean over many draws comes near it."""
    made = toy(folder, head, "head")
    made.model.eval()
    ask = asker(made.model, made.cut, made.batch.inputs)
    found = fisher(head, np.zeros(3_000, np.int64), ask, {"head.bias": made.model.head.bias}, 1)["head.bias"]
    logits = ask(0).detach()[0]
    likely = logits.softmax(dim=0) if head.kind == "classes" else logits.sigmoid()
    torch.testing.assert_close(found, likely * (1 - likely), atol=0.03, rtol=0)


@heads
def test_for_a_small_step_it_is_the_divergence_from_the_first_answer(folder: Path, head: Head) -> None:
    """Along one weight the diagonal tells all: half · importance · step² is the divergence, output by output summed."""
    made = toy(folder, head, "head")
    made.model.eval()
    ask, bias = asker(made.model, made.cut, made.batch.inputs), made.model.head.bias
    importance = fisher(head, np.zeros(3_000, np.int64), ask, {"head.bias": bias}, 1)
    begun, before = {"head.bias": bias.detach().clone()}, ask(0).detach()
    with torch.no_grad():
        bias[0] += 0.2
    seen = replace(made.trained, weights={"head.bias": bias}, begun=begun, importance=importance)
    parts = head.outputs if head.kind in ("ordinal", "score") else 1  # of which the divergence is the mean
    apart = divergence(head, before, ask(0)).detach() * parts
    assert float(Ewc()(made.batch, made.logits, seen).detach()) == pytest.approx(float(apart), rel=0.2)
