"""Every term in the one loop: it runs, it resumes to the same weights, and at weight 0 it costs nothing."""

import math
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from freshtune.learn import fit as loop
from freshtune.learn.batches import TrainingSet
from freshtune.learn.challenger import Learn, begin, tune
from freshtune.learn.fit import Fit, Step, fit
from freshtune.learn.lesson import Lesson
from freshtune.learn.losses import LABELLED, LOSSES, TAUGHT, Loss
from freshtune.learn.losses.ewc import Ewc
from freshtune.learn.losses.importance import fisher
from freshtune.learn.losses.l2_sp import L2Sp
from freshtune.learn.losses.listwise import Listwise
from freshtune.learn.losses.pairwise import Pairwise
from freshtune.learn.losses.supervised import Supervised
from freshtune.learn.state import Run
from freshtune.model.adapters import Adapter
from freshtune.model.backbone import TextModel
from freshtune.model.heads import Head
from freshtune.records import Example, Label
from tests.learn.losses.toys import EVERY_HEAD, PLACES, lesson_of, opened
from tests.model.tiny_models import LAYERS, saved

SCORE = EVERY_HEAD[2]
SETTINGS = Fit(
    epochs=2, batch_tokens=60, learning_rate=1e-3, dropout=0.1, evaluate_every=100, checkpoint_seconds=0.0, seed=1
)
PLACED = [*zip(EVERY_HEAD, cycle(PLACES)), (SCORE, "hidden")]
members = pytest.mark.parametrize("name", LOSSES)
heads = pytest.mark.parametrize("head", EVERY_HEAD, ids=lambda head: head.kind)


class Interrupted(Exception):  # noqa: N818
    """Raised by a test in the middle of a run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return saved("bert", tmp_path_factory.mktemp("model"))


def ran(
    folder: Path, head: Head, place: str, terms: list[Loss], run: Run | None = None, stop_at: int = 0
) -> tuple[dict[str, Tensor], list[Step]]:
    """The weights after a run and its steps."""
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        if step.number == stop_at:
            raise Interrupted

    model, cut = opened(folder, head, place)
    examples, nothing = (lesson_of(model.eval(), head, cut, rows, 1) for rows in (24, 1))
    none = replace(nothing, inputs=[], targets=nothing.targets[:0], weights=nothing.weights[:0])
    settings = replace(SETTINGS, batch_tokens=8) if cut == model.layers else SETTINGS  # a row a text, not a token
    fit(model, cut, examples, none, terms, settings, run, on_step)
    return {key: weight.clone() for key, weight in model.state_dict().items()}, steps


@members
@pytest.mark.parametrize(("head", "place"), PLACED, ids=lambda value: getattr(value, "kind", value))
def test_it_runs_and_resumes_to_the_same_weights(
    folder: Path, tmp_path: Path, name: str, head: Head, place: str
) -> None:
    terms: list[Loss] = [Supervised(), LOSSES[name]()]
    whole, steps = ran(folder, head, place, terms)
    assert len(steps) >= 5
    assert all(math.isfinite(step.loss) for step in steps)
    assert all(torch.isfinite(weight).all() for weight in whole.values())
    run = Run(tmp_path / "checkpoint", "a run")
    with pytest.raises(Interrupted):
        ran(folder, head, place, terms, run, stop_at=4)
    resumed, rest = ran(folder, head, place, terms, run)
    assert rest[0].number == 4, "it goes on from the last checkpoint"
    assert [key for key, weight in resumed.items() if not torch.equal(weight, whole[key])] == []


@members
def test_at_weight_0_it_costs_nothing_and_changes_nothing(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    upper = TextModel.upper

    def counted(self: TextModel, *arguments: Any) -> Tensor:
        passes.append(1)
        return upper(self, *arguments)

    monkeypatch.setattr(TextModel, "upper", counted)
    monkeypatch.setattr("freshtune.learn.fit.fisher", lambda *_: pytest.fail("importance was measured for nothing"))
    member: Any = LOSSES[name]()
    plain, _ = ran(folder, SCORE, "hidden", [Supervised()])
    before = len(passes)
    idle, _ = ran(folder, SCORE, "hidden", [Supervised(), replace(member, weight=0.0)])
    assert len(passes) == 2 * before
    assert all(torch.equal(weight, plain[key]) for key, weight in idle.items())


def test_importance_is_measured_once_on_as_many_remembered_rows_as_are_wanted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def noted(head: Head, rows: Any, *rest: Any) -> dict[str, Tensor]:
        measured.append(len(rows))
        return fisher(head, rows, *rest)

    monkeypatch.setattr("freshtune.learn.fit.fisher", noted)
    ran(folder, SCORE, "hidden", [Supervised(), Ewc(rows=3), Ewc(rows=5)])
    ran(folder, SCORE, "hidden", [Supervised(), Ewc()])
    assert measured == [5, 8], "a third of 24 rows is remembered"


def test_a_heavy_anchor_keeps_the_weights(folder: Path) -> None:
    start = {key: weight.clone() for key, weight in opened(folder, SCORE, "hidden")[0].state_dict().items()}

    def moved(*terms: Loss) -> float:
        weights, _ = ran(folder, SCORE, "hidden", [Supervised(), *terms])
        return sum(float((weight - start[key]).square().sum()) for key, weight in weights.items())

    assert moved(L2Sp(weight=100.0)) < moved() / 2


@heads
def test_the_heavier_importance_the_less_is_forgotten(folder: Path, head: Head) -> None:
    """A champion learns all rows, then wrong labels of the new ones; how far do its answers to the others move?"""
    model, cut = opened(folder, head, "hidden")
    known = lesson_of(model.eval(), head, cut, 60, 1)
    settings, nothing = replace(SETTINGS, epochs=10, batch_tokens=120), replace(known, inputs=[])
    fit(model, cut, known, nothing, [Supervised()], replace(settings, epochs=20))
    champion = {key: weight.clone() for key, weight in model.state_dict().items()}
    old = [known.inputs[row] for row in np.flatnonzero(known.remembered).tolist()]
    before = head.answers(loop.predict(model, cut, old)).score
    wrong = np.roll(known.targets, 1, axis=0)
    new = replace(known, targets=wrong, weights=(~known.remembered).astype(np.float32))
    moved = []
    for weight in (0.0, 10_000.0):
        model.load_state_dict(champion)
        fit(model, cut, new, nothing, [Supervised(), Ewc(weight=weight)], settings)
        moved.append(float(np.abs(head.answers(loop.predict(model, cut, old)).score - before).mean()))
    assert moved[0] > 2 * moved[1]


@pytest.mark.parametrize("loss", [Pairwise(), Pairwise(form="hinge"), Listwise()])
def test_order_alone_is_learned(folder: Path, loss: Loss) -> None:
    model, cut = opened(folder, SCORE, "hidden")
    lesson = lesson_of(model.eval(), SCORE, cut, 30, 4)
    before = ordered(model, cut, lesson)
    fit(model, cut, lesson, replace(lesson, inputs=[]), [loss], replace(SETTINGS, epochs=40, learning_rate=3e-3))
    assert ordered(model, cut, lesson) > max(0.9, before)


def ordered(model: TextModel, cut: int, lesson: TrainingSet) -> float:
    """Share of the pairs of a group that stand in the order of their grades."""
    said, meant = loop.predict(model, cut, lesson.inputs)[:, 0], lesson.targets[:, 0]
    assert lesson.groups is not None
    same = lesson.groups[:, None] == lesson.groups
    better = same & (meant[:, None] > meant)
    return float((said[:, None] > said)[better].mean())


def lesson(model: TextModel, labels: list[Label], keys: list[str], cut: int) -> Lesson:
    made = lesson_of(model, SCORE, cut, len(labels), 2)
    examples = [
        Example(f"e{row}", "relevance", "query", "title", label, split_key=key)
        for row, (label, key) in enumerate(zip(labels, keys, strict=True))
    ]
    return Lesson(examples, made.inputs, np.zeros(len(labels), np.bool_), np.zeros(len(labels), np.bool_))


FIRST = Learn(first=SETTINGS, fit=SETTINGS, average=(1.0,))
GRADES: list[Label] = [2.0, 0.0, 1.0, 0.0, 2.0, 1.0, 1.0]
KEYS = ["a", "b", "a", "b", "a", "", ""]


def learned(
    folder: Path, terms: tuple[Loss, ...], adapter: Adapter, monkeypatch: pytest.MonkeyPatch, first: bool = True
) -> tuple[list[Loss], TrainingSet]:
    """The terms and the training set that the loop is given."""
    given: list[Any] = []
    monkeypatch.setattr("freshtune.learn.challenger.fit", lambda *arguments: given.extend(arguments))
    model, cut = opened(folder, SCORE, "hidden")
    material, settings = lesson(model.eval(), GRADES, KEYS, cut), replace(FIRST, adapter=adapter, losses=terms)
    if first:
        begin(model, cut, SCORE, material, settings)
    else:
        tune(model, cut, SCORE, material, np.zeros((len(GRADES), 1), np.float32), settings)
    return list(given[4]), given[2]


def test_a_first_model_takes_every_term_but_its_teachers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = tuple(member() for member in LOSSES.values())
    terms, _ = learned(folder, every, PLACES["hidden"][0], monkeypatch)
    assert terms == [term for term in every if not isinstance(term, TAUGHT)]
    for term in every:
        terms, _ = learned(folder, (term,), PLACES["hidden"][0], monkeypatch)
        assert any(isinstance(found, LABELLED) for found in terms), "labels are learned"
        assert (term in terms) == (not isinstance(term, TAUGHT))


@pytest.mark.parametrize("first", [True, False])
def test_rows_are_grouped_by_query_where_a_term_compares_them_and_not_elsewhere(
    folder: Path, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[tuple[Loss, ...], bool]] = [
        ((Supervised(), Listwise()), True),
        ((Pairwise(), Supervised()), True),
        ((Supervised(), Pairwise(weight=0.0)), False),
        ((Supervised(),), False),
    ]
    for terms, grouped in cases:
        _, examples = learned(folder, terms, PLACES["hidden"][0], monkeypatch, first)
        if not grouped:
            assert examples.groups is None
            continue
        assert examples.groups is not None
        assert examples.groups.dtype == np.int64
        assert examples.groups.tolist() == [0, 1, 0, 1, 0, 2, 3], "one without a key is alone"


@pytest.mark.parametrize("rows", [1, 2])
@members
def test_a_delta_of_one_example_or_of_one_label_is_learned(folder: Path, name: str, rows: int) -> None:
    model, cut = opened(folder, SCORE, "hidden")
    material = lesson(model.eval(), [1.0] * rows, ["a"] * rows, cut)
    settings = replace(FIRST, adapter=PLACES["hidden"][0], losses=(LOSSES[name](),))
    challenger = tune(model, cut, SCORE, material, np.zeros((rows, 1), np.float32), settings)
    assert cut == LAYERS - 1
    assert all(torch.isfinite(weight).all() for weight in challenger.weights.values())
