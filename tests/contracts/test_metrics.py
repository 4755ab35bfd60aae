"""The laws of metrics, on every member of METRICS, and what known libraries say of the same answers."""

import warnings

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from freshtune.judge.intervals import estimates, paired_change
from freshtune.judge.metrics import METRICS, SmoothedAccuracy, measure
from freshtune.judge.outcome_table import OutcomeTable
from freshtune.records import Outcome

NAMES = tuple(METRICS)


def stars(seed: int, number: int = 120, classes: int = 5, queries: int = 12) -> tuple[Outcome, ...]:
    """Random answers on a scale from 1, grouped into queries, some scores tied."""
    random = np.random.default_rng(seed)
    told = []
    for place in range(number):
        probabilities = random.dirichlet(np.ones(classes)).astype(np.float32).astype(float)
        score = float(np.round(probabilities @ np.arange(1, classes + 1), 1))
        target = float(random.integers(1, classes + 1))
        query = f"查询 {random.integers(queries)}"
        prediction = float(np.argmax(probabilities)) + 1
        told.append(Outcome(f"{place:04d}", target, prediction, score, tuple(probabilities), query))
    return tuple(told)


def perfect(told: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    classes = len(told[0].probabilities)
    return tuple(
        Outcome(one.id, one.target, one.target, one.target, tuple(np.eye(classes)[int(one.target) - 1]), one.group)
        for one in told
    )


@pytest.mark.parametrize("name", NAMES)
def test_perfect_answers_score_best_and_nothing_beats_them(name: str) -> None:
    metric = METRICS[name]
    for seed in range(5):
        told = stars(seed)
        best = measure(metric, OutcomeTable.of(perfect(told), middle=3.0))
        assert best == pytest.approx(1.0 if metric.higher_is_better else 0.0, abs=1e-6)
        value = measure(metric, OutcomeTable.of(told, middle=3.0))
        assert value < best if metric.higher_is_better else value > best


@pytest.mark.parametrize("name", NAMES)
def test_order_of_outcomes_does_not_matter(name: str) -> None:
    told = stars(3)
    there = measure(METRICS[name], OutcomeTable.of(told, middle=3.0))
    assert measure(METRICS[name], OutcomeTable.of(told[::-1], middle=3.0)) == pytest.approx(there, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_judge_is_nan_without_a_warning(name: str) -> None:
    assert np.isnan(measure(METRICS[name], OutcomeTable.of([])))
    estimate = estimates(OutcomeTable.of([]), [name])[name]
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
    gain, values = paired_change(METRICS[name], OutcomeTable.of([]), OutcomeTable.of([]))
    assert np.isnan(gain)
    assert not len(values)


@pytest.mark.parametrize("name", NAMES)
def test_one_outcome_one_class_one_query_do_not_crash(name: str) -> None:
    one = [Outcome("a", 1.0, 1.0, 1.0, (0.9, 0.1), "q")]
    assert measure(METRICS[name], OutcomeTable.of(one)) <= 1.0 or name == "mrr"
    bare = [Outcome("a", 2.0, 1.0, 1.2, (), "q"), Outcome("b", 2.0, 1.0, 1.1, (), "q")]
    value = measure(METRICS[name], OutcomeTable.of(bare))
    assert np.isnan(value) == (name in ("nll", "ece", "mrr"))


@pytest.mark.parametrize("name", NAMES)
def test_interval_holds_its_value_and_a_model_does_not_differ_from_itself(name: str) -> None:
    table = OutcomeTable.of(stars(1), middle=3.0)
    estimate = estimates(table, [name])[name]
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.low < estimate.high
    gain, values = paired_change(METRICS[name], table, table)
    assert gain == 0
    assert np.abs(values).max() == 0


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 6))
def test_class_metrics_equal_scikit_learn(seed: int, number: int, classes: int) -> None:
    table = OutcomeTable.of(stars(seed, number, classes))
    target, prediction = table.target.astype(int), table.prediction.astype(int)
    scale = np.arange(1, classes + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of predictions without targets
        expected = {
            "accuracy": sk.accuracy_score(target, prediction),
            "macro_f1": sk.f1_score(target, prediction, average="macro"),
            "balanced_accuracy": sk.balanced_accuracy_score(target, prediction),
            "nll": sk.log_loss(target, table.probabilities / table.probabilities.sum(axis=1)[:, None], labels=scale),
            "mae": sk.mean_absolute_error(target, table.score),
        }
        if len(set(target) | set(prediction)) > 1:
            expected["quadratic_kappa"] = sk.cohen_kappa_score(target, prediction, labels=scale, weights="quadratic")
    for name, value in expected.items():
        assert measure(METRICS[name], table) == pytest.approx(value, abs=1e-6), name


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 80), st.integers(1, 6))
def test_ranking_metrics_equal_trec_eval(seed: int, number: int, queries: int) -> None:
    told = stars(seed, number, 3, queries)
    graded = [Outcome(one.id, one.target - 1, one.prediction, one.score, (), one.group) for one in told]
    truth = [ir_measures.Qrel(one.group, one.id, int(one.target)) for one in graded]
    run = [ir_measures.ScoredDoc(one.group, one.id, one.score) for one in graded]
    oracles = {"ndcg_at_10": (ir_measures.nDCG @ 10, 1), "mrr": (ir_measures.RR(rel=2), 2)}
    table = OutcomeTable.of(graded, middle=1.0)
    for name, (oracle, least) in oracles.items():
        told_queries = {one.group for one in graded if one.target >= least}
        values = [one.value for one in ir_measures.iter_calc([oracle], truth, run) if one.query_id in told_queries]
        if values:
            assert measure(METRICS[name], table) == pytest.approx(np.mean(values), abs=1e-9), name
        else:
            assert np.isnan(measure(METRICS[name], table))


def test_calibration_error_equals_a_plain_loop() -> None:
    table = OutcomeTable.of(stars(8, 400))
    confidence, right = table.probabilities.max(axis=1), table.prediction == table.target
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert measure(METRICS["ece"], table) == pytest.approx(total, abs=1e-9)


def test_a_class_that_the_model_does_not_have_counts_as_impossible() -> None:
    table = OutcomeTable.of([Outcome("a", 2.0, 1.0, 0.9, (0.1, 0.9))])
    assert measure(METRICS["nll"], table) == pytest.approx(-np.log(np.finfo(np.float32).eps))
    assert measure(SmoothedAccuracy(0.25), table) == 0


def test_smoothed_accuracy_without_ties_is_accuracy() -> None:
    told = [Outcome(str(place), place % 3 == 0, 1, 0.9, (0.1, 0.9)) for place in range(30)]
    table = OutcomeTable.of(told)
    assert measure(SmoothedAccuracy(0.25), table) == pytest.approx(measure(METRICS["accuracy"], table))


def named(seed: int, number: int = 80) -> tuple[Outcome, ...]:
    """Random answers of several names, some of them nothing at all."""
    random = np.random.default_rng(seed)
    names = np.array(["a", "b", "c", "颜色=红"])
    told = []
    for place in range(number):
        true, said = (tuple(sorted(names[random.random(4) < share].tolist())) for share in (0.4, 0.5))
        told.append(Outcome(f"{place:03d}", 1.0, float(true == said), 0.5, (), true=true, said=said))
    return tuple(told)


def test_of_several_names_f1_is_what_scikit_learn_says() -> None:
    for seed in range(5):
        table = OutcomeTable.of(named(seed))
        assert table.true.shape == (80, 4)
        for average in ("micro", "macro"):
            theirs = sk.f1_score(table.true, table.said, average=average, zero_division=0)
            assert measure(METRICS[f"{average}_f1"], table) == pytest.approx(theirs)
        assert measure(METRICS["accuracy"], table) == pytest.approx(sk.accuracy_score(table.true, table.said))
        rows = np.flatnonzero(table.said[:, 0])
        assert measure(METRICS["micro_f1"], table.at(rows)) == pytest.approx(
            sk.f1_score(table.true[rows], table.said[rows], average="micro")
        )


def test_of_one_class_an_example_micro_f1_is_the_accuracy() -> None:
    table = OutcomeTable.of(stars(2))
    assert measure(METRICS["micro_f1"], table) == pytest.approx(measure(METRICS["accuracy"], table))
