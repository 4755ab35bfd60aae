"""What learns labels and order: cross-entropy with its weights, the expected value, pairs and lists."""

import dataclasses

import numpy as np
import pytest
import torch

from freshtune.learn.batches import Batch, TrainingSet, assemble
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.listwise import Listwise
from freshtune.learn.losses.pairwise import Pairwise
from freshtune.learn.losses.place import levels, meant, said
from freshtune.learn.losses.squared_error import SquaredError
from freshtune.learn.losses.supervised import Supervised
from freshtune.model.heads import Head
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.records import Label
from tests.learn.losses.toys import EVERY_HEAD, LABELS, batch_of, rows_of

heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)


def plain_batch(head: Head, teacher: torch.Tensor | None = None, weights: tuple[float, ...] = ()) -> Batch:
    return batch_of(head, torch.full((4, 3), 5), torch.ones(4, 3, dtype=torch.int64), teacher, weights)


def logits_of(head: Head, size: float, seed: int) -> torch.Tensor:
    return torch.randn(4, head.outputs, generator=torch.Generator().manual_seed(seed)) * size


def right_for(batch: Batch) -> torch.Tensor:
    """Logits that say the labels."""
    target = batch.targets.clamp(1e-6, 1 - 1e-6)
    return target.log() if batch.head.kind == "classes" else (target / (1 - target)).log()


@heads
def test_distillation_is_zero_where_the_teacher_agrees_and_nowhere_else(head: Head) -> None:
    logits = logits_of(head, 2.0, 1)
    for temperature in (1.0, 4.0):
        loss = Distillation(temperature=temperature, remembered=1.0, new=1.0)
        same = logits.clone().requires_grad_()
        value = loss(plain_batch(head, logits), same)
        value.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(value.detach(), torch.tensor(0.0), atol=1e-5, rtol=0)
        assert same.grad is not None
        assert same.grad.abs().max() < 1e-5
        assert loss(plain_batch(head, logits + logits_of(head, 1.0, 3)), logits) > 1e-4


@heads
def test_distillation_weighs_what_is_remembered_and_what_is_new_apart(head: Head) -> None:
    batch, logits = plain_batch(head, logits_of(head, 2.0, 2)), logits_of(head, 2.0, 1)
    both, old, new = (
        Distillation(remembered=remembered, new=new)(batch, logits)
        for remembered, new in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    )
    torch.testing.assert_close(old + new, both)
    assert old > 0 < new


@heads
@pytest.mark.parametrize("loss", [Supervised(), SquaredError()], ids=lambda loss: loss.name)
def test_it_is_lowest_where_the_answer_is_the_label(loss: Supervised | SquaredError, head: Head) -> None:
    """For a soft label too: no other logits have a lower loss than those that say just that."""
    batch = plain_batch(head)
    lowest = loss(batch, right_for(batch))
    for seed in range(20):
        assert loss(batch, right_for(batch) + logits_of(head, 0.5, seed)) > lowest


@heads
@pytest.mark.parametrize(
    "loss", [Supervised(), Supervised(focal_gamma=2.0), Supervised(class_balance=0.99), SquaredError()]
)
def test_each_example_counts_with_its_weight(loss: Supervised | SquaredError, head: Head) -> None:
    logits = logits_of(head, 1.0, 1)
    alone = [loss(plain_batch(head, None, tuple(float(i == row) for i in range(4))), logits) for row in range(4)]
    torch.testing.assert_close(loss(plain_batch(head), logits), sum(alone, torch.tensor(0.0)))
    torch.testing.assert_close(loss(plain_batch(head, None, (2, 0, 0, 3)), logits), 2 * alone[0] + 3 * alone[3])
    assert loss(plain_batch(head, None, (0, 0, 0, 0)), logits) == 0


@heads
def test_label_smoothing_keeps_an_answer_from_being_too_sure(head: Head) -> None:
    batch, smooth = plain_batch(head), Supervised(label_smoothing=0.2)
    assert smooth(batch, right_for(batch)) > smooth(batch, right_for(batch) * 0.2)


@heads
def test_focal_gamma_is_a_factor_on_what_is_not_known_yet(head: Head) -> None:
    rows = [0, 1]  # hard labels
    batch, logits = rows_of(plain_batch(head), rows), logits_of(head, 2.0, 1)[rows]
    if head.kind == "classes":
        likely = logits.softmax(dim=1)[batch.targets.bool()][:, None]
    else:
        likely = torch.where(batch.targets.bool(), logits.sigmoid(), 1 - logits.sigmoid())
    each = -((1 - likely) ** 2 * likely.log())
    expected = each.sum(dim=1).mean() if head.kind == "several" else each.mean()
    torch.testing.assert_close(Supervised(focal_gamma=2.0)(batch, logits), expected)
    tiny = Supervised(focal_gamma=1e-9)
    torch.testing.assert_close(tiny(batch, logits), Supervised()(batch, logits))


@heads
@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
def test_focal_loss_has_a_finite_gradient_where_all_is_known(head: Head, gamma: float) -> None:
    batch = rows_of(plain_batch(head), [0, 1])
    for size in (10.0, 1e5):
        logits = (batch.targets * 2 - 1).mul(size).requires_grad_()
        Supervised(focal_gamma=gamma)(batch, logits).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


RARE: dict[str, tuple[Label, ...]] = {
    "classes": ("差",) * 9 + ("手机",),
    "ordinal": (1,) * 9 + (4,),
    "score": (0.0,) * 9 + (1.0,),
    "several": (("差",),) * 9 + (("手机",),),
}


def training_set(head: Head, labels: tuple[Label, ...]) -> TrainingSet:
    rows = len(labels)
    inputs = [np.asarray([5], np.int32)] * rows
    targets = np.stack([head.target(label) for label in labels])
    return TrainingSet(head, inputs, targets, np.ones(rows, np.float32), np.zeros(rows, np.bool_))


@heads
def test_a_rare_class_counts_by_the_effective_number_of_all_rows_in_whatever_batch(head: Head) -> None:
    beta, examples = 0.9, training_set(head, RARE[head.kind])
    assert sorted(examples.counts.tolist())[-2:] == [1.0, 9.0]
    common, rare = (1 - beta) / (1 - beta**9), 1.0
    mean = (9 * common + rare) / 10
    for rows in ([0, 9], [9], [0, 0, 0, 9, 1]):
        batch = assemble(examples, np.asarray(rows))
        factors = torch.tensor([(rare if row == 9 else common) / mean for row in rows])
        logits = torch.randn(len(rows), head.outputs, generator=torch.Generator().manual_seed(1))
        weighed = dataclasses.replace(batch, weights=batch.weights * factors)
        torch.testing.assert_close(Supervised(class_balance=beta)(batch, logits), Supervised()(weighed, logits))


@heads
def test_class_balance_changes_nothing_where_all_are_as_many_and_nearly_nothing_near_0(head: Head) -> None:
    logits = torch.randn(10, head.outputs, generator=torch.Generator().manual_seed(1))
    every = np.arange(10)
    alike = assemble(training_set(head, RARE[head.kind][:1] * 5 + RARE[head.kind][-1:] * 5), every)
    torch.testing.assert_close(Supervised(class_balance=0.999)(alike, logits), Supervised()(alike, logits))
    rare = assemble(training_set(head, RARE[head.kind]), every)
    torch.testing.assert_close(Supervised(class_balance=1e-9)(rare, logits), Supervised()(rare, logits))
    one = assemble(training_set(head, RARE[head.kind][:1] * 10), every)
    torch.testing.assert_close(Supervised(class_balance=0.999999)(one, logits), Supervised()(one, logits))


@heads
def test_levels_share_out_each_label_and_places_are_what_the_head_reads(head: Head) -> None:
    targets = torch.from_numpy(np.stack([head.target(label) for label in LABELS[head.kind]]))
    shares = levels(head, targets)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(4))
    assert (shares >= -1e-6).all()
    for seed in range(5):
        logits = logits_of(head, 3.0, seed)
        score = head.answers(logits.numpy()).score
        if isinstance(head, Ordinal | Score):
            score = (score - head.lowest) / (head.highest - head.lowest)
        torch.testing.assert_close(said(head, logits).sigmoid(), torch.from_numpy(score), atol=1e-5, rtol=0)
    if isinstance(head, Ordinal | Score):
        truth = [head.number(label) for label in LABELS[head.kind][:3]]
        torch.testing.assert_close(
            meant(head, targets[:3]) * (head.highest - head.lowest) + head.lowest, torch.tensor(truth)
        )


@pytest.mark.parametrize("score", [Score(0, 1), Score(0, 0.5), Score(-2, 2.5), Score(0, 1e9)])
def test_a_real_scale_of_any_length_has_few_levels(score: Score) -> None:
    targets = torch.linspace(0, 1, 7)[:, None]
    shares = levels(score, targets)
    assert 2 <= shares.shape[1] <= 101
    assert shares[0, 0] == shares[-1, -1] == 1


def test_a_head_of_one_class_has_no_order() -> None:
    assert said(Classes(("only",)), torch.tensor([[3.0], [1e5]])).tolist() == [0, 0]


def test_squared_error_is_the_distance_of_the_expected_value() -> None:
    head = Score(0, 2)
    batch = rows_of(plain_batch(head), [1])
    assert float(SquaredError()(batch, torch.zeros(1, 1))) == pytest.approx(0.25), "half of the scale away"
    classes = rows_of(plain_batch(EVERY_HEAD[0]), [0])
    assert float(SquaredError()(classes, torch.tensor([[-50.0, 50.0, -50.0]]))) == pytest.approx(2.0)


GRADED = Score(0, 2)


def ranked(grades: list[float], groups: list[int] | None, weights: list[float] | None = None) -> Batch:
    rows = len(grades)
    return Batch(
        head=GRADED,
        inputs=torch.full((rows, 1), 5),
        attention_mask=torch.ones(rows, 1, dtype=torch.int64),
        targets=torch.from_numpy(np.stack([GRADED.target(grade) for grade in grades])),
        weights=torch.tensor(weights or [1.0] * rows),
        remembered=torch.zeros(rows, dtype=torch.bool),
        teacher=None,
        groups=None if groups is None else torch.tensor(groups),
    )


def column(*logits: float) -> torch.Tensor:
    return torch.tensor(logits)[:, None]


def test_pairs_are_of_one_group_and_of_different_grades() -> None:
    batch = ranked([2, 0, 0, 1], [1, 1, 1, 2])
    logits = column(1.0, -1.0, 2.0, 50.0)
    logistic = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2
    assert float(Pairwise()(batch, logits)) == pytest.approx(logistic, rel=1e-5)
    assert float(Pairwise(form="hinge", margin=0.5)(batch, logits)) == pytest.approx((0 + 1.5) / 2)
    heavier = ranked([2, 0, 0, 1], [1, 1, 1, 2], [2.0, 0.0, 3.0, 1.0])
    assert float(Pairwise(form="hinge", margin=0.5)(heavier, logits)) == pytest.approx(6 * 1.5 / 2)


def test_a_list_is_compared_with_its_grades() -> None:
    batch = ranked([2, 0, 1, 1], [1, 1, 1, 2])
    logits = column(1.0, -1.0, 2.0, 50.0)
    wanted = torch.tensor([1.0, 0.0, 0.5]).div(0.5).softmax(dim=0)
    got = logits[:3, 0].log_softmax(dim=0)
    expected = (wanted * (wanted.log() - got)).sum()
    torch.testing.assert_close(Listwise(temperature=0.5)(batch, logits), expected, msg="a group of one has no order")
    exact = column(2.0, 0.0, 1.0, 9.0)
    assert float(Listwise(temperature=0.5)(batch, exact + 7)) == pytest.approx(0, abs=1e-6), "a shift is no matter"
    twice = ranked([2, 0, 1, 1], [1, 1, 1, 2], [2.0, 2.0, 2.0, 9.0])
    torch.testing.assert_close(Listwise(temperature=0.5)(twice, logits), 2 * expected)


@pytest.mark.parametrize("loss", [Pairwise(), Pairwise(form="hinge"), Listwise()])
def test_no_order_is_learned_without_groups_or_between_them(loss: Pairwise | Listwise) -> None:
    grades, logits = [2.0, 0.0, 1.0, 1.0], column(1.0, -1.0, 2.0, 5.0)
    assert loss(ranked(grades, None), logits) == 0
    assert loss(ranked(grades, [1, 2, 3, 4]), logits) == 0
    assert Pairwise()(ranked([1.0, 1.0], [1, 1]), logits[:2]) == 0, "equal grades"
    assert loss(ranked(grades, [1, 1, 2, 2]), logits) == loss(ranked(grades, [9, 9, -4, -4]), logits)


@pytest.mark.parametrize("loss", [Pairwise(), Pairwise(form="hinge"), Listwise()])
def test_descent_puts_a_group_in_order(loss: Pairwise | Listwise) -> None:
    batch = ranked([2, 0, 1, 0, 1, 2], [1, 1, 1, 2, 2, 2])
    logits = column(-1.0, 1.0, 0.0, 2.0, 0.0, -2.0).requires_grad_()
    for _ in range(300):
        (gradient,) = torch.autograd.grad(loss(batch, logits), logits)
        with torch.no_grad():
            logits -= 2 * gradient
    values = logits[:, 0].tolist()
    assert values[0] > values[2] > values[1]
    assert values[5] > values[4] > values[3]
