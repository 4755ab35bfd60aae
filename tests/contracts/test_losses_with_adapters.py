"""Every loss with every adapter that learns above a cut, and below it, in the loop: each pair quickly, with each head
in ``make test-real``, the families in turn. All adapters, heads and families meet in ``test_adapters``."""

from itertools import product

import numpy as np
import pytest
import torch

from freshtune.learn.batches import TrainingSet
from freshtune.learn.fit import Fit, Step, fit, predict, vectors
from freshtune.learn.losses import LOSSES, Loss
from freshtune.learn.losses.supervised import Supervised
from freshtune.model.adapters import ADAPTERS
from freshtune.model.adapters.settling import learned, settled
from tests.model.adapters.toys import BELOW_THE_CUT, CUT, EVERY_HEAD, SETTINGS, examples_of, open_model
from tests.model.tiny_models import FAMILIES

FIT = Fit(epochs=2, batch_tokens=30, learning_rate=1e-3, dropout=0.1, evaluate_every=100)


def cases() -> list[object]:
    """Loss × adapter × head, each with one of the families: each pair of loss and adapter once, the rest ``real``."""
    found: list[object] = []
    for (one, loss), (two, adapter), (four, kind) in product(*map(enumerate, (LOSSES, ADAPTERS, EVERY_HEAD))):
        family = list(FAMILIES)[(one + two + four) % len(FAMILIES)]
        marks = () if four == (one + two) % len(EVERY_HEAD) else (pytest.mark.real,)
        found.append(pytest.param(loss, adapter, family, kind, marks=marks, id=f"{loss}-{adapter}-{family}-{kind}"))
    return found


def test_every_pair_is_played() -> None:
    quick = [case for case in cases() if not case.marks]  # type: ignore[attr-defined]
    assert len(quick) == len(LOSSES) * len(ADAPTERS)
    for one, other in ((0, 2), (0, 3), (1, 2), (1, 3), (2, 3)):
        pairs = {(case.values[one], case.values[other]) for case in quick}  # type: ignore[attr-defined]
        assert len(pairs) == len({pair[0] for pair in pairs}) * len({pair[1] for pair in pairs})


@pytest.mark.parametrize(("loss", "adapter", "family", "kind"), cases())
def test_it_is_learned_by_all_that_is_trained_and_stays_finite(loss: str, adapter: str, family: str, kind: str) -> None:
    head, _ = EVERY_HEAD[kind]
    model, member = open_model(family, head.outputs), SETTINGS[adapter]()
    toy, cut = examples_of(kind), 0 if adapter in BELOW_THE_CUT else CUT
    inputs = toy.inputs
    if cut:
        with torch.inference_mode():
            inputs = [model.lower(torch.from_numpy(ids.astype(np.int64))[None], None, cut)[0].numpy() for ids in inputs]
    rows = np.arange(len(inputs))
    examples = TrainingSet(
        head, inputs, toy.targets, toy.weights, rows % 2 == 0, predict(model, cut, inputs) + 1, rows // 3,
        vectors(model, cut, inputs)[:, ::-1].copy(),
    )  # fmt: skip
    member.attach(model)
    before = learned(model)
    terms: list[Loss] = [Supervised(), LOSSES[loss]()]
    steps: list[Step] = []
    nothing = TrainingSet(head, [], toy.targets[:0], toy.weights[:0], rows[:0] > 0)
    fit(model, cut, examples, nothing, terms, FIT, None, steps.append)
    assert np.isfinite([step.loss for step in steps]).all()
    after = learned(model)
    assert all(torch.isfinite(weight).all() for weight in after.values())
    assert {name for name, weight in after.items() if not torch.equal(weight, before[name])} == set(before)
    settled(member, model)
    assert np.isfinite(predict(model, cut, inputs)).all()
