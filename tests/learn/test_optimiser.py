"""Our AdamW is torch's, step for step."""

import pytest
import torch
from torch.nn import Parameter

from freshtune.learn.optimiser import AdamW, warmed_linear

STEPS = 50
RATES = (3e-3, 1e-3, 1e-2, 3e-3)
DECAY = 0.1


def weights() -> list[Parameter]:
    torch.manual_seed(3)
    return [Parameter(torch.randn(shape)) for shape in ((7, 5), (5,), (3, 2, 4), (1,))]


def test_it_equals_torch_with_the_same_schedule() -> None:
    ours, theirs = weights(), weights()
    own = AdamW(ours, RATES, DECAY)
    groups = [
        {"params": [weight], "lr": rate, "weight_decay": DECAY if weight.dim() > 1 else 0.0}
        for weight, rate in zip(theirs, RATES, strict=True)
    ]
    torchs = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(torchs, lambda step: warmed_linear(step, STEPS, 0.2))
    gradients = torch.Generator().manual_seed(9)
    for number in range(1, STEPS + 1):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=gradients) * 10.0 ** (number % 5 - 3)
            other.grad = mine.grad.clone()
        own.step(number, warmed_linear(number - 1, STEPS, 0.2))
        torchs.step()
        schedule.step()
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine.detach(), other.detach(), rtol=0, atol=1e-6)
    assert all(weight.grad is None for weight in ours)
    assert all((mine - start).abs().max() > 1e-3 for mine, start in zip(ours, weights(), strict=True))


def test_a_weight_without_a_gradient_stays() -> None:
    ours = weights()
    own = AdamW(ours, RATES, DECAY)
    ours[0].grad = torch.ones_like(ours[0])
    own.step(1, 1.0)
    assert not torch.equal(ours[0], weights()[0])
    assert all(torch.equal(mine, start) for mine, start in zip(ours[1:], weights()[1:], strict=True))


@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
def test_the_schedule_rises_then_falls_and_never_stands_at_zero(total: int, warmup: float) -> None:
    factors = [warmed_linear(step, total, warmup) for step in range(total)]
    assert all(0 < factor <= 1 for factor in factors)
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)
