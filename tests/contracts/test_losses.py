"""The laws of every loss, on every kind of head, wherever the first trained layer lies."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freshtune.learn.losses import COMPARING, LABELLED, LOSSES, Loss
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.divergence import divergence
from freshtune.learn.losses.pairwise import Pairwise
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.trained import Trained
from freshtune.model.heads import HEADS, Head
from tests.learn.losses.toys import EVERY_HEAD, LABELS, PLACES, Toy, rows_of, seen, toy
from tests.model.tiny_models import saved

SETTINGS: dict[str, tuple[Loss, ...]] = {
    name: (member(),) for name, member in LOSSES.items()
} | {
    "supervised": (Supervised(), Supervised(focal_gamma=2, class_balance=0.9), Supervised(focal_gamma=0.5)),
    "pairwise": (Pairwise(), Pairwise(form="hinge", margin=50.0)),
}  # fmt: skip
PASSES = {
    "supervised": 0, "distillation": 0, "hidden_states": 0, "squared_error": 0, "pairwise": 0, "listwise": 0,
    "l2_sp": 0, "ewc": 0,
    "r_drop": 1, "fgm": 2, "pgd": 3 + 1, "freelb": 2, "virtual_adversarial": 1 + 2, "smart": 1 + 2,
}  # fmt: skip
"""Passes forward beyond the step's own, as each docstring states them, by the default settings."""
members = pytest.mark.parametrize(
    "loss",
    [loss for losses in SETTINGS.values() for loss in losses],
    ids=[f"{name}-{number}" for name, losses in SETTINGS.items() for number in range(len(losses))],
)
heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)
places = pytest.mark.parametrize("place", PLACES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return saved("bert", tmp_path_factory.mktemp("model"))


def value(loss: Loss, made: Toy, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    return loss(made.batch, made.logits, made.trained)


def gradients(value: torch.Tensor, made: Toy) -> dict[str, torch.Tensor]:
    value.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    found = {name: weight.grad for name, weight in made.model.named_parameters() if weight.grad is not None}
    made.model.zero_grad()
    return found


def test_every_member_and_every_head_is_under_test() -> None:
    assert {head.kind for head in EVERY_HEAD} == set(HEADS) == set(LABELS)
    assert set(LOSSES) == set(SETTINGS) == set(PASSES) == set(ZEROS), "a new member needs its zero in this file"
    assert set(LABELLED) | set(COMPARING) <= set(LOSSES.values())


@pytest.mark.parametrize("name", LOSSES)
def test_its_name_is_its_key_and_its_fields_are_frozen(name: str) -> None:
    loss: Any = LOSSES[name]()
    assert loss.name == name
    assert loss.weight > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.weight = 2.0


@members
@heads
@places
@pytest.mark.parametrize("size", [0.0, 1.0, 1e5])
def test_it_is_one_finite_number_that_is_not_negative(
    folder: Path, loss: Loss, head: Head, place: str, size: float
) -> None:
    made = toy(folder, head, place, size=size)
    found = value(loss, made)
    assert found.shape == ()
    assert found.dtype == torch.float32
    assert torch.isfinite(found)
    assert found >= -1e-6
    assert all(torch.isfinite(gradient).all() for gradient in gradients(found, made).values())


@members
@heads
@places
def test_gradient_reaches_trained_weights_alone_and_only_when_it_is_asked_for(
    folder: Path, loss: Loss, head: Head, place: str
) -> None:
    made = toy(folder, head, place)
    inputs = made.batch.inputs.clone()
    found = value(loss, made)
    assert all(weight.grad is None for weight in made.model.parameters())
    reached = gradients(found, made)
    assert {"head.weight", "head.bias"} <= set(reached) <= set(made.trained.weights)
    assert torch.equal(made.batch.inputs, inputs)
    assert not made.batch.inputs.requires_grad


@members
@heads
@places
def test_it_falls_along_its_gradient(folder: Path, loss: Any, head: Head, place: str) -> None:
    is_held = loss.name == "virtual_adversarial"
    dropout = 0.0 if is_held else 0.1
    made = toy(folder, head, place, dropout)
    before = value(loss, made)
    found = gradients(before, made)
    length = sum(float(gradient.square().sum()) for gradient in found.values()) ** 0.5
    if loss.name == "hidden_states" and place == "head":
        assert length == 0, "nothing below the head learns"
        return
    assert length > 0
    after = []
    for step in (1e-1, 1e-2, 1e-3):
        again = toy(folder, head, place, dropout)
        with torch.no_grad():
            for name, gradient in found.items():
                again.trained.weights[name].sub_(gradient * (step / length))
        again = seen(again, again.trained.begun)
        if is_held:  # the noise, and the answer without it, are constants there
            said = again.trained.logits(made.asked[-1])
            after.append(float(divergence(head, made.logits, said).mean().detach()))
        else:
            after.append(float(value(loss, again).detach()))
    assert min(after) < float(before.detach())


@members
@heads
@places
def test_padding_never_matters(folder: Path, loss: Loss, head: Head, place: str) -> None:
    short, long = (toy(folder, head, place, padding=padding) for padding in (0, 5))
    ours, theirs = value(loss, short), value(loss, long)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)
    first, second = gradients(ours, short), gradients(theirs, long)
    largest = max(float(gradient.abs().max()) for gradient in first.values())
    for name, gradient in first.items():
        if name.endswith(("tokens.weight", "positions.weight")):
            continue  # the padding token has a row of its own there, which nothing looks at
        torch.testing.assert_close(gradient, second[name], rtol=1e-2, atol=1e-3 * largest + 1e-9)


@members
@heads
@places
def test_the_seed_alone_decides_it(folder: Path, loss: Loss, head: Head, place: str) -> None:
    once, again = (toy(folder, head, place, dropout=0.2) for _ in range(2))
    ours, theirs = value(loss, once), value(loss, again)
    assert torch.equal(ours, theirs)
    first, second = gradients(ours, once), gradients(theirs, again)
    assert all(torch.equal(gradient, second[name]) for name, gradient in first.items())


@members
@heads
@places
def test_it_asks_the_model_as_often_as_it_says(folder: Path, loss: Any, head: Head, place: str) -> None:
    made = toy(folder, head, place)
    value(loss, made)
    assert len(made.asked) == PASSES[loss.name]
    real = made.batch.attention_mask.bool()
    for asked in made.asked:
        assert torch.equal(asked[~real], made.trained.hidden()[~real]), "nothing is added to padding"


@members
@heads
@places
@pytest.mark.parametrize("rows", [[1], [0, 3], [0, 0, 0]], ids=["one example", "two groups", "one label"])
def test_small_and_one_sided_batches_without_teacher_or_memory(
    folder: Path, loss: Loss, head: Head, place: str, rows: list[int]
) -> None:
    made = toy(folder, head, place)
    batch = replace(rows_of(made.batch, rows), teacher=None, remembered=torch.zeros(len(rows), dtype=torch.bool))
    for groups in (batch.groups, None):
        few = seen(made, made.trained.begun, replace(batch, groups=groups))
        few.trained = replace(few.trained, importance=None)
        found = value(loss, few)
        assert torch.isfinite(found)
        assert found >= -1e-6
        assert {"head.weight", "head.bias"} <= set(gradients(found, few)), "it can be summed"


def sure(made: Toy) -> Toy:
    """Logits that say just what hard labels are."""
    few = replace(made, batch=rows_of(made.batch, [0, 1]))
    few.logits = few.batch.targets * 200 - 100
    return few


def taught_by_itself(made: Toy) -> Toy:
    return replace(made, batch=replace(made.batch, teacher=made.logits.detach()))


def followed(made: Toy) -> Toy:
    """Its own vectors are the teacher's, whatever their length."""
    assert made.trained.vectors is not None
    return replace(made, batch=replace(made.batch, teacher_vectors=made.trained.vectors.detach() * 3))


def as_listed(made: Toy) -> Toy:
    """All of one group say the same, and so do their labels."""
    made.logits = made.logits[:1].expand_as(made.logits)
    return replace(made, batch=replace(made.batch, targets=made.batch.targets[:1].expand_as(made.batch.targets)))


def without_noise(made: Toy) -> Toy:
    """An input of norm 0, of which no share is anything; sure of hard labels whatever is asked."""
    few = sure(made)
    few.trained = replace(
        few.trained,
        hidden=lambda: torch.zeros(*few.batch.attention_mask.shape, 8),
        logits=lambda hidden: few.logits + hidden.sum() * 0,
    )
    return few


def at_the_start(made: Toy) -> Toy:
    begun = {name: weight.detach().clone() for name, weight in made.trained.weights.items()}
    return replace(made, trained=replace(made.trained, begun=begun))


ZEROS: dict[str, Callable[[Toy], Toy]] = {
    "supervised": sure, "squared_error": sure, "pairwise": sure, "listwise": as_listed,
    "distillation": taught_by_itself, "fgm": without_noise, "pgd": without_noise, "freelb": without_noise,
    "virtual_adversarial": without_noise, "smart": without_noise, "r_drop": lambda made: made,
    "l2_sp": at_the_start, "ewc": at_the_start, "hidden_states": followed,
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
@heads
@places
def test_it_is_zero_where_there_is_nothing_to_say(folder: Path, name: str, head: Head, place: str) -> None:
    """Labels met, teacher or other answer agreed with, no noise, nothing dropped, weights where they began."""
    nothing = ZEROS[name](toy(folder, head, place))
    nothing.logits = nothing.logits.detach().requires_grad_()
    for loss in SETTINGS[name]:
        found = value(loss, nothing)
        torch.testing.assert_close(found.detach(), torch.tensor(0.0), atol=1e-5, rtol=0)
        (gradient,) = torch.autograd.grad(found, nothing.logits, allow_unused=True)
        assert gradient is None or gradient.abs().max() < 1e-5
    assert (
        name in ("supervised", "squared_error", "pairwise") or value(LOSSES[name](), toy(folder, head, place, 0.2)) > 0
    )


@pytest.mark.parametrize("name", LOSSES)
@heads
def test_its_weight_is_for_the_sum_alone(folder: Path, name: str, head: Head) -> None:
    loss: Any = LOSSES[name]()
    once, twice = (value(replace(loss, weight=weight), toy(folder, head, "hidden")) for weight in (1.0, 2.0))
    assert torch.equal(once, twice)


@heads
def test_terms_without_passes_need_no_model(head: Head, folder: Path) -> None:
    made = toy(folder, head, "hidden")

    def never(*_: object) -> torch.Tensor:
        raise AssertionError("no pass was promised")

    nothing = Trained(never, never, {}, {})
    for name, passes in PASSES.items():
        if not passes:
            for loss in SETTINGS[name]:
                assert torch.isfinite(loss(made.batch, made.logits, nothing))
    assert Distillation()(made.batch, made.logits) > 0, "the teacher's term and the labels' stand alone"
    assert Supervised()(made.batch, made.logits) > 0
