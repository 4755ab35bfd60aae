"""What changed of a top: rebuilt it is the same to the bit, it is small where the change is, and it fits its parent."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import IntegrityError
from freshtune.ship.changes import (
    Floats,
    applied,
    change_of,
    digest_of_weights,
    facts_of_change,
    is_small,
    rebuilt,
    write_change,
)


def drawn(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def top() -> dict[str, Floats]:
    return {
        "a.weight": drawn(1, 40, 30),
        "a.bias": drawn(2, 40),
        "b.weight": drawn(3, 30, 40),
        "head.weight": drawn(4, 2, 30),
    }


FACTORS = {
    "a.weight": {"up": drawn(5, 40, 2) * 0.1, "down": drawn(6, 2, 30)},
    "b.weight": {"columns": 1 + drawn(7, 40) * 0.1},
}


def tuned() -> dict[str, Floats]:
    """Two matrices by their factors, as torch multiplies them, and the head anew."""
    low = FACTORS["a.weight"]
    return top() | {
        "a.weight": top()["a.weight"] + low["up"] @ low["down"],
        "b.weight": top()["b.weight"] * FACTORS["b.weight"]["columns"],
        "head.weight": drawn(8, 2, 30),
    }


def test_a_low_rank_change_is_stored_as_its_factors_and_nothing_else_but_the_head() -> None:
    stored = change_of(tuned(), top(), FACTORS)
    assert set(stored) == {"a.weight/up", "a.weight/down", "b.weight/columns", "head.weight"}
    again = rebuilt(top(), stored)
    assert list(again) == list(top())
    assert all(np.allclose(again[name], weight, atol=1e-6) for name, weight in tuned().items())
    assert np.array_equal(again["head.weight"], tuned()["head.weight"])
    assert is_small(stored, tuned())
    assert change_of(again, top(), FACTORS).keys() == stored.keys()


def test_factors_that_do_not_give_the_weight_are_not_believed() -> None:
    wrong = {**FACTORS, "a.weight": {**FACTORS["a.weight"], "up": FACTORS["a.weight"]["up"] * 2}}
    stored = change_of(tuned(), top(), wrong)
    assert "a.weight" in stored
    assert np.array_equal(rebuilt(top(), stored)["a.weight"], tuned()["a.weight"])
    assert not is_small(stored, tuned())


@given(changed=st.sets(st.sampled_from(sorted(top()))), new=st.booleans())
def test_without_factors_it_is_the_changed_weights_to_the_bit(changed: set[str], new: bool) -> None:
    weights = top() | {name: drawn(9, *top()[name].shape) for name in changed} | ({"part": drawn(9, 3)} if new else {})
    stored = change_of(weights, top(), {})
    assert set(stored) == changed | ({"part"} if new else set())
    again = rebuilt(top(), stored)
    assert digest_of_weights(again) == digest_of_weights(weights)


def test_the_digest_sees_names_shapes_and_values() -> None:
    one = {"a": drawn(1, 2, 3)}
    others = [{"b": one["a"]}, {"a": one["a"].reshape(3, 2)}, {"a": np.nextafter(one["a"], np.float32(9))}, {}]
    assert len({digest_of_weights(weights) for weights in (one, *others)}) == 5


def test_a_row_scale_and_a_product_are_what_they_say() -> None:
    weight = drawn(1, 3, 2)
    assert np.array_equal(applied(weight, {"rows": np.asarray([1, 2, 0], np.float32)})[1:], [weight[1] * 2, [0, 0]])
    assert np.array_equal(
        applied(weight, {"up": np.zeros((3, 0), np.float32), "down": np.zeros((0, 2), np.float32)}), weight
    )


def test_its_file_says_what_comes_of_it_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "top_change.safetensors"
    assert facts_of_change(path) == ("", 0)
    write_change(change_of(tuned(), top(), FACTORS), tuned(), 3, path)
    assert facts_of_change(path) == (digest_of_weights(tuned()), 3)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(IntegrityError, match="cannot be read"):
        facts_of_change(path)


@pytest.mark.parametrize(
    "stored", [{"z.weight/up": drawn(1, 4, 1), "z.weight/down": drawn(1, 1, 4)}, {"a.weight/columns": drawn(1, 7)}]
)
def test_a_change_of_another_model_is_refused(stored: dict[str, Floats]) -> None:
    with pytest.raises(IntegrityError, match="does not fit its parent"):
        rebuilt(top(), stored)
