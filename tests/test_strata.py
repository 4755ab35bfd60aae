"""The laws of the fair sample: bounded, even, blind to order, and the same whether taken at once or in parts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from freshtune.records import Example
from freshtune.strata import Standing, standing, stratified

_standings = st.builds(
    Standing,
    id=st.integers(0, 40).map(str),
    label=st.sampled_from(["positive", "negative", "中"]),
    category=st.sampled_from(["", "books", "书"]),
    hash=st.integers(0, 2**56 - 1),
)
rows = st.lists(_standings, max_size=60, unique_by=lambda row: row.id)
sizes = st.integers(0, 70)


@given(rows, sizes)
def test_it_is_a_bounded_part_of_what_was_offered(offered: list[Standing], size: int) -> None:
    kept = stratified(offered, size)
    assert len(kept) == min(size, len(offered))
    assert len({row.id for row in kept}) == len(kept)
    assert set(kept) <= set(offered)


@given(rows, sizes)
def test_it_is_even_over_the_strata_as_far_as_they_reach(offered: list[Standing], size: int) -> None:
    there, kept = Counter(row.stratum for row in offered), Counter(row.stratum for row in stratified(offered, size))
    largest = max(kept.values(), default=0)
    assert all(count == there[stratum] or count >= largest - 1 for stratum, count in kept.items())
    cut_off = [stratum for stratum in there if kept[stratum] < there[stratum]]
    assert all(kept[stratum] >= largest - 1 for stratum in cut_off)


@given(rows, sizes)
def test_it_is_blind_to_order(offered: list[Standing], size: int) -> None:
    mixed = sorted(offered, key=lambda row: (row.hash * 2_654_435_761) % 97)
    assert stratified(offered, size) == stratified(mixed, size) == stratified(reversed(offered), size)


@given(rows, sizes)
def test_of_each_stratum_the_lowest_hashes_stay(offered: list[Standing], size: int) -> None:
    kept = stratified(offered, size)
    for stratum in {row.stratum for row in offered}:
        chosen = {row for row in kept if row.stratum == stratum}
        left_out = {row for row in offered if row.stratum == stratum} - chosen
        assert max((row.hash for row in chosen), default=-1) <= min((row.hash for row in left_out), default=2**56)


@given(rows, sizes, st.integers(0, 60))
def test_a_sample_of_a_sample_and_the_rest_is_the_sample_of_all(offered: list[Standing], size: int, cut: int) -> None:
    first, rest = offered[:cut], offered[cut:]
    assert stratified([*stratified(first, size), *rest], size) == stratified(offered, size)
    assert stratified([*stratified(first, size), *stratified(rest, size)], size) == stratified(offered, size)


def test_a_standing_says_what_it_stands_for() -> None:
    def of(label: str | float | tuple[float, ...] | None, **fields: str) -> Standing:
        return standing(Example("a", "sentiment", "text", label=label, split_key="key", **fields))  # type: ignore[arg-type]

    assert of("好", category="书").stratum == ("好", "书")
    assert of(2.4).label == "2"
    assert of(4).label == "4"
    assert of((0.2, 0.8)).label == "soft"
    assert of("a").hash == of("b").hash, "the text decides, not the label"
    assert of("a", pair="x").hash != of("a", pair="y").hash
    assert 0 <= of("a").hash < 2**56
    broken = Example("b", "sentiment", "\ud800", label="a", split_key="\ud800")
    assert standing(broken).id == "b"
