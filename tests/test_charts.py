"""The drawing's arithmetic."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from freshtune.charts.bars import bar_chart, stacked_chart
from freshtune.charts.figure import WIDTH, Axis, Caption, Series, Step, Words, ticks
from freshtune.charts.lines import line_chart

CAPTION = Caption("c", Words("title", "标题"), "what it shows")
VALUES = st.floats(-1e6, 1e6, allow_nan=False)


@given(VALUES, VALUES)
@example(93.0, 93.0)
@settings(deadline=None, derandomize=True)
def test_ticks_enclose_are_even_and_few(one: float, two: float) -> None:
    low, high = sorted((one, two))
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-6
    assert marks[-1] >= high - 1e-6
    assert 2 <= len(marks) <= 8
    assert marks == sorted(set(marks))


def test_an_axis_maps_its_ends() -> None:
    axis = Axis(80, 100, 300, 20)
    assert (axis.at(80), axis.at(100), axis.at(90)) == (300, 20, 160)


def test_a_line_has_a_point_for_each_value_and_none_for_a_gap() -> None:
    steps = [Step(Words(str(n)), str(n), Words("band"), hollow=n == 2) for n in range(4)]
    svg = line_chart(CAPTION, steps, [Series(Words("a"), (90.0, None, 92.0, 93.0))])
    assert len(re.findall(r"<circle", svg)) == 3
    assert len(re.findall(r'class="hollow', svg)) == 1


def test_names_at_the_ends_of_lines_do_not_lie_on_each_other() -> None:
    steps = [Step(Words(str(n)), str(n), Words("band")) for n in range(2)]
    series = [Series(Words(str(n)), (80.0, 90.0)) for n in range(3)]
    places = [
        float(y) for y in re.findall(r'class="name c\d" x="[\d.]+" y="([\d.]+)"', line_chart(CAPTION, steps, series))
    ]
    assert len(places) == 3
    assert all(abs(a - b) >= 14 for a in places for b in places if a is not b)


def test_bars_go_left_below_zero_and_right_above() -> None:
    svg = bar_chart(
        CAPTION, Series(Words("x"), (-1.0, 2.0, 0.0)), [Words("a"), Words("b"), Words("c")], (Words("l"), Words("r"))
    )
    assert re.findall(r'<rect class="(good|bad)"', svg) == ["good", "bad", "bad"]
    assert "−1.0" in svg
    assert "+2.0" in svg
    assert ">0.0<" in svg


def test_a_stack_is_as_long_as_its_sum() -> None:
    series = [Series(Words("a"), (1.0, 2.0)), Series(Words("b"), (3.0, 4.0))]
    svg = stacked_chart(CAPTION, [Words("one"), Words("two")], series)
    widths = [
        float(width)
        for width in re.findall(r'class="part c\d" x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="20"', svg)
    ]
    assert len(widths) == 4
    assert abs(sum(widths[2:]) / sum(widths[:2]) - 1.5) < 0.01
    assert ">4.0<" in svg
    assert ">6.0<" in svg


def test_a_legend_takes_the_rows_that_it_needs() -> None:
    names = [
        Words(name, "中文") for name in ("ingest", "delta", "learn", "ship", "judge", "publish", "swap", "another")
    ]
    svg = stacked_chart(CAPTION, [Words("one")], [Series(name, (1.0,)) for name in names])
    entries = re.findall(r'class="label" x="(\d+)" y="(\d+)">(\w+)', svg)
    assert [word for *_, word in entries] == [name.english for name in names]
    assert all(int(x) + 8 * len(word) + 26 < WIDTH for x, _, word in entries)
    lowest = max(int(y) for _, y, _ in entries)
    assert lowest > min(int(y) for _, y, _ in entries)
    assert all(float(y) > lowest for y in re.findall(r'y="([\d.]+)" width="[\d.]+" height="20"', svg))
