"""The optimiser's side of the loop: rates of parts and layers, accumulation, schedules that look, the range test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from freshtune.learn.batches import TrainingSet, length_batches
from freshtune.learn.fit import Fit, Step, fit
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.optimisers import OPTIMISERS
from freshtune.learn.optimisers.rates import DEFAULT_RATES, decay, default_rate, trained_part
from freshtune.learn.optimisers.sgd import Sgd
from freshtune.learn.range_test import range_test
from freshtune.learn.schedules.constant import Constant
from freshtune.learn.schedules.plateau import Plateau
from freshtune.learn.state import Diverged, Run, State
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.backbone import TextModel
from tests.learn.toys import only, open_toy, separable
from tests.model.tiny_models import LAYERS, saved

QUICK = Fit(
    epochs=2, batch_tokens=120, learning_rate=3e-3, head_rate_ratio=2.0, dropout=0.0, evaluate_every=4, patience=99
)
LEARNED, LOOKED_AT = separable(80, 1), separable(24, 2)
NOTHING = only(LOOKED_AT, 0)


@pytest.fixture(scope="module", params=["bert", "gpt2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(request.param, tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def steps_of(model: TextModel, settings: Fit, examples: TrainingSet = LEARNED) -> list[Step]:
    steps: list[Step] = []
    fit(model, 0, examples, LOOKED_AT, [Supervised()], settings, None, steps.append)
    return steps


def test_the_part_that_learns_is_told_from_the_weights(folder: Path) -> None:
    model = open_toy(folder)
    for adapter, part in ((Full(), "all"), (TopLayers(k=1), "layers"), (HeadOnly(), "head")):
        adapter.attach(model)
        assert trained_part(model) == part
    model.requires_grad_(False)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith("head.") or (name.startswith("blocks.") and name.endswith(".bias")))
    assert trained_part(model) == "added", "biases are few of their layers' numbers"


def test_the_table_knows_every_optimiser_and_falls_with_what_is_at_stake(folder: Path) -> None:
    for rates in DEFAULT_RATES.values():
        assert rates["head"] >= rates["added"] >= rates["layers"] >= rates["all"] > 0
    model = open_toy(folder)
    assert {default_rate(name, model) for name in OPTIMISERS} == {rates["all"] for rates in DEFAULT_RATES.values()}


def test_a_rate_that_is_left_out_is_the_tables(folder: Path) -> None:
    left_out = replace(QUICK, learning_rate=None, warmup_ratio=0.0, epochs=1)
    for name, member in OPTIMISERS.items():
        model = open_toy(folder)
        TopLayers(k=1).attach(model)
        steps = steps_of(model, replace(left_out, optimiser=member()))
        assert steps[0].learning_rate == DEFAULT_RATES[name]["layers"]
    assert DEFAULT_RATES["adamw"]["layers"] == 2e-4


def test_a_layer_learns_at_a_share_of_the_one_above_it(folder: Path) -> None:
    model = open_toy(folder)
    state = State.fresh(model, replace(QUICK, layer_decay=0.5), None, 0)
    rates = dict(zip(state.names, state.descent.rates, strict=True))
    assert rates["head.weight"] == 6e-3
    for name, rate in rates.items():
        if name.startswith("blocks."):
            assert rate == 3e-3 * 0.5 ** (LAYERS - 1 - int(name.split(".")[1]))
    assert rates["tokens.weight"] == 3e-3 * 0.5**LAYERS
    flat = State.fresh(model, QUICK, None, 0)
    assert {rate for name, rate in zip(flat.names, flat.descent.rates, strict=True) if "head" not in name} == {3e-3}


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [("head.words.weight", (9, 2), 2.0), ("head.weight", (2, 4), 10.0), ("blocks.0.qkv.bias", (12,), 0.0)],
)
def test_words_decay_less_than_other_matrices_and_biases_not_at_all(
    name: str, shape: tuple[int, ...], wanted: float
) -> None:
    assert decay(name, torch.zeros(shape), 10.0) == wanted


@pytest.mark.parametrize("optimiser", [Sgd(), OPTIMISERS["adamw"](), OPTIMISERS["adafactor"]()], ids=lambda o: o.name)
def test_small_batches_accumulated_are_one_large_batch(folder: Path, optimiser: Sgd) -> None:
    """An epoch in one step, in float64: the gradient is that of the mean over all examples."""
    lengths = [len(row) for row in LEARNED.inputs]
    assert len(length_batches(lengths, QUICK.batch_tokens)) > 3
    ends = []
    for settings in (replace(QUICK, accumulate=1_000), replace(QUICK, batch_tokens=1_000_000)):
        model = open_toy(folder)
        one = replace(settings, optimiser=optimiser, schedule=Constant(), epochs=3)
        steps = steps_of(model, one)
        assert [step.number for step in steps] == [1, 2, 3]
        ends.append((model, [step.loss for step in steps]))
    (ours, our_losses), (theirs, their_losses) = ends
    assert our_losses == pytest.approx(their_losses, rel=2e-2)
    for mine, other, start in zip(ours.parameters(), theirs.parameters(), open_toy(folder).parameters(), strict=True):
        moved = (other - start).norm()
        assert (mine - other).norm() <= 0.15 * moved + 1e-6


def test_accumulated_gradients_equal_the_large_batchs_up_to_float_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact where no bf16 rounds it: plain float32, one step of plain descent, whose move is the gradient."""
    import contextlib

    from freshtune.learn import fit as loop

    monkeypatch.setattr(loop, "precision", contextlib.nullcontext)
    plain = replace(QUICK, optimiser=Sgd(momentum=0.0), clip=1e9, weight_decay=0.0, epochs=1, learning_rate=0.1)
    ends = []
    for settings in (replace(plain, accumulate=1_000), replace(plain, batch_tokens=1_000_000)):
        model = open_toy(folder)
        (step,) = steps_of(model, settings)
        ends.append((dict(model.named_parameters()), step.loss))
    assert ends[0][1] == pytest.approx(ends[1][1], rel=1e-6)
    for name, weight in ends[0][0].items():
        torch.testing.assert_close(weight, ends[1][0][name], rtol=1e-5, atol=1e-6)


def test_an_epochs_last_step_takes_what_is_left(folder: Path) -> None:
    settings = replace(QUICK, accumulate=3, epochs=2)
    batches = [
        len(length_batches([len(row) for row in LEARNED.inputs], 120, np.random.default_rng([0, e]))) for e in (0, 1)
    ]
    steps = steps_of(open_toy(folder), settings)
    assert len(steps) == sum(-(-count // 3) for count in batches)


def test_a_plateau_slows_a_run_down_and_an_interrupted_one_too(folder: Path, tmp_path: Path) -> None:
    class Interrupted(Exception):  # noqa: N818
        pass

    settings = replace(
        QUICK,
        epochs=6,
        evaluate_every=2,
        schedule=Plateau(patience=1, cut=0.5),
        warmup_ratio=0.0,
        checkpoint_seconds=0.0,
    )
    poisoned = separable(80, 4, flipped=True)
    whole = steps_of(open_toy(folder), settings, poisoned)
    assert whole[0].learning_rate == 3e-3
    assert whole[-1].learning_rate < 3e-3 / 8
    run, seen = Run(tmp_path / "checkpoint", "a run"), []

    def on_step(step: Step) -> None:
        seen.append(step)
        if len(seen) == 9:
            raise Interrupted

    for _ in range(2):
        try:
            fit(open_toy(folder), 0, poisoned, LOOKED_AT, [Supervised()], settings, run, on_step)
        except Interrupted:
            continue
    assert seen[9:] == whole[8:], "one step is done again, at the same rate"


def test_gradients_are_cut_to_the_norm(folder: Path) -> None:
    model, start = open_toy(folder), dict(open_toy(folder).named_parameters())
    settings = replace(QUICK, optimiser=Sgd(momentum=0.0), clip=1e-3, head_rate_ratio=1.0, weight_decay=0.0, epochs=1)
    steps = steps_of(model, replace(settings, schedule=Constant(), warmup_ratio=0.0))
    squares = sum(float((weight - start[name]).detach().square().sum()) for name, weight in model.named_parameters())
    assert 0 < squares**0.5 <= len(steps) * 3e-3 * 1e-3 * 1.01


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_range_test_finds_a_rate_that_learns_and_leaves_the_model_alone(folder: Path, name: str) -> None:
    settings = replace(QUICK, optimiser=OPTIMISERS[name](), head_rate_ratio=1.0)
    model = open_toy(folder)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = range_test(model, 0, LEARNED, [Supervised()], settings)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert list(found.rates) == sorted(found.rates)
    assert found.rates[0] == pytest.approx(1e-6)
    assert 1e-5 < found.rate < 1
    assert found == range_test(model, 0, LEARNED, [Supervised()], settings), "it says the same again"
    steps = steps_of(model, replace(settings, learning_rate=found.rate, epochs=6))
    assert steps[-1].development_loss is not None
    assert steps[-1].development_loss < 0.5 * (steps[0].loss)


def test_the_range_test_takes_hostile_lessons(folder: Path) -> None:
    model = open_toy(folder)
    with pytest.raises(ValueError, match="example"):
        range_test(model, 0, NOTHING, [Supervised()], QUICK)
    found = range_test(model, 0, only(LEARNED, 1), [Supervised()], replace(QUICK, accumulate=7))
    assert 1e-6 <= found.rate <= 1
    model.head.weight.data.fill_(float("nan"))
    assert range_test(model, 0, LEARNED, [Supervised()], QUICK).rate == 1e-6, "a loss that is none finds the least"
    with pytest.raises(Diverged):
        fit(model, 0, LEARNED, NOTHING, [Supervised()], QUICK)
