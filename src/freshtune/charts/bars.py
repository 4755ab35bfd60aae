"""Signed bars around zero, and stacked ones."""

from collections.abc import Iterable, Sequence
from itertools import chain

from freshtune.charts.figure import LEGEND_ROW, WIDTH, Axis, Caption, Series, Words, figure, legend, signed, ticks


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
    return figure(caption, height, parts, [name.both for name in names], [bars], lambda value: signed(value, ".1f"))


def stacked_chart(caption: Caption, steps: Sequence[Words], series: Sequence[Series]) -> str:
    """One horizontal bar a step, made of the series' values laid end to end; the sum at its end."""
    row, left, right = 30, 150, 70
    entries = legend([line.name for line in series])
    top = 24 + LEGEND_ROW * len(entries)
    bottom = top + row * len(steps)
    totals = [sum(line.values[place] or 0.0 for line in series) for place in range(len(steps))]
    marks = ticks(0, max(totals))
    x = Axis(0, marks[-1], left, WIDTH - right)
    parts = [*chain.from_iterable(entries)]
    for mark in marks:
        parts.append(f'<line class="grid" x1="{x.at(mark)}" x2="{x.at(mark)}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick middle" x="{x.at(mark)}" y="{bottom + 18}">{mark:g}</text>')
    for place, (name, total) in enumerate(zip(steps, totals, strict=True)):
        height = top + row * place
        parts.append(f'<text class="label end" x="{left - 12}" y="{height + 19}">{name.both}</text>')
        parts += _stack(series, place, x, height + 5)
        parts.append(f'<text class="value" x="{x.at(total) + 8}" y="{height + 19}">{total:.1f}</text>')
    return figure(caption, bottom + 34, parts, [name.both for name in steps], series, "{:.2f}".format)


def _stack(series: Sequence[Series], place: int, x: Axis, height: float) -> Iterable[str]:
    sum_before = 0.0
    for number, line in enumerate(series):
        value = line.values[place] or 0.0
        start, end = x.at(sum_before), x.at(sum_before + value)
        place_and_size = f'x="{start}" y="{height}" width="{end - start:.1f}" height="20"'
        tip = f"<title>{line.name.both}: {value:.2f}</title>"
        yield f'<rect class="part c{number % 8}" {place_and_size}>{tip}</rect>'
        sum_before += value
