"""The laws of every optimiser: torch's of the same name step for step, and a state that a checkpoint carries."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import Parameter

from freshtune.learn.descent import Descent
from freshtune.learn.fit import Fit, Step, fit
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.optimisers import OPTIMISERS, Optimiser
from freshtune.learn.optimisers.adafactor import Adafactor
from freshtune.learn.optimisers.adamw import AdamW
from freshtune.learn.optimisers.rates import DEFAULT_RATES
from freshtune.learn.optimisers.sgd import Sgd
from freshtune.learn.schedules import scheduled
from freshtune.learn.schedules.linear import Linear
from freshtune.learn.state import Run
from tests.learn.toys import open_toy, separable
from tests.model.tiny_models import saved

STEPS, DECAY = 20, 0.1
RATES = (3e-3, 1e-3, 1e-2, 3e-3)
DECAYS = (0.05,) * 4
SHAPES = ((7, 5), (5,), (3, 2, 4), (1,))
TORCHS: dict[str, list[tuple[Optimiser, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]]]] = {
    "adamw": [
        (AdamW(), torch.optim.AdamW),
        (AdamW(0.8, 0.95), lambda groups: torch.optim.AdamW(groups, betas=(0.8, 0.95))),
    ],
    "sgd": [
        (Sgd(), lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True)),
        (Sgd(0.5, nesterov=False), lambda groups: torch.optim.SGD(groups, momentum=0.5)),
        (Sgd(0.0), torch.optim.SGD),
    ],
    "adafactor": [
        (Adafactor(), torch.optim.Adafactor),
        (
            Adafactor(memory=0.5, smallest=1e-2, largest_update=2.0),
            lambda groups: torch.optim.Adafactor(groups, beta2_decay=-0.5, eps=(None, 1e-2), d=2.0),
        ),
    ],
}
PAIRS = [
    pytest.param(*pair, id=f"{name}-{number}") for name, pairs in TORCHS.items() for number, pair in enumerate(pairs)
]
members = pytest.mark.parametrize("rule", [member() for member in OPTIMISERS.values()], ids=list(OPTIMISERS))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("bert", tmp_path_factory.mktemp("model"))


def weights() -> list[Parameter]:
    torch.manual_seed(3)
    return [Parameter(torch.randn(shape)) for shape in SHAPES]


def given_gradients(weights: Sequence[Parameter], number: int) -> None:
    """Of very different sizes from step to step, and all far above AdamW's epsilon."""
    random = torch.Generator().manual_seed(number)
    for weight in weights:
        drawn = torch.randn(weight.shape, generator=random)
        weight.grad = (drawn + drawn.sign() / 10) * 10.0 ** (number % 4 - 1)


def test_every_member_has_its_twin_and_its_rates() -> None:
    assert set(TORCHS) == set(OPTIMISERS) == set(DEFAULT_RATES)
    assert sum(map(len, TORCHS.values())) == 7


@members
def test_its_name_is_its_key_and_its_fields_are_frozen(rule: Any) -> None:
    assert type(rule) is OPTIMISERS[rule.name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(rule, "name", "another")  # noqa: B010


@pytest.mark.parametrize(("rule", "twin"), PAIRS)
@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_it_is_torchs_step_for_step_with_the_same_schedule(
    rule: Optimiser, twin: Callable[[list[dict[str, Any]]], torch.optim.Optimizer], decay: float
) -> None:
    ours, theirs = weights(), weights()
    own = Descent(rule, ours, RATES, [decay if weight.dim() > 1 else 0.0 for weight in ours])
    torchs = twin(
        [
            {"params": [weight], "lr": rate, "weight_decay": decay if weight.dim() > 1 else 0.0}
            for weight, rate in zip(theirs, RATES, strict=True)
        ]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(torchs, lambda step: scheduled(Linear(), step, STEPS, 0.2))
    for number in range(1, STEPS + 1):
        given_gradients(ours, number)
        given_gradients(theirs, number)
        own.step(number, scheduled(Linear(), number - 1, STEPS, 0.2))
        torchs.step()
        schedule.step()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.detach(), other.detach(), rtol=1e-6, atol=1e-6)
    assert all(weight.grad is None for weight in ours)
    assert all((mine - start).abs().max() > 1e-5 for mine, start in zip(ours, weights(), strict=True))


@members
def test_a_weight_without_a_gradient_stays(rule: Optimiser) -> None:
    ours = weights()
    own = Descent(rule, ours, RATES, DECAYS)
    ours[0].grad = torch.ones_like(ours[0])
    own.step(1, 1.0)
    assert not torch.equal(ours[0], weights()[0])
    assert all(torch.equal(mine, start) for mine, start in zip(ours[1:], weights()[1:], strict=True))


@members
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e18])
def test_a_gradient_of_any_size_leaves_finite_weights(rule: Optimiser, size: float) -> None:
    ours = weights()
    own = Descent(rule, ours, RATES, DECAYS)
    for number in range(1, 4):
        for weight in ours:
            weight.grad = torch.full_like(weight, size)
        own.step(number, 1.0)
    assert all(torch.isfinite(weight).all() for weight in ours)


@members
def test_it_goes_downhill(rule: Optimiser) -> None:
    (weight,) = [Parameter(torch.full((4, 3), 2.0))]
    own = Descent(rule, [weight], [0.05], [0.0])
    losses = []
    for number in range(1, 61):
        loss = weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(float(loss.detach()))
        own.step(number, 1.0)
    assert losses[-1] < losses[0] / 4


@members
@pytest.mark.parametrize("shape", SHAPES)
def test_its_slots_are_finite_start_at_zero_and_are_its_own(rule: Optimiser, shape: tuple[int, ...]) -> None:
    weight = torch.ones(shape)
    slots = rule.slots(weight)
    assert all(not slot.any() and slot.dtype == torch.float32 for slot in slots.values())
    rule_numbers = sum(slot.numel() for slot in slots.values())
    assert rule_numbers <= 2 * weight.numel()
    if rule.name == "adafactor" and len(shape) == 2:
        assert rule_numbers == sum(shape), "factored"


@members
def test_its_state_comes_back_from_tensors_bit_for_bit(rule: Optimiser) -> None:
    names = [f"weight{place}" for place in range(len(SHAPES))]
    whole, first, second = weights(), weights(), weights()
    one, two = (Descent(rule, own, RATES, DECAYS) for own in (whole, first))
    for number in range(1, 7):
        for own, descent in ((whole, one), (first, two)):
            if number < 4 or own is whole:
                given_gradients(own, number)
                descent.step(number, 1.0)
    resumed = Descent(rule, second, RATES, DECAYS)
    with torch.no_grad():
        for to, source in zip(second, first, strict=True):
            to.copy_(source)
    resumed.resume(names, {name: tensor.clone() for name, tensor in two.tensors(names).items()})
    for number in range(4, 7):
        given_gradients(second, number)
        resumed.step(number, 1.0)
    assert all(torch.equal(mine, other) for mine, other in zip(second, whole, strict=True))


class Interrupted(Exception):  # noqa: N818
    """Raised by a test in the middle of a run."""


@members
def test_an_interrupted_run_ends_with_the_same_weights(rule: Optimiser, folder: Path, tmp_path: Path) -> None:
    settings = Fit(
        epochs=2, batch_tokens=160, dropout=0.1, evaluate_every=3, checkpoint_seconds=0.0, optimiser=rule, accumulate=2
    )

    def ran(run: Run | None, stop_at: int = 0) -> list[torch.Tensor]:
        def on_step(step: Step) -> None:
            if step.number == stop_at:
                raise Interrupted

        model = open_toy(folder)
        fit(model, 0, separable(60, 1), separable(20, 2), [Supervised()], settings, run, on_step)
        return [weight.detach().clone() for weight in model.parameters()]

    whole, run = ran(None), Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(run, stop_at=4)
    assert all(torch.equal(mine, other) for mine, other in zip(ran(run), whole, strict=True))
