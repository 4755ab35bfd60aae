"""The laws of every head: a label survives the way into a target and out of logits, and no logit breaks an answer."""

import dataclasses
from collections.abc import Callable
from typing import get_args, get_origin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from freshtune.model.heads import HEADS, Head, OneAnswer
from freshtune.model.heads.classes import Classes
from freshtune.model.heads.ordinal import Ordinal
from freshtune.model.heads.score import Score
from freshtune.model.heads.several import Several
from freshtune.model.heads.widening import widened
from freshtune.records import Label, names_of

LAW = settings(deadline=None, derandomize=True, max_examples=60)

EVERY: dict[str, tuple[Head, ...]] = {
    "classes": (Classes(("negative", "positive")), Classes(("手机", "书", "hotel")), Classes(("only",))),
    "ordinal": (Ordinal(1, 5), Ordinal(0, 1), Ordinal(-2, 7)),
    "score": (Score(0, 2), Score(1, 3), Score(-1.5, 0.25)),
    "several": (
        Several(("colour=red", "colour=blue", "品牌=小米")),
        Several(("only",)),
        Several(("b", "a", "a > x", "b > y", "b > y > z"), " > "),
    ),
}
_IN_TREE: tuple[Label, ...] = (("a",), ("a", "a > x"), ("a", "b", "b > y", "b > y > z"))
HARD: dict[Head, tuple[Label, ...]] = {
    head: head.labels
    if isinstance(head, Classes)
    else _IN_TREE
    if isinstance(head, Several) and head.path
    else (*((name,) for name in head.labels), tuple(sorted(head.labels)))
    if isinstance(head, Several)
    else tuple(range(head.lowest, head.highest + 1))
    if isinstance(head, Ordinal)
    else (head.lowest, head.highest, head.lowest * 0.75 + head.highest * 0.25)
    for heads in EVERY.values()
    for head in heads
    if isinstance(head, Classes | Ordinal | Score | Several)
}
SCALES = ("ordinal", "score")
heads = pytest.mark.parametrize("head", [head for members in EVERY.values() for head in members], ids=repr)


def logits_at(head: Head, target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits of a model that is sure of a target."""
    sure = np.clip(target.astype(np.float64), 1e-7, 1 - 1e-7)
    return (np.log(sure) if head.kind == "classes" else np.log(sure / (1 - sure)))[None].astype(np.float32)


def test_every_member_is_under_test() -> None:
    assert set(EVERY) == set(HEADS)
    assert all(
        isinstance(head, HEADS[kind]) and head.kind == kind for kind, members in EVERY.items() for head in members
    )
    assert len(HARD) == 12


@heads
def test_it_is_stored_as_its_fields(head: Head) -> None:
    assert isinstance(head, Classes | Ordinal | Score | Several)
    stored = {field.name: getattr(head, field.name) for field in dataclasses.fields(head)}
    assert stored["kind"] == head.kind
    assert HEADS[head.kind](**stored) == head


@heads
def test_a_sure_model_gives_the_label_back(head: Head) -> None:
    for label in HARD[head]:
        target = head.target(label)
        assert target.shape == (head.outputs,)
        assert target.dtype == np.float32
        answers = head.answers(logits_at(head, target))
        if isinstance(head, Score):
            assert answers.score[0] == pytest.approx(head.number(label), abs=1e-4)
            assert answers.prediction[0] == np.rint(answers.score[0])
            continue
        assert head.read(answers) == [label]
        if isinstance(head, OneAnswer):
            assert answers.prediction[0] == head.number(label)
            assert head.name(float(answers.prediction[0])) == label
        else:
            assert answers.prediction[0] == len(names_of(label))


@heads
@LAW
@given(data=st.data())
def test_no_logit_breaks_an_answer(head: Head, data: st.DataObject) -> None:
    extreme = st.one_of(st.floats(-1e4, 1e4, width=32), st.sampled_from([-1e4, 0.0, 1e4]))
    rows = data.draw(st.integers(0, 4))
    answers = head.answers(data.draw(arrays(np.float32, (rows, head.outputs), elements=extreme)))
    for values in (answers.prediction, answers.score, answers.probabilities):
        assert values.dtype == np.float32
        assert len(values) == rows
        assert np.isfinite(values).all()
    assert ((answers.probabilities >= 0) & (answers.probabilities <= 1)).all()
    if answers.probabilities.shape[1] and isinstance(head, OneAnswer):
        assert answers.probabilities.sum(axis=1) == pytest.approx(np.ones(rows), abs=1e-5)
    assert len(head.read(answers)) == rows
    assert len(head.columns(answers.probabilities.shape[1])) == answers.probabilities.shape[1]


@heads
@LAW
@given(data=st.data())
def test_an_answer_does_not_depend_on_its_neighbours(head: Head, data: st.DataObject) -> None:
    logits = data.draw(arrays(np.float32, (3, head.outputs), elements=st.floats(-50, 50, width=32)))
    together = head.answers(logits)
    for row in range(3):
        alone = head.answers(logits[row : row + 1])
        assert alone.prediction[0] == together.prediction[row]
        assert alone.score[0] == pytest.approx(together.score[row], rel=1e-6)
        assert head.read(alone) == head.read(together)[row : row + 1]


@pytest.mark.parametrize(
    "head", [head for head in EVERY["several"] if isinstance(head, Several) and head.path], ids=repr
)
@LAW
@given(data=st.data())
def test_what_a_tree_says_implies_its_parents(head: Several, data: st.DataObject) -> None:
    logits = data.draw(arrays(np.float32, (4, head.outputs), elements=st.floats(-50, 50, width=32)))
    answers = head.answers(logits)
    for said, chances in zip(head.read(answers), answers.probabilities.tolist(), strict=True):
        of = dict(zip(head.labels, chances, strict=True))
        for name in head.labels:
            parent = name.rpartition(head.path)[0]
            assert not parent or of[name] <= of[parent]
        assert all(not (parent := name.rpartition(head.path)[0]) or parent in names_of(said) for name in names_of(said))


@LAW
@given(data=st.data())
def test_one_name_more_is_said_of_several_without_touching_the_others(data: st.DataObject) -> None:
    head = Several(("red", "blue", "linen"))
    row = data.draw(arrays(np.float32, 3, elements=st.floats(-9, 9, width=32)))
    place = data.draw(st.integers(0, 2))
    raised = row.copy()
    raised[place] = 20
    before, after = (head.read(head.answers(each[None]))[0] for each in (row, raised))
    assert set(names_of(after)) == {*names_of(before), head.labels[place]}


@heads
@LAW
@given(data=st.data())
def test_a_soft_label_is_between_its_hard_ones(head: Head, data: st.DataObject) -> None:
    steps = 1 if head.kind == "score" else head.outputs + (head.kind == "ordinal")
    parts = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=steps, max_size=steps)))
    soft = tuple((parts / parts.sum() if head.kind not in ("score", "several") else parts).tolist())
    target = head.target(soft)
    assert target.shape == (head.outputs,)
    assert ((target >= 0) & (target <= 1)).all()
    answers = head.answers(logits_at(head, target))
    if isinstance(head, Score):
        assert answers.score[0] == pytest.approx(head.number(soft), abs=1e-3)
        return
    if not isinstance(head, OneAnswer):
        assert target == pytest.approx(np.array(soft), abs=1e-6)
        return
    assert answers.probabilities[0] == pytest.approx(np.array(soft), abs=1e-5)
    assert soft[int(answers.prediction[0] - head.number(HARD[head][0]))] == pytest.approx(max(soft), abs=1e-5)


@pytest.mark.parametrize("head", [head for head in HARD if isinstance(head, OneAnswer)], ids=repr)
def test_one_hot_is_the_hard_label(head: OneAnswer) -> None:
    for place, label in enumerate(HARD[head]):
        if head.kind != "score":
            soft = tuple(float(at == place) for at in range(len(HARD[head])))
            assert head.target(soft).tolist() == head.target(label).tolist()
            assert head.number(soft) == head.number(label)


@heads
@pytest.mark.parametrize(
    "label",
    [
        *("no such label", float("nan"), float("inf"), 99, -99, (), (0.5,) * 9, (float("nan"),), (2.0,), (-1.0, 2.0)),
        *(("no such", "label"), ("only", "label")),
    ],
)
def test_a_label_outside_is_refused(head: Head, label: Label) -> None:
    verbs = [head.target, head.number] if isinstance(head, OneAnswer) else [head.target]
    for verb in verbs:
        with pytest.raises(ValueError, match=r"\w"):
            verb(label)


def test_a_step_between_two_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Ordinal(1, 5).target(2.5)


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    for head in (Classes(("a", "b", "c")), Ordinal(1, 3)):
        with pytest.raises(ValueError, match="sum to 1"):
            head.target((0.5, 0.1, 0.1))


def test_growing_keeps_the_place_of_old_classes() -> None:
    old = Classes(("书", "hotel"))
    grown = old.grown(("hotel", "手机", "手机", "fruit"))
    assert grown.labels == ("书", "hotel", "手机", "fruit")
    assert [grown.number(label) for label in old.labels] == [old.number(label) for label in old.labels]
    logits = np.array([[3.0, -1.0], [-2.0, 4.0]], np.float32)
    unsure = np.full((2, 2), -30, np.float32)  # what a new class says before it has learned
    before, after = old.answers(logits), grown.answers(np.concatenate([logits, unsure], axis=1))
    assert after.prediction.tolist() == before.prediction.tolist()
    assert after.probabilities[:, :2] == pytest.approx(before.probabilities, abs=1e-6)
    assert old.grown(old.labels) == old


@heads
def test_growing_by_what_it_knows_changes_nothing(head: Head) -> None:
    assert head.grown(()) == head
    assert head.grown(HARD[head]) == head


@heads
def test_what_it_cannot_grow_by_is_refused(head: Head) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        head.grown([99])


@heads
@LAW
@given(data=st.data())
def test_growing_leaves_what_was_said(head: Head, data: st.DataObject) -> None:
    more: tuple[Label, ...] = ("another", "第三") if isinstance(head, Classes | Several) else ()
    grown = head.grown(more)
    assert grown.outputs == head.outputs + len(more)
    if isinstance(head, OneAnswer) and isinstance(grown, OneAnswer):
        assert [grown.number(label) for label in HARD[head]] == [head.number(label) for label in HARD[head]]
    logits = data.draw(arrays(np.float32, (3, head.outputs), elements=st.floats(-50, 50, width=32)))
    wide = widened(logits, grown.outputs)
    assert wide[:, : head.outputs].tolist() == logits.tolist()
    before, after = head.answers(logits), grown.answers(wide)
    assert grown.read(after) == head.read(before)
    assert after.probabilities[:, : before.probabilities.shape[1]].tolist() == before.probabilities.tolist()
    assert (after.probabilities[:, before.probabilities.shape[1] :] < 1e-12).all()


def test_ordinal_probabilities_hold_when_thresholds_cross() -> None:
    answers = Ordinal(1, 4).answers(np.array([[-1.0, 2.0, 1.0]], np.float32))
    assert (answers.probabilities >= 0).all()
    assert answers.probabilities.sum() == pytest.approx(1)
    assert 1 <= answers.score[0] <= 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: Classes(("a", "a")),
        lambda: Several(("a", "a")),
        lambda: Ordinal(3, 3),
        lambda: Ordinal(5, 1),
        lambda: Score(2, 2),
    ],
)
def test_a_scale_without_steps_is_refused(make: Callable[[], Head]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_labels_are_what_records_say() -> None:
    kinds = {type(label) for labels in HARD.values() for label in labels}
    assert kinds <= {get_origin(kind) or kind for kind in get_args(Label)}
