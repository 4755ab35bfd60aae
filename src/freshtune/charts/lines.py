"""Lines over steps."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

from freshtune.charts.figure import WIDTH, Axis, Caption, Series, Step, figure, spread, ticks


def line_chart(caption: Caption, steps: Sequence[Step], series: Sequence[Series], unfolded: bool = True) -> str:
    """Lines over the steps, each named at its right end; the band of the steps above them.

    Args:
        unfolded: whether the numbers below are seen before somebody asks for them.
    """
    height, left, right, top, bottom = 380, 48, 150, 34, 46
    known = [value for line in series for value in line.values if value is not None]
    marks = ticks(min(known), max(known))
    y = Axis(marks[0], marks[-1], height - bottom, top)
    x = Axis(0, max(len(steps) - 1, 1), left + 18, WIDTH - right)
    parts = [*_bands(steps, x, top, height - bottom), *_grid(marks, y, left, WIDTH - right + 14)]
    parts += _step_labels(steps, x, height - bottom + 18)
    ends = spread([y.at(_last(line)) for line in series], 17)
    for number, (line, end) in enumerate(zip(series, ends, strict=True)):
        parts += _line(number, line, steps, x, y)
        parts.append(f'<text class="name c{number}" x="{WIDTH - right + 20}" y="{end + 4}">{line.name.both}</text>')
    return figure(caption, height, parts, [step.name.both for step in steps], series, "{:.1f}".format, unfolded)


def _line(number: int, line: Series, steps: Sequence[Step], x: Axis, y: Axis) -> Iterable[str]:
    points = [
        (x.at(place), y.at(value), value, step)
        for place, (value, step) in enumerate(zip(line.values, steps, strict=True))
        if value is not None
    ]
    path = " ".join(f"{left},{height}" for left, height, _, _ in points)
    yield f'<polyline class="line c{number}" points="{path}"/>'
    for left, height, value, step in points:
        tip = f"<title>{line.name.both}, {step.name.both}: {value:.1f}</title>"
        kind = "hollow" if step.hollow else "point"
        yield f'<circle class="{kind} c{number}" cx="{left}" cy="{height}" r="4">{tip}</circle>'


def _last(line: Series) -> float:
    return next(value for value in reversed(line.values) if value is not None)


def _bands(steps: Sequence[Step], x: Axis, top: float, bottom: float) -> Iterable[str]:
    half = (x.at(1) - x.at(0)) / 2
    runs = groupby(enumerate(steps), key=lambda pair: pair[1].band)
    for number, (band, run) in enumerate(runs):
        places = [place for place, _ in run]
        left = max(x.at(places[0]) - half, x.start - 18)
        right = min(x.at(places[-1]) + half, x.end + 14)
        shade = "band" if number % 2 else "band plain"
        yield f'<rect class="{shade}" x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{bottom - top}"/>'
        yield f'<text class="band-name" x="{(left + right) / 2:.1f}" y="{top - 12}">{band.both}</text>'


def _grid(marks: Sequence[float], y: Axis, left: float, right: float) -> Iterable[str]:
    for mark in marks:
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y.at(mark)}" y2="{y.at(mark)}"/>'
        yield f'<text class="tick end" x="{left - 8}" y="{y.at(mark) + 4}">{mark:g}</text>'


def _step_labels(steps: Sequence[Step], x: Axis, height: float) -> Iterable[str]:
    every = math.ceil(len(steps) / 12)
    for place, step in enumerate(steps):
        if place % every == 0:
            yield f'<text class="tick middle" x="{x.at(place)}" y="{height}">{escape(step.label)}</text>'
