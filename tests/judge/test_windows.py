"""The held-out windows' laws, over any run of deltas."""

from hypothesis import given
from hypothesis import strategies as st

from freshtune.judge.windows import Windows, WindowSizes, advance, held_out_sets
from freshtune.records import Example

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
def test_new_holds_enough_where_enough_came_and_old_is_bounded(arrivals: list[list[int]], size: WindowSizes) -> None:
    seen: set[int] = set()
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        seen |= set(numbers)
        assert len(windows.new) >= min(size.new, len(seen))
        assert len(windows.old) <= size.old
        assert set(windows.ids()) <= {f"e{number}" for number in seen}


@given(deltas, sizes)
def test_what_has_just_arrived_is_new(arrivals: list[list[int]], size: WindowSizes) -> None:
    for numbers, windows in zip(arrivals[1:], played(arrivals, size)[1:], strict=True):
        if sum(map(len, arrivals)) and numbers != arrivals[0]:
            latest = [f"e{number}" for number in numbers][-size.new :]
            assert [row.id for row in windows.new][len(windows.new) - len(latest) :] == latest


@given(deltas, sizes)
def test_new_is_no_larger_than_it_must_be(arrivals: list[list[int]], size: WindowSizes) -> None:
    for numbers, windows in zip(arrivals, played(arrivals, size), strict=True):
        assert len(windows.new) <= max(size.new, len(numbers))


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
