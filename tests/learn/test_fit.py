"""The one loop: it learns, stops early with the best weights, refuses NaN, and goes on where it stood."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from freshtune.learn import checkpoint
from freshtune.learn import fit as loop
from freshtune.learn.batches import Batch, TrainingSet, assemble
from freshtune.learn.fit import Fit, FitReport, Step, averaged, fit, predict, supervised_loss
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.losses.trained import Trained
from freshtune.learn.state import Diverged, Run
from freshtune.model.adapters.head_only import HeadOnly
from tests.learn.toys import only, open_toy, separable
from tests.model.tiny_models import saved

QUICK = Fit(
    epochs=3, batch_tokens=120, learning_rate=3e-3, head_rate_ratio=1.0, dropout=0.1, evaluate_every=4, patience=99,
    checkpoint_seconds=0.0, seed=1,
)  # fmt: skip
LEARNED, LOOKED_AT, UNSEEN = separable(80, 1), separable(24, 2), separable(64, 3)


class Interrupted(Exception):  # noqa: N818
    """Raised by a test in the middle of a run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("bert", tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def ran(
    folder: Path, settings: Fit = QUICK, run: Run | None = None, stop_at: int = 0, examples: TrainingSet = LEARNED
) -> tuple[dict[str, Tensor], FitReport, list[Step]]:
    """Weights, report and steps of one run; interrupted after a step where one is given."""
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        if step.number == stop_at:
            raise Interrupted

    model = open_toy(folder)
    report = fit(model, 0, examples, LOOKED_AT, [Supervised()], settings, run, on_step)
    return {name: weight.clone() for name, weight in model.top_state(0).items()}, report, steps


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert [name for name, weight in ours.items() if not torch.equal(weight, theirs[name])] == []


def test_it_learns_a_separable_set_and_reports_each_step(folder: Path) -> None:
    model = open_toy(folder)
    before = supervised_loss(model, 0, LOOKED_AT)
    steps: list[Step] = []
    report = fit(model, 0, LEARNED, LOOKED_AT, [Supervised()], replace(QUICK, epochs=8), None, steps.append)
    right = predict(model, 0, UNSEEN.inputs).argmax(axis=1) == UNSEEN.targets.argmax(axis=1)
    assert right.mean() >= 0.95
    assert report.development_loss is not None
    assert report.development_loss < before / 4
    assert [step.number for step in steps] == list(range(1, report.steps + 1))
    assert {step.total for step in steps} == {report.steps}
    assert [step.number for step in steps if step.development_loss is not None] == [
        number for number in range(1, report.steps + 1) if number % 4 == 0 or number == report.steps
    ]
    assert max(step.learning_rate for step in steps) == QUICK.learning_rate
    assert not model.training


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Tensor]:
    """The weights of a run that nothing interrupted."""
    torch.set_num_threads(1)
    return ran(folder)[0]


def test_the_same_run_ends_the_same(folder: Path, whole: dict[str, Tensor]) -> None:
    assert_equal(ran(folder)[0], whole)


def test_early_stopping_restores_the_best_weights(folder: Path) -> None:
    """Flipped labels: the more it learns, the worse it is on true ones, so the first look stays the best."""
    settings = replace(QUICK, epochs=20, evaluate_every=2, patience=3)
    model = open_toy(folder)
    losses: list[float] = []

    def on_step(step: Step) -> None:
        if step.development_loss is not None:
            losses.append(step.development_loss)

    report = fit(model, 0, separable(80, 4, flipped=True), LOOKED_AT, [Supervised()], settings, None, on_step)
    assert report.development_loss == min(losses)
    assert report.best_step == 2 * (losses.index(min(losses)) + 1)
    assert len(losses) == losses.index(min(losses)) + 1 + settings.patience, "it stops after three looks without gain"
    assert supervised_loss(model, 0, LOOKED_AT) == pytest.approx(min(losses), rel=1e-6)


def test_without_development_rows_the_last_weights_stay(folder: Path) -> None:
    model = open_toy(folder)
    report = fit(model, 0, LEARNED, only(LOOKED_AT, 0), [Supervised()], QUICK)
    assert (report.best_step, report.development_loss) == (-1, None)
    assert supervised_loss(model, 0, LEARNED) < supervised_loss(open_toy(folder), 0, LEARNED)


def test_new_development_rows_weigh_as_much_as_all_that_are_remembered(folder: Path) -> None:
    model, known = open_toy(folder), np.arange(len(LOOKED_AT)) >= 5
    mixed = replace(LOOKED_AT, remembered=known)

    def part(rows: list[int]) -> TrainingSet:
        inputs = [mixed.inputs[row] for row in rows]
        return replace(
            mixed, inputs=inputs, targets=mixed.targets[rows], weights=mixed.weights[rows], remembered=known[rows]
        )

    sides = [[row for row in range(len(known)) if known[row] == side] for side in (False, True)]
    apart = [supervised_loss(model, 0, part(rows)) for rows in sides]
    both = supervised_loss(model, 0, mixed) * len(known) / (2 * known.sum())  # weights are not shares
    assert both == pytest.approx(np.mean(apart), rel=1e-5)


def test_nothing_to_learn_changes_nothing(folder: Path) -> None:
    model = open_toy(folder)
    report = fit(model, 0, only(LEARNED, 0), LOOKED_AT, [Supervised()], QUICK)
    assert report.steps == 0
    assert_equal(model.top_state(0), open_toy(folder).top_state(0))


def test_frozen_weights_stay(folder: Path) -> None:
    model = open_toy(folder)
    HeadOnly().attach(model)
    fit(model, 0, LEARNED, LOOKED_AT, [Supervised()], QUICK)
    start = open_toy(folder).state_dict()
    changed = {name for name, weight in model.state_dict().items() if not torch.equal(weight, start[name])}
    assert changed == {"head.weight", "head.bias"}


@dataclasses.dataclass(frozen=True)
class Counted:
    """A term that notes its calls and gives what it is told."""

    calls: list[int]
    value: float
    weight: float = 1.0
    name: str = "counted"

    def __call__(self, batch: Batch, logits: Tensor, model: Trained) -> Tensor:
        self.calls.append(len(batch.inputs))
        return logits.sum() * 0 + self.value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_refused(folder: Path, value: float) -> None:
    calls: list[int] = []
    with pytest.raises(FloatingPointError, match="step 1"):
        fit(open_toy(folder), 0, LEARNED, LOOKED_AT, [Counted(calls, value)], QUICK)
    assert len(calls) == 1


def test_weights_that_blow_up_are_refused(folder: Path) -> None:
    with pytest.raises(Diverged) as refused:
        fit(open_toy(folder), 0, LEARNED, LOOKED_AT, [Supervised()], replace(QUICK, learning_rate=1e30, epochs=9))
    assert "learning_rate" in refused.value.mend


def test_a_term_of_weight_0_is_not_computed(folder: Path) -> None:
    calls: list[int] = []
    fit(open_toy(folder), 0, LEARNED, LOOKED_AT, [Supervised(), Counted(calls, float("nan"), weight=0.0)], QUICK)
    assert calls == []


def test_a_run_that_is_interrupted_at_any_step_ends_bit_for_bit_the_same(folder: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=2, evaluate_every=3, batch_tokens=160)
    whole, report, steps = ran(folder, settings)
    assert report.steps >= 6
    for stop_at in range(1, report.steps + 1):
        run = Run(tmp_path / str(stop_at) / "checkpoint", "a run")
        with pytest.raises(Interrupted):
            ran(folder, settings, run, stop_at)
        weights, resumed, rest = ran(folder, settings, run)
        assert_equal(weights, whole)
        assert replace(resumed, seconds=0) == replace(report, seconds=0)
        assert rest == steps[stop_at - 1 :], "one step is done again, no more"


def test_what_is_sure_after_the_first_epoch_is_left_out_of_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def assembled(examples: TrainingSet, rows: NDArray[np.int64]) -> Batch:
        seen.extend(rows.tolist())
        return assemble(examples, rows)

    monkeypatch.setattr(loop, "assemble", assembled)
    counts = {}
    for sure in (1.0, 0.7, 0.52, 1e-9):
        seen.clear()
        settings = replace(QUICK, epochs=4, learning_rate=1e-2, dropout=0.0, evaluate_every=10**6, skip_sure=sure)
        steps = ran(folder, settings)[2]
        assert len(steps) == steps[-1].total, "the schedule stays as it was"
        learned = [row for row in seen if row >= 0]
        counts[sure] = len(learned) - len(LOOKED_AT)
        assert set(learned) == set(range(len(LEARNED)))
    assert counts[1.0] == 4 * len(LEARNED)
    assert counts[1e-9] == len(LEARNED), "all are sure enough: no step moves anything any more"
    assert counts[1.0] > counts[0.7] > counts[0.52] > len(LEARNED)


def test_a_run_that_skips_what_is_sure_ends_bit_for_bit_the_same_when_interrupted(folder: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, learning_rate=1e-2, skip_sure=0.7)
    whole, report, steps = ran(folder, settings)
    assert report.steps == steps[-1].total
    for stop in range(1, len(steps)):
        run = Run(tmp_path / str(stop), "a run")
        with pytest.raises(Interrupted):
            ran(folder, settings, run, stop)
        assert_equal(ran(folder, settings, run)[0], whole)


def test_two_interruptions_and_an_early_stop_end_the_same(folder: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, epochs=20, evaluate_every=2, patience=2)
    poisoned = separable(80, 4, flipped=True)
    whole, report, _ = ran(folder, settings, examples=poisoned)
    run = Run(tmp_path / "checkpoint", "a run")
    for stop_at in (3, report.steps):
        with pytest.raises(Interrupted):
            ran(folder, settings, run, stop_at, poisoned)
    weights, again, _ = ran(folder, settings, run, examples=poisoned)
    assert_equal(weights, whole)
    assert (again.steps, again.best_step) == (report.steps, report.best_step)


def test_the_checkpoint_of_another_run_is_not_gone_on_with(
    folder: Path, tmp_path: Path, whole: dict[str, Tensor]
) -> None:
    place = tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        ran(folder, run=Run(place, "another run"), stop_at=5)
    weights, _, steps = ran(folder, run=Run(place, "a run"))
    assert steps[0].number == 1
    assert_equal(weights, whole)


def test_the_checkpoint_of_another_model_is_not_gone_on_with(folder: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(folder, run=run, stop_at=5)
    steps: list[Step] = []
    wider = replace(LEARNED, targets=np.pad(LEARNED.targets, ((0, 0), (0, 1))))
    fit(open_toy(folder, outputs=3), 0, wider, only(wider, 0), [Supervised()], QUICK, run, steps.append)
    assert steps[0].number == 1


@pytest.mark.parametrize("file", ["tensors.safetensors", "progress.json"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_torn_checkpoint_is_a_fresh_start(
    folder: Path, tmp_path: Path, whole: dict[str, Tensor], file: str, kept: float
) -> None:
    run = Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(folder, run=run, stop_at=5)
    path = run.folder / file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    weights, _, steps = ran(folder, run=run)
    assert steps[0].number == 1
    assert_equal(weights, whole)


@pytest.mark.parametrize("progress", [b"[]", b"{}", b'{"fingerprint": "a run", "unknown": 1}', b"\xff"])
def test_a_checkpoint_that_says_nonsense_is_a_fresh_start(folder: Path, tmp_path: Path, progress: bytes) -> None:
    run = Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(folder, run=run, stop_at=5)
    (run.folder / "progress.json").write_bytes(progress)
    assert ran(folder, run=run)[2][0].number == 1


def test_between_the_two_renames_the_old_checkpoint_is_read(
    folder: Path, tmp_path: Path, whole: dict[str, Tensor]
) -> None:
    run = Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(folder, run=run, stop_at=5)
    run.folder.rename(run.folder.with_name("checkpoint.old"))
    weights, _, steps = ran(folder, run=run)
    assert steps[0].number == 5
    assert_equal(weights, whole)
    checkpoint.remove(run.folder)
    assert list(tmp_path.iterdir()) == []


def test_predictions_do_not_depend_on_what_else_is_asked(folder: Path) -> None:
    model = open_toy(folder)
    together = predict(model, 0, UNSEEN.inputs)
    alone = np.concatenate([predict(model, 0, [row]) for row in UNSEEN.inputs])
    assert together.dtype == np.float32
    assert np.abs(together - alone).max() < 0.02, "bf16 where the CPU has it"
    assert predict(model, 0, []).shape == (0, 2)


def test_an_average_lies_between() -> None:
    ours, theirs = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    assert averaged(ours, theirs, 0.25)["w"].tolist() == [0.25, 0.25]
    assert averaged(ours, theirs, 1)["w"] is ours["w"]
