"""The held-out split: stable, unsalted, nested in its share, independent of the development split."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.intake.held_out import BUCKETS, bucket, is_development, side, side_of_bucket

KEYS = [f"key {number} 手机" for number in range(20_000)]
EXACT = settings(deadline=None, derandomize=True)


def test_known_places_never_change() -> None:
    assert [bucket(key) for key in ("", "good手机", "the king", "\ud800")] == [52096, 384656, 672880, 379503]


def test_another_process_with_another_hash_seed_agrees() -> None:
    code = "from freshtune.intake.held_out import bucket; print(bucket('好评'))"
    found = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert int(found.stdout) == bucket("好评")


def test_share_is_kept() -> None:
    held_out = sum(side(key, 0.3) == "held_out" for key in KEYS) / len(KEYS)
    assert held_out == pytest.approx(0.3, abs=0.012)


def test_development_is_independent_of_the_side() -> None:
    shares = []
    for wanted in ("held_out", "train"):
        keys = [key for key in KEYS if side(key, 0.3) == wanted]
        shares.append(sum(is_development(key, 0.1) for key in keys) / len(keys))
    assert shares == [pytest.approx(0.1, abs=0.012)] * 2


@EXACT
@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_what_a_smaller_one_held_out(key: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert side(key, small) == "train" or side(key, large) == "held_out"
    assert side(key, 0) == "train"
    assert side(key, 1) == "held_out"
    assert 0 <= bucket(key) < BUCKETS


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="held-out share"):
        side_of_bucket(0, share)
