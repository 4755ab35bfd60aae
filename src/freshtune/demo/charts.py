"""Three small charts as inline SVG: lines, signed bars, stacked bars. Their colours are in ``assets/report.css``.

Every chart is a ``<figure>``: title and description for screen readers inside the drawing, its numbers below.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, groupby, pairwise

WIDTH = 760
_LEGEND_ROW = 24


@dataclass(frozen=True, slots=True)
class Words:
    """A label in English, with its Chinese beside it where there is one."""

    english: str
    chinese: str = ""

    @property
    def both(self) -> str:
        """Both, escaped for HTML.

        >>> Words("books", "图书").both
        'books 图书'
        """
        return escape(f"{self.english} {self.chinese}".strip())


@dataclass(frozen=True, slots=True)
class Caption:
    """What a chart is called and what it shows, for everyone."""

    id: str
    title: Words
    description: str


@dataclass(frozen=True, slots=True)
class Series:
    """A row of values, one for each step; None where nothing was measured."""

    name: Words
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the x axis: its name, the short label drawn, its band, and whether its points are drawn hollow."""

    name: Words
    label: str
    band: Words
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from ``low`` to ``high`` laid on pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that enclose the values, at most ``most`` + 1 of them and two at least.

    >>> ticks(83, 94)
    [82.0, 84.0, 86.0, 88.0, 90.0, 92.0, 94.0]
    """
    if high - low < 1e-6:
        low, high = low - 1, high + 1
    span = high - low
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next(size * factor for factor in (1, 2, 5, 10, 20) if _steps(low, high, size * factor) <= most)
    return [round(step * index, 10) for index in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _steps(low: float, high: float, step: float) -> int:
    return math.ceil(high / step) - math.floor(low / step)


def signed(value: float, form: str) -> str:
    """A number with its sign, a true minus; zero has none.

    >>> signed(-0.5, "g"), signed(0.0, ".1f"), signed(2, ".1f")
    ('−0.5', '0.0', '+2.0')
    """
    text = format(abs(value), form)
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def line_chart(caption: Caption, steps: Sequence[Step], series: Sequence[Series]) -> str:
    """Lines over the steps, each named at its right end; the band of the steps above them."""
    height, left, right, top, bottom = 380, 48, 150, 34, 46
    known = [value for line in series for value in line.values if value is not None]
    marks = ticks(min(known), max(known))
    y = Axis(marks[0], marks[-1], height - bottom, top)
    x = Axis(0, max(len(steps) - 1, 1), left + 18, WIDTH - right)
    parts = [*_bands(steps, x, top, height - bottom), *_grid(marks, y, left, WIDTH - right + 14)]
    parts += _step_labels(steps, x, height - bottom + 18)
    ends = _spread([y.at(_last(line)) for line in series], 17)
    for number, (line, end) in enumerate(zip(series, ends, strict=True)):
        parts += _line(number, line, steps, x, y)
        parts.append(f'<text class="name c{number}" x="{WIDTH - right + 20}" y="{end + 4}">{line.name.both}</text>')
    return _figure(caption, height, parts, [step.name.both for step in steps], series, "{:.1f}".format)


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


def _spread(places: Sequence[float], apart: float) -> list[float]:
    """Push labels apart that would lie on each other, lower ones downward; their order stays."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    spread = list(places)
    for above, below in pairwise(order):
        spread[below] = max(spread[below], spread[above] + apart)
    return spread


def bar_chart(caption: Caption, bars: Series, names: Sequence[Words], signs: tuple[Words, Words]) -> str:
    """Horizontal bars around zero; ``signs`` say what left and what right of zero mean."""
    row, top, left, right = 40, 40, 130, 60
    height = top + row * len(names) + 34
    values = [value or 0.0 for value in bars.values]
    reach = max(1.0, *(abs(value) for value in values))
    marks = ticks(-reach, reach, 8)
    x = Axis(marks[0], marks[-1], left, WIDTH - right)
    zero, bottom = x.at(0), top + row * len(names)
    parts = [f'<text class="sign end" x="{zero - 10}" y="{top - 16}">← {signs[0].both}</text>']
    parts.append(f'<text class="sign" x="{zero + 10}" y="{top - 16}">{signs[1].both} →</text>')
    for mark in marks:
        parts.append(f'<line class="grid" x1="{x.at(mark)}" x2="{x.at(mark)}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{x.at(mark)}" y="{bottom + 18}">{signed(mark, "g")}</text>')
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        middle, end = top + row * place + row / 2, x.at(value)
        side, anchor, shift = ("good", "end", -8) if value < 0 else ("bad", "start", 8)
        parts.append(f'<text class="label end" x="{left - 12}" y="{middle + 4}">{name.both}</text>')
        parts.append(
            f'<rect class="{side}" x="{min(zero, end)}" y="{middle - 9}" width="{abs(end - zero):.1f}" height="18"/>'
        )
        parts.append(f'<text class="value {anchor}" x="{end + shift}" y="{middle + 4}">{signed(value, ".1f")}</text>')
    parts.append(f'<line class="zero" x1="{zero}" x2="{zero}" y1="{top}" y2="{bottom}"/>')
    return _figure(caption, height, parts, [name.both for name in names], [bars], lambda value: signed(value, ".1f"))


def stacked_chart(caption: Caption, steps: Sequence[Words], series: Sequence[Series]) -> str:
    """One horizontal bar a step, made of the series' values laid end to end; the sum at its end."""
    row, left, right = 30, 150, 70
    legend = _legend([line.name for line in series])
    top = 24 + _LEGEND_ROW * len(legend)
    bottom = top + row * len(steps)
    totals = [sum(line.values[place] or 0.0 for line in series) for place in range(len(steps))]
    marks = ticks(0, max(totals))
    x = Axis(0, marks[-1], left, WIDTH - right)
    parts = [*chain.from_iterable(legend)]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{x.at(mark)}" x2="{x.at(mark)}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{x.at(mark)}" y="{bottom + 18}">{mark:g}</text>')
    for place, (name, total) in enumerate(zip(steps, totals, strict=True)):
        height = top + row * place
        parts.append(f'<text class="label end" x="{left - 12}" y="{height + 19}">{name.both}</text>')
        parts += _stack(series, place, x, height + 5)
        parts.append(f'<text class="value" x="{x.at(total) + 8}" y="{height + 19}">{total:.1f}</text>')
    return _figure(caption, bottom + 34, parts, [name.both for name in steps], series, "{:.2f}".format)


def _stack(series: Sequence[Series], place: int, x: Axis, height: float) -> Iterable[str]:
    sum_before = 0.0
    for number, line in enumerate(series):
        value = line.values[place] or 0.0
        start, end = x.at(sum_before), x.at(sum_before + value)
        place_and_size = f'x="{start}" y="{height}" width="{end - start:.1f}" height="20"'
        tip = f"<title>{line.name.both}: {value:.2f}</title>"
        yield f'<rect class="part c{number % 8}" {place_and_size}>{tip}</rect>'
        sum_before += value


def _legend(names: Sequence[Words]) -> list[list[str]]:
    """The series' names beside their colours, in as many rows as their widths ask for."""
    rows: list[list[str]] = [[]]
    place = 0
    for number, name in enumerate(names):
        width = 42 + 8 * len(name.english) + 13 * len(name.chinese)
        if rows[-1] and place + width > WIDTH:
            rows.append([])
            place = 0
        height = 12 + _LEGEND_ROW * (len(rows) - 1)
        rows[-1].append(f'<rect class="part c{number % 8}" x="{place}" y="{height}" width="12" height="12"/>')
        rows[-1].append(f'<text class="label" x="{place + 18}" y="{height + 11}">{name.both}</text>')
        place += width
    return rows


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; all cells are HTML already."""
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heads)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _figure(
    caption: Caption,
    height: float,
    parts: Iterable[str],
    rows: Sequence[str],
    series: Sequence[Series],
    shown: Callable[[float], str],
) -> str:
    body = "\n".join(parts)
    columns = [[("–" if value is None else shown(value)) for value in line.values] for line in series]
    cells = [[row, *(column[place] for column in columns)] for place, row in enumerate(rows)]
    return f"""<figure id="{caption.id}">
<figcaption>{caption.title.both}</figcaption>
<div class="wide">
<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="{caption.id}-title {caption.id}-desc">
<title id="{caption.id}-title">{caption.title.both}</title>
<desc id="{caption.id}-desc">{escape(caption.description)}</desc>
{body}
</svg>
</div>
<p class="note">{escape(caption.description)}</p>
<details open><summary>the numbers 数据</summary>
{table(["", *(line.name.both for line in series)], cells)}
</details>
</figure>"""
