"""The memory's laws: bounded, even, the same whatever the order of deltas, and never more than the delta asks for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.learn.memory import Memory
from freshtune.records import Example
from freshtune.strata import standing


def example(number: int) -> Example:
    label = ("positive", "negative", "neutral")[number % 7 % 3]
    category = "书" if number % 5 else "hotel"
    return Example(f"e{number}", "sentiment", f"text {number}", label=label, category=category, split_key=str(number))


numbers = st.lists(st.integers(0, 300), max_size=80, unique=True)
sizes = st.integers(0, 60)


@given(numbers, numbers, sizes)
def test_it_is_bounded_and_does_not_depend_on_how_the_deltas_came(before: list[int], now: list[int], size: int) -> None:
    memory = Memory(size=size)
    first = [example(number) for number in before]
    second = [example(number) for number in now if number not in before]
    in_turn = memory.keep(memory.keep((), first), second)
    assert len(in_turn) == min(size, len(first) + len(second))
    assert in_turn == memory.keep((), [*first, *second])
    assert in_turn == memory.keep(memory.keep((), second), first)


@given(numbers, sizes)
def test_learning_the_same_again_changes_nothing(before: list[int], size: int) -> None:
    memory = Memory(size=size)
    kept = memory.keep((), [example(number) for number in before])
    assert memory.keep(kept, [example(int(row.id[1:])) for row in kept]) == kept


@given(numbers, st.integers(0, 50), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_it_recalls_at_most_the_mix_whatever_the_order(before: list[int], new: int, mix: float) -> None:
    kept = tuple(standing(example(number)) for number in before)
    recalled = Memory(mix=mix).recall(kept, new)
    assert len(recalled) == min(len(kept), round(mix * new))
    assert set(recalled) <= set(kept)
    assert recalled == Memory(mix=mix).recall(kept[::-1], new)


def test_what_it_recalls_is_a_fair_sample() -> None:
    kept = Memory().keep((), [example(number) for number in range(2_000)])
    recalled = Memory(mix=1.0).recall(kept, 1_000)
    counts, there = Counter(row.stratum for row in recalled), Counter(row.stratum for row in kept)
    assert all(abs(counts[stratum] - number / 2) < 4 * number**0.5 / 2 for stratum, number in there.items())


@pytest.mark.parametrize("memory", [Memory(size=0), Memory(mix=0)])
def test_without_memory_nothing_is_remembered(memory: Memory) -> None:
    kept = memory.keep((), [example(number) for number in range(9)])
    assert memory.recall(kept, 100) == ()
