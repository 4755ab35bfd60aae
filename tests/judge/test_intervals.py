"""Intervals cover as often as they say, and resamples pair two models."""

import time

import numpy as np
import pytest

from freshtune.judge.intervals import draws, estimates, paired_change
from freshtune.judge.metrics import METRICS
from freshtune.judge.outcome_table import OutcomeTable
from tests.contracts.test_metrics import stars
from tests.judge.models import outcomes


def test_draws_are_whole_resamples_whatever_the_block() -> None:
    blocks = list(draws(3_000, 2_000))
    assert len(blocks) == 2
    assert sum(len(block) for block in blocks) == 2_000
    assert all((block.sum(axis=1) == 3_000).all() for block in blocks)


def test_accuracy_interval_covers_the_truth_about_19_times_in_20() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        estimate = estimates(OutcomeTable.of(outcomes(random.random(200) < 0.8)), ["accuracy"], 300)["accuracy"]
        covered += estimate.low <= 0.8 <= estimate.high
    assert 0.90 <= covered / 300 <= 0.985


def test_paired_bound_is_narrower_than_that_of_two_separate_models() -> None:
    random = np.random.default_rng(1)
    champion = random.random(600) < 0.85
    challenger = np.where(random.random(600) < 0.03, ~champion, champion)
    one, other = OutcomeTable.of(outcomes(challenger)), OutcomeTable.of(outcomes(champion))
    _, values = paired_change(METRICS["accuracy"], one, other)
    alone = estimates(one, ["accuracy"])["accuracy"]
    assert np.quantile(values, 0.975) - np.quantile(values, 0.025) < (alone.high - alone.low) * 0.75
    difference = challenger.astype(float) - champion
    assert values.std() == pytest.approx(difference.std() / 600**0.5, rel=0.1)


def test_gain_is_positive_when_better_whatever_the_direction() -> None:
    sure, unsure = OutcomeTable.of(outcomes([True] * 50, 0.95)), OutcomeTable.of(outcomes([True] * 50, 0.6))
    assert paired_change(METRICS["nll"], sure, unsure)[0] > 0
    assert paired_change(METRICS["nll"], unsure, sure)[0] < 0


def test_same_seed_same_interval_and_all_metrics_of_600_are_quick() -> None:
    table = OutcomeTable.of(stars(0, 600), middle=3.0)
    estimates(table, list(METRICS))
    start = time.process_time()
    first = estimates(table, list(METRICS))
    assert time.process_time() - start < 2  # 0.03 s alone on a core; the bound only catches a loop over resamples
    assert first == estimates(table, list(METRICS))
