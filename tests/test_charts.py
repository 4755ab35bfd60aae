"""The drawing's arithmetic."""

import re
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from freshtune.charts.bars import bar_chart, stacked_chart
from freshtune.charts.costs import Costly, cost_rows, score_over_cost
from freshtune.charts.figure import WIDTH, Axis, Caption, Series, Step, Words, ticks
from freshtune.charts.heat import heat_map
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


def test_dearer_stands_further_right_and_a_power_of_ten_is_one_width() -> None:
    rows = [Costly(Words(str(cost)), (cost,), 0, (90.0, 89.0, 91.0)) for cost in (0.1, 1.0, 10.0, 100.0)]
    for svg in (cost_rows(CAPTION, rows), score_over_cost(CAPTION, rows)):
        places = [float(place) for place in re.findall(r'<circle class="point c0" cx="([\d.]+)"', svg)]
        assert len(places) == 4
        widths = [after - before for before, after in pairwise(places)]
        assert min(widths) > 0
        assert max(widths) - min(widths) < 0.3


def test_what_is_not_measured_is_hollow_and_what_has_no_score_is_no_point() -> None:
    rows = [Costly(Words("a"), (5.0, 7.0), 1, hollow=True), Costly(Words("b"), (), 2, (90.0, 89.0, 91.0))]
    assert len(re.findall(r'<circle class="hollow c1"', cost_rows(CAPTION, rows))) == 2
    svg = score_over_cost(CAPTION, rows)
    assert len(re.findall("<circle", svg)) == 1
    assert ">0 s<" in svg


@given(st.lists(st.tuples(st.floats(0.02, 900), st.floats(80, 95)), min_size=1, max_size=5))
def test_names_beside_points_do_not_lie_on_each_other(points: list[tuple[float, float]]) -> None:
    rows = [Costly(Words(f"n{n}"), (cost,), n, (score, score, score)) for n, (cost, score) in enumerate(points)]
    svg = score_over_cost(CAPTION, rows)
    boxes = []
    for end, x, y in re.findall(r'<text class="name c\d( end)?" x="([\d.]+)" y="([\d.]+)"', svg):
        left = float(x) - (16 if end else 0)
        boxes.append((left, float(y) - 12, left + 16, float(y) + 4))
    assert len(boxes) == len(points)
    apart = [a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for a in boxes for b in boxes if a is not b]
    assert all(apart)


def test_a_cell_says_how_far_it_is_from_its_columns_first() -> None:
    columns = [Series(Words("a"), (90.0, 85.0, 90.0)), Series(Words("b"), (None, 80.0, 81.0))]
    svg = heat_map(CAPTION, [Words(str(n)) for n in range(3)], [Words("a"), Words("b")], columns)
    cells = re.findall(r'<rect class="cell (\w+)".*?<text class="cell-value"[^>]*>([^<]+)<', svg, re.DOTALL)
    assert cells == [
        ("level", "90.0"), ("bad", "−5.0"), ("level", "0.0"), ("level", "80.0"), ("good", "+1.0"),
    ]  # fmt: skip
