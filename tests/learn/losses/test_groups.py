"""Rows of one query meet in one batch: every row once, within the budget, the same for the same seed."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freshtune.learn.batches import assemble, epochs, group_batches
from tests.learn.toys import separable

rows_and_groups = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), max_size=60)


@given(rows_and_groups, st.integers(1, 200), st.integers(0, 2**32))
def test_every_row_comes_once_and_a_batch_keeps_its_budget(rows: list[tuple[int, int]], tokens: int, seed: int) -> None:
    lengths, groups = [length for length, _ in rows], np.asarray([group for _, group in rows], np.int64)
    batches = group_batches(lengths, groups, tokens, np.random.default_rng(seed))
    again = group_batches(lengths, groups, tokens, np.random.default_rng(seed))
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert sorted(row for batch in batches for row in batch.tolist()) == list(range(len(rows)))
    for batch in batches:
        assert len(batch)
        assert len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= tokens
    for group in set(groups.tolist()):
        members = np.flatnonzero(groups == group)
        if max(lengths[row] for row in members) * len(members) <= tokens:
            assert len({place for place, batch in enumerate(batches) if set(batch) & set(members)}) == 1


def test_a_group_that_is_too_large_is_parted_anew_in_each_epoch() -> None:
    examples = replace(separable(40, 1), groups=np.zeros(40, np.int64))
    plans = [{frozenset(batch.tolist()) for batch in batches} for _, batches in epochs(examples, 60, 3, 7)]
    assert all(len(plan) > 1 for plan in plans)
    assert plans[0] != plans[1] != plans[2]


def test_without_groups_batches_are_by_length_as_ever() -> None:
    examples = separable(60, 1)
    alone = replace(examples, groups=np.arange(60, dtype=np.int64))
    by_length, by_group = (
        [batch.tolist() for _, batches in epochs(given_, 60, 1, 3) for batch in batches] for given_ in (examples, alone)
    )
    assert assemble(examples, np.asarray([1])).groups is None
    assert len(by_group) <= len(by_length) + 2, "groups of one pad no more"


def test_a_batch_holds_the_groups_of_its_rows_and_the_counts_of_all() -> None:
    examples = replace(separable(8, 2), groups=np.arange(8, dtype=np.int64) * 10)
    batch = assemble(examples, np.asarray([5, 2]))
    assert batch.groups is not None
    assert batch.groups.tolist() == [50, 20]
    assert batch.counts is not None
    assert batch.counts.tolist() == examples.targets.sum(axis=0).tolist()
