"""From champion to challenger: the teacher is heard, weights are averaged, and nothing below the cut can learn."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from freshtune.errors import ConfigurationError
from freshtune.learn.challenger import Challenger, Learn, begin, tune
from freshtune.learn.fit import Fit, predict
from freshtune.learn.lesson import Lesson
from freshtune.learn.losses.distillation import Distillation
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.memory.balanced import Balanced
from freshtune.model.adapters.full import Full
from freshtune.model.adapters.head_only import HeadOnly
from freshtune.model.adapters.top_layers import TopLayers
from freshtune.model.backbone import TextModel
from freshtune.records import Example
from tests.learn.toys import SIDES, open_toy, separable
from tests.model.tiny_models import LAYERS, saved

CUT = LAYERS - 1
FIT = Fit(
    epochs=12, batch_tokens=160, learning_rate=3e-3, head_rate_ratio=1.0, dropout=0.0, evaluate_every=5, patience=9,
    checkpoint_seconds=1e9,
)  # fmt: skip
LEARN = Learn(
    first=FIT, fit=FIT, adapter=TopLayers(k=1), losses=(Supervised(), Distillation()), memory=Balanced(),
    average=(1.0,), development=0.1,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("bert", tmp_path_factory.mktemp("model"))


def lesson(model: TextModel, rows: int = 48, remembered: int = 0, developed: int = 8) -> Lesson:
    """A separable lesson on the trunk's outputs; the last ``remembered`` rows are out of memory."""
    toy = separable(rows, 6)
    with torch.inference_mode():
        hidden: list[NDArray[np.generic]] = [
            model.lower(torch.from_numpy(ids.astype(np.int64))[None], None, CUT)[0].numpy() for ids in toy.inputs
        ]
    examples = [
        Example(f"e{row}", "sentiment", "text", label=SIDES.labels[int(target.argmax())])
        for row, target in enumerate(toy.targets)
    ]
    return Lesson(examples, hidden, np.arange(rows) >= rows - remembered, np.arange(rows) < developed)


def tuned(folder: Path, settings: Learn, teacher: NDArray[np.float32] | None = None) -> tuple[Challenger, TextModel]:
    model = open_toy(folder)
    material = lesson(model, remembered=24)
    known = predict(model, CUT, material.inputs) if teacher is None else teacher
    return tune(model, CUT, SIDES, material, known, settings), model


def distance(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    squares = [float((weight - theirs[name]).square().sum()) for name, weight in ours.items()]
    return math.sqrt(sum(squares))


def test_the_model_ends_with_the_challengers_weights_and_its_trunk_as_it_was(folder: Path) -> None:
    challenger, model = tuned(folder, LEARN)
    start = open_toy(folder)
    assert set(challenger.weights) == set(start.top_state(CUT))
    assert all(torch.equal(weight, model.top_state(CUT)[name]) for name, weight in challenger.weights.items())
    assert distance(dict(challenger.weights), start.top_state(CUT)) > 0.1
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(model.trunk_parameters(CUT), start.trunk_parameters(CUT), strict=True)
    )


def test_an_average_is_taken_with_the_champion(folder: Path) -> None:
    start = open_toy(folder).top_state(CUT)
    whole, half = (tuned(folder, replace(LEARN, average=(share,)))[0] for share in (1.0, 0.5))
    assert (whole.share, half.share) == (1.0, 0.5)
    for name, weight in half.weights.items():
        torch.testing.assert_close(weight, start[name].lerp(whole.weights[name], 0.5))


def test_of_several_shares_the_one_with_the_lowest_development_loss_stays(folder: Path) -> None:
    """More of what was learned is better here, so the largest share wins wherever it stands."""
    assert tuned(folder, replace(LEARN, average=(0.05, 1.0, 0.1)))[0].share == 1.0


@pytest.mark.parametrize("adapter", [Full(), TopLayers(k=2)])
def test_an_adapter_below_the_cut_is_refused_before_anything_is_changed(folder: Path, adapter: Full) -> None:
    model = open_toy(folder)
    material = lesson(model)
    with pytest.raises(ConfigurationError, match="cached trunk") as refused:
        tune(model, CUT, SIDES, material, predict(model, CUT, material.inputs), replace(LEARN, adapter=adapter))
    assert "freshtune train" in refused.value.mend
    start = open_toy(folder).state_dict()
    assert all(torch.equal(weight, start[name]) for name, weight in model.state_dict().items())


def test_head_only_learns_only_the_head(folder: Path) -> None:
    challenger, _ = tuned(folder, replace(LEARN, adapter=HeadOnly()))
    start = open_toy(folder).top_state(CUT)
    changed = {name for name, weight in challenger.weights.items() if not torch.equal(weight, start[name])}
    assert changed == {"head.weight", "head.bias"}


def test_the_teacher_is_heard_on_what_is_remembered(folder: Path) -> None:
    """A teacher that says the opposite of the labels pulls the remembered rows to its side, and those alone."""
    model = open_toy(folder)
    material = lesson(model, remembered=24)
    sides = np.asarray([SIDES.number(example.label or "") for example in material.examples])
    contrary = np.stack([sides, 1 - sides], axis=1).astype(np.float32) * 8
    only_teacher = replace(LEARN, losses=(Distillation(remembered=1.0, new=0.0),), fit=replace(FIT, epochs=24))
    _, taught = tuned(folder, only_teacher, contrary)
    rows = [row for row in range(len(sides)) if material.remembered[row]]
    said = predict(taught, CUT, [material.inputs[row] for row in rows]).argmax(axis=1)
    assert (said == 1 - sides[rows]).mean() >= 0.9
    _, untaught = tuned(folder, replace(only_teacher, losses=(Distillation(remembered=0.0, new=0.0),)), contrary)
    start = open_toy(folder).top_state(CUT)
    assert all(torch.equal(weight, start[name]) for name, weight in untaught.top_state(CUT).items() if "norm" in name)


def test_a_first_model_has_no_teacher_and_no_average(folder: Path) -> None:
    model = open_toy(folder)
    material = lesson(model)
    challenger = begin(model, CUT, SIDES, material, replace(LEARN, losses=(Distillation(),), average=(0.1,)))
    assert challenger.share == 1.0
    assert challenger.report.steps > 0
    sides = np.asarray([SIDES.number(example.label or "") for example in material.examples])
    assert (predict(model, CUT, material.inputs).argmax(axis=1) == sides).mean() > 0.9, "labels are learned"


def test_a_delta_of_one_example_gives_a_challenger(folder: Path) -> None:
    for developed in (0, 1):
        model = open_toy(folder)
        material = lesson(model, rows=1, developed=developed)
        challenger = tune(model, CUT, SIDES, material, predict(model, CUT, material.inputs), LEARN)
        assert all(torch.isfinite(weight).all() for weight in challenger.weights.values())
