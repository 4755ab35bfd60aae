"""What charts are made of. Every chart is a ``<figure>`` with inline SVG: title and description for screen readers
inside the drawing, its numbers below. Colours are in ``report.css``.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH = 760
LEGEND_ROW = 24


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


def spread(places: Sequence[float], apart: float) -> list[float]:
    """Push labels apart that would lie on each other, lower ones downward; their order stays."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for above, below in pairwise(order):
        moved[below] = max(moved[below], moved[above] + apart)
    return moved


def legend(names: Sequence[Words]) -> list[list[str]]:
    """The series' names beside their colours, in as many rows as their widths ask for."""
    rows: list[list[str]] = [[]]
    place = 0
    for number, name in enumerate(names):
        width = 42 + 8 * len(name.english) + 13 * len(name.chinese)
        if rows[-1] and place + width > WIDTH:
            rows.append([])
            place = 0
        height = 12 + LEGEND_ROW * (len(rows) - 1)
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


def figure(
    caption: Caption,
    height: float,
    parts: Iterable[str],
    rows: Sequence[str],
    series: Sequence[Series],
    shown: Callable[[float], str],
    unfolded: bool = True,
    width: float = WIDTH,
) -> str:
    """A chart with its numbers.

    Args:
        parts: the drawing, elements of SVG.
        rows, series: its numbers as a table, a series a column.
        shown: how a number is written.
        unfolded: whether the table is seen before somebody asks for it.
    """
    body = "\n".join(parts)
    columns = [[("–" if value is None else shown(value)) for value in line.values] for line in series]
    cells = [[row, *(column[place] for column in columns)] for place, row in enumerate(rows)]
    return f"""<figure id="{caption.id}">
<figcaption>{caption.title.both}</figcaption>
<div class="wide">
<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-labelledby="{caption.id}-title {caption.id}-desc">
<title id="{caption.id}-title">{caption.title.both}</title>
<desc id="{caption.id}-desc">{escape(caption.description)}</desc>
{body}
</svg>
</div>
<p class="note">{escape(caption.description)}</p>
<details{" open" if unfolded else ""}><summary>the numbers 数据</summary>
{table(["", *(line.name.both for line in series)], cells)}
</details>
</figure>"""
