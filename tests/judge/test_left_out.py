"""Leave-one-out in closed form is what n models would have said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.judge import left_out
from freshtune.judge.left_out import left_out_probabilities


@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4), wide=st.booleans())
def test_it_is_what_a_model_without_the_example_says(seed: int, classes: int, wide: bool) -> None:
    random = np.random.default_rng(seed)
    number, width = (30, 50) if wide else (40, 5)
    features = random.standard_normal((number, width)).astype(np.float32)
    side = random.integers(0, classes, number)
    side[:classes] = np.arange(classes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(left_out, "_PENALTIES", np.array([0.3]))
        told = left_out_probabilities(features, side, classes)
    columns = features.astype(np.float64)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    for row in range(0, number, 7):
        others = np.arange(number) != row
        design = np.column_stack([np.ones(number - 1), columns[others]])
        penalty = 0.3 * number * np.diag([0.0] + [1.0] * width)
        weights = np.linalg.solve(design.T @ design + penalty, design.T @ np.eye(classes)[side[others]])
        expected = np.maximum(np.concatenate([[1.0], columns[row]]) @ weights, 0)
        assert told[row] == pytest.approx(expected / expected.sum(), abs=1e-6)


def test_noise_is_told_as_noise() -> None:
    """Features that say nothing leave every answer near the shares of the classes: no row votes for itself."""
    random = np.random.default_rng(0)
    side = (random.random(300) < 0.3).astype(np.int64)
    told = left_out_probabilities(random.standard_normal((300, 384)).astype(np.float32), side, 2)
    assert told.sum(axis=1) == pytest.approx(np.ones(300))
    assert abs(float(told[:, 1].mean()) - 0.3) < 0.05
    assert np.corrcoef(told[:, 1], side)[0, 1] < 0.15


def test_features_that_do_not_vary_are_no_error() -> None:
    told = left_out_probabilities(np.ones((10, 3), np.float32), np.array([0, 1] * 5), 2)
    assert np.isfinite(told).all()
