"""Batches by length: every row once, within the budget, the same for the same seed and epoch."""

from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from freshtune.learn.batches import TrainingSet, assemble, epochs, length_batches, padded
from tests.learn.toys import SIDES, separable

lengths = st.lists(st.integers(1, 60), max_size=80)
seeds = st.none() | st.integers(0, 2**32)


def shuffler(seed: int | None) -> np.random.Generator | None:
    return None if seed is None else np.random.default_rng(seed)


@given(lengths, st.integers(1, 200), seeds)
def test_every_row_comes_once_and_a_batch_keeps_its_budget(rows: list[int], tokens: int, seed: int | None) -> None:
    batches = length_batches(rows, tokens, shuffler(seed))
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(rows)))
    for batch in batches:
        assert len(batch)
        assert len(batch) == 1 or max(rows[row] for row in batch) * len(batch) <= tokens


@given(lengths, st.integers(1, 200), st.integers(0, 2**32))
def test_the_seed_alone_decides_the_order(rows: list[int], tokens: int, seed: int) -> None:
    once, again = (length_batches(rows, tokens, np.random.default_rng(seed)) for _ in range(2))
    assert [batch.tolist() for batch in once] == [batch.tolist() for batch in again]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(60, 400))
def test_without_chance_padding_stays_within_one_batch_of_like_lengths(rows: list[int], tokens: int) -> None:
    batches = length_batches(rows, tokens)
    spans = [(min(rows[row] for row in batch), max(rows[row] for row in batch)) for batch in batches]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_epochs_differ_from_each_other_and_not_from_another_run() -> None:
    examples = separable(60, 1)
    first, again, other = (
        [[batch.tolist() for batch in batches] for _, batches in epochs(examples, 40, 3, seed)] for seed in (4, 4, 5)
    )
    assert first == again
    assert len(first) == 3
    assert first[0] != first[1] != first[2]
    assert first != other


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.booleans(), st.integers(0, 99))
def test_padding_adds_zeros_behind_and_says_where(lengths_: list[int], hidden: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows: list[NDArray[np.generic]] = [
        random.normal(size=(length, 3)).astype(np.float16) if hidden else random.integers(5, 99, length, np.int32)
        for length in lengths_
    ]
    block, mask = padded(rows)
    assert block.shape == ((len(rows), max(lengths_), 3) if hidden else (len(rows), max(lengths_)))
    assert block.dtype == (torch.float32 if hidden else torch.int64)
    assert mask.dtype == torch.int64
    assert mask.sum(dim=1).tolist() == lengths_
    for place, row in enumerate(rows):
        assert np.array_equal(block[place, : len(row)].numpy(), row.astype(block.numpy().dtype))
        assert not block[place, len(row) :].any()


def test_a_batch_holds_the_fields_of_its_rows() -> None:
    examples = separable(8, 2)
    teacher = np.arange(16, dtype=np.float32).reshape(8, 2)
    whole = TrainingSet(
        SIDES, examples.inputs, examples.targets, np.arange(8, dtype=np.float32), np.arange(8) >= 4, teacher
    )
    batch = assemble(whole, np.asarray([5, 2]))
    assert batch.weights.tolist() == [5.0, 2.0]
    assert batch.remembered.tolist() == [True, False]
    assert batch.teacher is not None
    assert batch.teacher.tolist() == [[10.0, 11.0], [4.0, 5.0]]
    assert np.array_equal(batch.targets.numpy(), examples.targets[[5, 2]])
    assert batch.inputs[1, : len(examples.inputs[2])].tolist() == examples.inputs[2].tolist()
    assert assemble(examples, np.asarray([0])).teacher is None
