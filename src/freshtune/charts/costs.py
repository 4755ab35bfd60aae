"""What things cost, on a scale of powers of ten: dots in rows, and scores over costs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from freshtune.charts.figure import WIDTH, Axis, Caption, Series, Words, figure, ticks

_LEAST = 0.01
"""Seconds below which nothing is told apart."""


@dataclass(frozen=True, slots=True)
class Costly:
    """One row, or one point.

    Attributes:
        costs: all above 0; seconds.
        score: with its interval, where there is one.
        hollow: the costs were laid out from a few steps, not measured.
        colour: number of its colour.
    """

    name: Words
    costs: tuple[float, ...]
    colour: int
    score: tuple[float, float, float] | None = None
    hollow: bool = False

    @property
    def mean(self) -> float:
        return max(_LEAST, sum(self.costs) / len(self.costs)) if self.costs else _LEAST


def cost_rows(caption: Caption, rows: Sequence[Costly]) -> str:
    """A dot a cost, a stroke at their mean, which is written beside them."""
    row, top, left, right = 34, 12, 205, 90
    bottom = top + row * len(rows)
    x = _powers([cost for each in rows for cost in each.costs], left, WIDTH - right)
    parts = [*_scale(x, top, bottom)]
    for place, each in enumerate(rows):
        middle = top + row * place + row / 2
        parts.append(f'<text class="label end" x="{left - 12}" y="{middle + 4}">{each.name.both}</text>')
        for cost in each.costs:
            kind = "hollow" if each.hollow else "point"
            tip = f"<title>{each.name.both}: {_seconds(cost)}</title>"
            parts.append(
                f'<circle class="{kind} c{each.colour}" cx="{_at(x, cost)}" cy="{middle}" r="4">{tip}</circle>'
            )
        if each.costs:
            parts.append(_stroke(f"mean c{each.colour}", _at(x, each.mean), (middle - 10, middle + 10)))
        told = _seconds(each.mean) if each.costs else "–"
        parts.append(f'<text class="value" x="{WIDTH - right + 14}" y="{middle + 4}">{told}</text>')
    means = Series(Words("mean, s", "平均，秒"), tuple(each.mean if each.costs else None for each in rows))
    return figure(caption, bottom + 30, parts, [each.name.both for each in rows], [means], "{:.3g}".format, False)


def score_over_cost(caption: Caption, points: Sequence[Costly]) -> str:
    """A point each: further left costs less, higher scores better. What has no cost stands at the left edge."""
    height, top, bottom, left, right = 400, 16, 350, 56, 60
    judged = [each for each in points if each.score is not None]
    edge = left + 12
    reached = [value for each in judged for value in each.score or ()]
    marks = ticks(min(reached), max(reached))
    y = Axis(marks[0], marks[-1], bottom, top)
    x = _powers([each.mean for each in points if each.costs], left + 64, WIDTH - right)
    parts = [*_scale(x, top, bottom)]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{left}" x2="{x.end}" y1="{y.at(mark)}" y2="{y.at(mark)}"/>')
        parts.append(f'<text class="tick end" x="{left - 8}" y="{y.at(mark) + 4}">{mark:g}</text>')
    places = [_at(x, each.mean) if each.costs else edge for each in judged]
    if edge in places:
        parts.append(f'<text class="tick middle" x="{edge}" y="{bottom + 18}">0 s</text>')
    dots = [(place, y.at(each.score[0])) for each, place in zip(judged, places, strict=True) if each.score]
    labels = _labels([each.name.english for each in judged], dots)
    for each, place, label in zip(judged, places, labels, strict=True):
        parts += _point(each, place, y, label)
    series = [
        Series(Words("mean, s", "平均，秒"), tuple(each.mean if each.costs else None for each in judged)),
        Series(Words("score", "得分"), tuple(each.score[0] if each.score else None for each in judged)),
    ]
    return figure(caption, height, parts, [each.name.both for each in judged], series, "{:.4g}".format, False)


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _labels(names: Sequence[str], dots: Sequence[tuple[float, float]]) -> list[Box]:
    """A place for each name beside its dot, on no other name and no dot where there is room."""
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    placed: list[Box] = []
    for name, dot in zip(names, dots, strict=True):
        tried = list(_around(dot, 8.0 * len(name)))
        free = [box for box in tried if not any(_overlap(box, other) for other in taken)]
        placed.append((free or tried)[0])
        taken.append(placed[-1])
    return placed


def _around(dot: tuple[float, float], wide: float) -> Iterable[Box]:
    """Right of it and left of it, then ever further up and down."""
    x, y = dot
    for away in (0, -16, 16, -32, 32, -48, 48):
        for left in (x + 10, x - 10 - wide):
            if left >= 0 and left + wide <= WIDTH:
                yield left, y + away - 8, left + wide, y + away + 8


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _point(each: Costly, place: float, y: Axis, label: Box) -> Iterable[str]:
    value, low, high = each.score or (0.0, 0.0, 0.0)
    yield _stroke(f"reach c{each.colour}", place, (y.at(high), y.at(low)))
    tip = f"<title>{each.name.both}: {value:.1f}, {_seconds(each.mean) if each.costs else '0 s'}</title>"
    yield f'<circle class="point c{each.colour}" cx="{place}" cy="{y.at(value)}" r="6">{tip}</circle>'
    side, end = ("", label[0]) if label[0] > place else (" end", label[2])
    name = escape(each.name.english)
    yield f'<text class="name c{each.colour}{side}" x="{end:.1f}" y="{label[1] + 12:.1f}">{name}</text>'


def _stroke(kind: str, place: float, ends: tuple[float, float]) -> str:
    return f'<line class="{kind}" x1="{place}" x2="{place}" y1="{ends[0]}" y2="{ends[1]}"/>'


def _powers(costs: Sequence[float], start: float, end: float) -> Axis:
    """From one power of ten to another, around all costs."""
    known = [max(_LEAST, cost) for cost in costs] or [1.0]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    return Axis(low, max(high, low + 1), start, end)


def _at(x: Axis, cost: float) -> float:
    return x.at(math.log10(max(_LEAST, cost)))


def _scale(x: Axis, top: float, bottom: float) -> Iterable[str]:
    for power in range(round(x.low), round(x.high) + 1):
        place = x.at(power)
        yield f'<line class="grid" x1="{place}" x2="{place}" y1="{top}" y2="{bottom}"/>'
        yield f'<text class="tick middle" x="{place}" y="{bottom + 18}">{_seconds(10.0**power)}</text>'


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 100 else f"{value:.3g} s"
