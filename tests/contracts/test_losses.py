"""The laws of every loss, on every kind of head."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from freshtune.learn.batches import Batch
from freshtune.learn.losses import LOSSES, Loss
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.trained import Trained
from freshtune.model.adapters import ADAPTERS
from freshtune.model.backbone import open_backbone
from freshtune.model.heads import HEADS, Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.records import Label
from tests.model.tiny_models import saved

EVERY_HEAD: tuple[Head, ...] = (Classes(("差", "good", "手机")), Ordinal(1, 5), Score(0, 2))
LABELS: dict[str, tuple[Label, ...]] = {
    "classes": ("差", "手机", (0.2, 0.3, 0.5), (1.0, 0.0, 0.0)),
    "ordinal": (1, 5, 3, (0.1, 0.2, 0.3, 0.2, 0.2)),
    "score": (0.0, 2.0, 1.25, (0.4,)),
}
NOTHING_ELSE = Trained(lambda: torch.zeros(4, 3, 8), lambda hidden: hidden[:, 0, :0], {}, {})
members = pytest.mark.parametrize("loss", [member() for member in LOSSES.values()], ids=list(LOSSES))
heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)


def batch_of(head: Head, teacher: torch.Tensor | None, weights: tuple[float, ...] = (1, 1, 1, 1)) -> Batch:
    targets = np.stack([head.target(label) for label in LABELS[head.kind]])
    return Batch(
        head=head,
        inputs=torch.tensor([[5, 6, 7], [8, 9, 10], [11, 12, 13], [14, 15, 16]]),
        attention_mask=torch.ones(4, 3, dtype=torch.int64),
        targets=torch.from_numpy(targets),
        weights=torch.tensor(weights, dtype=torch.float32),
        remembered=torch.tensor([True, False, True, True]),
        teacher=teacher,
    )


def logits_of(head: Head, size: float, seed: int) -> torch.Tensor:
    return torch.randn(4, head.outputs, generator=torch.Generator().manual_seed(seed)) * size


def plain(number: float) -> torch.Tensor:
    return torch.tensor(number)


def test_every_member_and_every_head_is_under_test() -> None:
    assert {head.kind for head in EVERY_HEAD} == set(HEADS) == set(LABELS)
    assert set(LOSSES) == {"supervised", "distillation"}, "a new member needs its zero in this file"


@members
def test_its_name_is_its_key_and_its_fields_are_frozen(loss: Any) -> None:
    assert type(loss).__name__ == LOSSES[loss.name].__name__
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.weight = 2.0


@members
@heads
@pytest.mark.parametrize("size", [0.0, 1.0, 100.0, 1e4])
def test_it_is_one_finite_number_that_is_not_negative(loss: Loss, head: Head, size: float) -> None:
    logits = logits_of(head, size, 1).requires_grad_()
    value = loss(batch_of(head, logits_of(head, size, 2)), logits, NOTHING_ELSE)
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert value >= -1e-6
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@members
@heads
def test_without_a_teacher_it_can_still_be_summed(loss: Loss, head: Head) -> None:
    logits = logits_of(head, 1.0, 1).requires_grad_()
    value = loss(batch_of(head, None), logits, NOTHING_ELSE)
    value.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(value)


@members
@heads
def test_it_falls_along_its_gradient(loss: Loss, head: Head) -> None:
    logits = logits_of(head, 1.0, 1).requires_grad_()
    batch = batch_of(head, logits_of(head, 1.0, 2))
    value = loss(batch, logits, NOTHING_ELSE)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert loss(batch, (logits - 0.1 * logits.grad).detach(), NOTHING_ELSE) < value


@members
@pytest.mark.parametrize("adapter", ADAPTERS)
@heads
def test_gradient_reaches_trainable_weights_alone(
    loss: Loss, adapter: str, head: Head, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = open_backbone(str(_folder(tmp_path_factory)), None, head.outputs, 16)[0]
    ADAPTERS[adapter]().attach(model)
    batch = batch_of(head, logits_of(head, 1.0, 2))
    model.train()
    loss(batch, model(batch.inputs, batch.attention_mask), NOTHING_ELSE).backward()  # type: ignore[no-untyped-call]
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert reached <= {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {"head.weight", "head.bias"} <= reached


@heads
def test_distillation_is_zero_where_the_teacher_agrees_and_nowhere_else(head: Head) -> None:
    logits = logits_of(head, 2.0, 1)
    for temperature in (1.0, 4.0):
        loss = Distillation(temperature=temperature, remembered=1.0, new=1.0)
        same = logits.clone().requires_grad_()
        value = loss(batch_of(head, logits), same)
        value.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(value.detach(), plain(0.0), atol=1e-5, rtol=0)
        assert same.grad is not None
        assert same.grad.abs().max() < 1e-5
        assert loss(batch_of(head, logits + logits_of(head, 1.0, 3)), logits) > 1e-4


@heads
def test_distillation_weighs_what_is_remembered_and_what_is_new_apart(head: Head) -> None:
    batch, logits = batch_of(head, logits_of(head, 2.0, 2)), logits_of(head, 2.0, 1)
    both, old, new = (
        Distillation(remembered=remembered, new=new)(batch, logits)
        for remembered, new in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    )
    torch.testing.assert_close(old + new, both)
    assert old > 0 < new


@heads
def test_supervised_is_lowest_where_the_answer_is_the_label(head: Head) -> None:
    """For a soft label too: no other logits have a lower loss than those that say just that."""
    batch = batch_of(head, None)
    target = batch.targets.clamp(1e-6, 1 - 1e-6)
    right = target.log() if head.kind == "classes" else (target / (1 - target)).log()
    lowest = Supervised()(batch, right)
    for seed in range(20):
        assert Supervised()(batch, right + logits_of(head, 0.5, seed)) > lowest
    hard = [row for row, label in enumerate(LABELS[head.kind]) if not isinstance(label, tuple) and label != 1.25]
    rows = torch.tensor(hard)
    sure = dataclasses.replace(
        batch, targets=batch.targets[rows], weights=batch.weights[rows], remembered=batch.remembered[rows]
    )
    assert Supervised()(sure, right[rows]) < 1e-4, "0 where every hard label is met"


@heads
def test_supervised_takes_each_example_with_its_weight(head: Head) -> None:
    logits = logits_of(head, 1.0, 1)
    alone = [Supervised()(batch_of(head, None, tuple(float(i == row) for i in range(4))), logits) for row in range(4)]
    torch.testing.assert_close(Supervised()(batch_of(head, None), logits), sum(alone, plain(0.0)))
    torch.testing.assert_close(Supervised()(batch_of(head, None, (2, 0, 0, 3)), logits), 2 * alone[0] + 3 * alone[3])
    assert Supervised()(batch_of(head, None, (0, 0, 0, 0)), logits) == 0


@heads
def test_label_smoothing_keeps_an_answer_from_being_too_sure(head: Head) -> None:
    batch, smooth = batch_of(head, None), Supervised(label_smoothing=0.2)
    target = batch.targets.clamp(1e-6, 1 - 1e-6)
    right = target.log() if head.kind == "classes" else (target / (1 - target)).log()
    assert smooth(batch, right) > smooth(batch, right * 0.2)


def _folder(tmp_path_factory: pytest.TempPathFactory, kept: list[Path] = []) -> Path:  # noqa: B006 (one for all)
    if not kept:
        kept.append(saved("bert", tmp_path_factory.mktemp("model")))
    return kept[0]
