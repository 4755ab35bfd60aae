"""Times in the many ways in which they are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.intake.reasons import BadRecord
from freshtune.intake.times import parse_time

MOMENT = datetime(2013, 4, 5, 6, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2013-04-05T06:07:08Z",
        "2013-04-05 14:07:08+08:00",
        "2013/4/5 6:07:08",
        "2013年4月5日 06:07:08",
        "20130405T060708",
        1365142028,
        1365142028.0,
        "1365142028",
        1365142028000,
        1365142028000000,
        1365142028000000000,
        datetime(2013, 4, 5, 6, 7, 8),  # noqa: DTZ001 - a table's time without a zone
        MOMENT.astimezone(timezone(timedelta(hours=8))),
    ],
)
def test_one_moment_in_many_spellings(written: object) -> None:
    assert parse_time(written) == MOMENT


@pytest.mark.parametrize("written", ["2013-04-05", "2013/4/5", "2013年4月5日", "20130405", 20130405, "2013.04.05"])
def test_a_day_is_its_midnight(written: object) -> None:
    assert parse_time(written) == datetime(2013, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("0000-00-00 00:00:00", "time_out_of_range"),
        ("9999-12-31", "time_out_of_range"),
        ("1969-12-31T23:59:59Z", "time_out_of_range"),
        ("2101-01-01", "time_out_of_range"),
        (1e300, "time_out_of_range"),
        ("9" * 20, "time_out_of_range"),
        ("2013-02-30", "bad_time"),
        (20130230, "bad_time"),
        ("yesterday", "bad_time"),
        ("２０１３", "bad_time"),
        (float("nan"), "not_finite"),
        (True, "wrong_type"),
        ([], "wrong_type"),
    ],
)
def test_what_is_no_time(written: object, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        parse_time(written)
    assert caught.value.reason == reason


@given(st.text(max_size=30) | st.from_regex(r"\d{1,4}[-/]\d{1,2}[-/]\d{1,2}.{0,8}") | st.integers() | st.floats())
@settings(deadline=None, derandomize=True, max_examples=300)
def test_anything_is_a_time_or_refused(written: object) -> None:
    try:
        time = parse_time(written)
    except BadRecord:
        return
    assert time.tzinfo is UTC
    assert 1970 <= time.year <= 2100
