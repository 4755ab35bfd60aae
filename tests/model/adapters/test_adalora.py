"""AdaLoRA spends its rank where it matters."""

from dataclasses import replace

import pytest
import torch

from freshtune.model.adapters.adalora import AdaLora
from freshtune.model.adapters.settling import learned, settled
from freshtune.model.blocks import TextModel
from freshtune.model.families import Architecture

MAPS = 4
ADAPTER = AdaLora(rank=4, target_rank=2, k=1)


def tiny() -> TextModel:
    torch.manual_seed(1)
    shape = Architecture("bert", vocabulary=30, positions=8, layers=2, width=16, heads=2, inner=24, norm_epsilon=1e-5)
    return TextModel(shape, 3).eval()


def attached(spread: float = 1.0) -> TextModel:
    model = tiny()
    ADAPTER.attach(model)
    with torch.no_grad():
        for place, singular in enumerate(singulars(model)):
            singular.normal_().mul_(spread if place == 0 else 1.0)
    return model


def singulars(model: TextModel) -> list[torch.nn.Parameter]:
    return [weight for name, weight in model.named_parameters() if name.endswith(".singular")]


def left(model: TextModel) -> list[int]:
    return [int(singular.count_nonzero()) for singular in singulars(model)]


@pytest.mark.parametrize(("done", "kept"), [(0.1, 16), (0.2, 16), (0.35, 11), (0.5, 9), (0.7, 8), (1.0, 8)])
def test_the_rank_falls_over_a_run_to_what_it_is_to_be(done: float, kept: int) -> None:
    model = attached()
    ADAPTER.prune(model, done)
    assert sum(left(model)) == kept
    assert len(left(model)) == MAPS


def test_the_largest_stay_wherever_they_are() -> None:
    model = attached(spread=100.0)
    before = torch.cat([singular.detach().clone() for singular in singulars(model)])
    ADAPTER.prune(model, 1.0)
    after = torch.cat([singular.detach() for singular in singulars(model)])
    stays = after != 0
    assert torch.equal(after[stays], before[stays])
    assert before[stays].abs().min() >= before[~stays].abs().max()
    assert left(model)[0] == ADAPTER.rank, "a map whose changes are large keeps more than the others"


@pytest.mark.parametrize("orthogonality", [0.0, 0.1, 0.25])
def test_directions_that_are_alike_part_and_keep_their_lengths(orthogonality: float) -> None:
    model, adapter = attached(), replace(ADAPTER, orthogonality=orthogonality)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("adalora.left", "adalora.right")):
                weight.add_(2 * (weight[:, :1] if name.endswith("left") else weight[:1]))
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    for _ in range(60):
        adapter.prune(model, 0.1)
    for name, weight in model.named_parameters():
        if not name.endswith(("adalora.left", "adalora.right")):
            continue
        was, now = (each.T if name.endswith("left") else each for each in (before[name], weight.detach()))
        torch.testing.assert_close(now.norm(dim=1), was.norm(dim=1))
        if orthogonality:
            assert alike(was) > 0.5
            assert alike(now) < 0.02
        else:
            assert torch.equal(now, was)


def alike(rows: torch.Tensor) -> float:
    """The largest cosine of two directions."""
    unit = torch.nn.functional.normalize(rows, dim=1)
    return float((unit @ unit.T - torch.eye(len(unit))).abs().max())


def test_a_value_is_the_size_of_its_change() -> None:
    model, base = tiny(), tiny()
    adapter = replace(ADAPTER, rank=1, target_rank=1, alpha=3.0)
    adapter.attach(model)
    with torch.no_grad():
        for singular in singulars(model):
            singular.fill_(-0.5)
    adapter.settle(model)
    for name in ("qkv", "attention_out", "inner_in", "inner_out"):
        place = f"blocks.1.{name}.weight"
        change = model.get_parameter(place) - base.get_parameter(place)
        torch.testing.assert_close(change.norm(), torch.tensor(1.5), atol=1e-4, rtol=0)


def test_a_run_ends_within_its_rank() -> None:
    model, base = attached(), tiny()
    kept = learned(model)
    settled(ADAPTER, model)
    ranks = [
        int(torch.linalg.matrix_rank(model.get_parameter(place) - base.get_parameter(place), atol=1e-4))
        for place in (f"blocks.1.{name}.weight" for name in ("qkv", "attention_out", "inner_in", "inner_out"))
    ]
    assert sum(ranks) == MAPS * ADAPTER.target_rank
    assert any(kept[name].count_nonzero() > 0 for name in kept if name.endswith("singular"))
