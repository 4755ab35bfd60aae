"""The held-out windows' laws, over any run of deltas."""

from hypothesis import given
from hypothesis import strategies as st

from freshtune.judge.windows import Windows, WindowSizes, advance, held_out_sets
from freshtune.records import Example
from freshtune.strata import standing

sizes = st.builds(WindowSizes, new=st.integers(1, 12), old=st.integers(1, 12))
deltas = st.lists(st.lists(st.integers(0, 60), max_size=25, unique=True), max_size=6)


def example(number: int) -> Example:
    label = "positive" if number % 3 else "negative"
    return Example(f"e{number}", "sentiment", f"text {number}", label=label, split_key=str(number))


def played(arrivals: list[list[int]], size: WindowSizes) -> list[Windows]:
    """The windows after each delta."""
    windows = [Windows()]
    for numbers in arrivals:
        windows.append(advance(windows[-1], [example(number) for number in numbers], size))
    return windows[1:]


@given(deltas, sizes)
def test_no_example_is_twice_or_on_both_sides(arrivals: list[list[int]], size: WindowSizes) -> None:
    for windows in played(arrivals, size):
        assert len(set(windows.ids())) == len(windows.ids())


@given(deltas, sizes)
def test_both_sides_are_bounded_and_hold_nothing_that_never_came(arrivals: list[list[int]], size: WindowSizes) -> None:
    seen: set[int] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        seen |= set(numbers)
        assert len(windows.new) <= max(size.new, len(numbers))
        assert len(windows.old) <= size.old
        assert set(windows.ids()) <= {f"e{number}" for number in seen}


@given(deltas, sizes)
def test_nothing_is_lost_below_the_sizes(arrivals: list[list[int]], size: WindowSizes) -> None:
    before: set[str] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        known = before | {f"e{number}" for number in numbers}
        lost = known - set(windows.ids())
        assert not lost or len(windows.old) == size.old, "only a full sample leaves one out"
        before = set(windows.ids())


@given(deltas, sizes)
def test_all_that_arrived_is_new_and_in_order_where_anything_older_is_known(
    arrivals: list[list[int]], size: WindowSizes
) -> None:
    before: set[str] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        arrived = [f"e{number}" for number in numbers]
        new = [row.id for row in windows.new]
        if before - set(arrived):
            assert new[len(new) - len(arrived) :] == arrived
        else:
            assert new == arrived[len(arrived) - len(new) :], "of what came first the latest are new"
        before = set(windows.ids())


@given(deltas, sizes)
def test_new_reaches_back_to_a_third_of_all_and_further_only_where_old_is_full(
    arrivals: list[list[int]], size: WindowSizes
) -> None:
    before: set[str] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        known = before | {f"e{number}" for number in numbers}
        arrived = len(numbers) if before - {f"e{number}" for number in numbers} else 0
        third = min(size.new, max(1, len(known) // 3))
        assert len(windows.new) >= min(third, len(known))
        assert len(windows.new) <= max(arrived, third) or len(windows.old) == size.old
        before = set(windows.ids())


@given(deltas, sizes)
def test_there_is_an_old_side_as_soon_as_two_are_held_out(arrivals: list[list[int]], size: WindowSizes) -> None:
    seen: set[int] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        seen |= set(numbers)
        assert windows.new or not seen
        assert windows.old or len(seen) < 2


@given(st.integers(3, 100))
def test_a_first_delta_of_a_small_shop_leaves_two_thirds_to_old(number: int) -> None:
    windows = advance(Windows(), [example(place) for place in range(number)], WindowSizes())
    assert [row.id for row in windows.new] == [f"e{place}" for place in range(number - number // 3, number)]
    assert len(windows.old) == number - number // 3


@given(deltas, sizes)
def test_a_delta_without_held_out_brings_nothing_and_is_the_same_twice(
    arrivals: list[list[int]], size: WindowSizes
) -> None:
    for windows in played(arrivals, size):
        settled = advance(windows, [], size)
        assert advance(settled, [], size) == settled
        assert set(settled.ids()) <= set(windows.ids())
        assert settled.new == windows.new[len(windows.new) - len(settled.new) :], "the latest stay new"


def test_the_first_delta_is_judged_on_both_sides() -> None:
    windows = advance(Windows(), [example(number) for number in range(30)], WindowSizes(new=10, old=8))
    assert [row.id for row in windows.new] == [f"e{number}" for number in range(20, 30)]
    assert len(windows.old) == 8
    assert {row.label for row in windows.old} == {"positive", "negative"}


def test_the_sets_hold_what_the_log_still_labels() -> None:
    windows = advance(Windows(), [example(number) for number in range(6)], WindowSizes(new=3, old=9))
    known = {f"e{number}": example(number) for number in (0, 4, 5)}
    sets = held_out_sets(windows, known)
    assert {name: [one.id for one in rows] for name, rows in sets.items()} == {"new": ["e4", "e5"], "old": ["e0"]}


def test_old_is_no_longer_empty_in_a_shop_whose_examples_were_all_new() -> None:
    held_out = Windows(new=tuple(standing(example(place)) for place in range(78)))
    windows = advance(held_out, [example(place) for place in range(78, 88)], WindowSizes())
    assert (len(windows.new), len(windows.old)) == (88 // 3, 88 - 88 // 3)
