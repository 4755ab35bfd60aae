"""A stream keeps apart what is learned and what judges, whatever the recording looks like."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune import record_json
from freshtune.errors import UsageError
from freshtune.intake.held_out import side
from freshtune.records import Example
from freshtune.replay.stream import Cutting, Stream, cut

START = datetime(2020, 1, 1, tzinfo=UTC)


def recording(categories: list[int]) -> list[Example]:
    return [
        Example(f"e{n}", "sentiment", f"text {n}", label="positive", category=f"c{category}", split_key=f"key {n}")
        for n, category in enumerate(categories)
    ]


@given(
    st.lists(st.integers(0, 4), min_size=60, max_size=200), st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)
)
def test_what_judges_is_never_learned_and_limits_hold(
    categories: list[int], base: int, limit: int, judges: int
) -> None:
    how = Cutting(base=base, limit=limit, judges=judges)
    try:
        stream = cut(recording(categories), how)
    except UsageError:
        return
    order = list(dict.fromkeys(f"c{category}" for category in categories))
    assert [part.name for part in stream.increments] == [", ".join(order[:base]), *order[base:]]
    for part in stream.increments:
        groups = len({row.category for row in (*part.learned, *part.held_out)})
        assert len(part.learned) <= limit * groups
        assert len(part.held_out) <= max(judges, groups)
        assert {side(row.split_key, how.held_out) for row in part.learned} == {"train"}
        assert {side(row.split_key, how.held_out) for row in part.held_out} == {"held_out"}
    ids = [row.id for part in stream.increments for row in (*part.learned, *part.held_out)]
    assert len(ids) == len(set(ids))
    assert cut(recording(categories), how).digest == stream.digest
    assert record_json.loads(Stream, record_json.dumps(stream)) == stream


@given(st.lists(st.integers(0, 30), min_size=80, max_size=200), st.integers(1, 4))
def test_time_is_cut_between_distinct_times(days: list[int], increments: int) -> None:
    examples = [
        Example(f"e{n}", "rating", f"text {n}", label=5, time=START + timedelta(days=day), split_key=f"key {n}")
        for n, day in enumerate(days)
    ]
    try:
        stream = cut(examples, Cutting(increments=increments))
    except UsageError:
        return
    assert len(stream.increments) == increments + 1
    reached = datetime.min.replace(tzinfo=UTC)
    for part in stream.increments:
        times = [row.time for row in (*part.learned, *part.held_out) if row.time]
        assert min(times) > reached
        reached = max(times)


def test_a_text_that_comes_again_is_met_once() -> None:
    twice = recording([0, 1, 2, 3] * 30) * 2
    assert cut(twice, Cutting(base=1)).digest == cut(twice[:120], Cutting(base=1)).digest


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Cutting(base=4), "no increments"),
        (Cutting(increments=2), "no times"),
        (Cutting(base=1, held_out=0.0001), "cannot be played"),
    ],
)
def test_what_cannot_be_played_is_said(how: Cutting, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        cut(recording([0, 1, 2, 3] * 30), how)
