"""A triangle of cells: what became of each part as others arrived."""

from collections.abc import Iterable, Sequence

from freshtune.charts.figure import Caption, Series, Words, figure, signed

_STRONG = 5.0
"""Points of change at which a cell has its full colour."""
_ROW, _LEFT, _TOP = 26, 46, 26
_WIDE = 420


def heat_map(caption: Caption, rows: Sequence[Words], columns: Sequence[Words], values: Sequence[Series]) -> str:
    """One row a moment, one column a part; a cell is coloured by how far it lies from its column's first value.

    Args:
        rows: moments; the places of rows and columns are numbered from 0 in the drawing.
        values: one a column, with a value a row; None before the part arrived.
    """
    width = (_WIDE - _LEFT) / len(columns)
    height = _TOP + _ROW * len(rows)
    parts = [*_numbers(len(rows), len(columns), width)]
    for place, series in enumerate(values):
        begun = next((value for value in series.values if value is not None), 0.0)
        first = next((row for row, value in enumerate(series.values) if value is not None), 0)
        for row, value in enumerate(series.values):
            if value is not None:
                tip = f"{series.name.both}, {rows[row].both}: {value:.1f} ({signed(value - begun, '.1f')})"
                shown = f"{value:.1f}" if row == first else signed(value - begun, ".1f")
                parts += _cell(_LEFT + place * width, _TOP + row * _ROW, width, value - begun, (shown, tip))
    names = [row.both for row in rows]
    return figure(caption, height + 6, parts, names, values, "{:.1f}".format, unfolded=False, width=_WIDE)


def _numbers(rows: int, columns: int, width: float) -> Iterable[str]:
    for place in range(columns):
        yield f'<text class="tick middle" x="{_LEFT + (place + 0.5) * width:.1f}" y="{_TOP - 9}">{place}</text>'
    for row in range(rows):
        yield f'<text class="tick end" x="{_LEFT - 8}" y="{_TOP + row * _ROW + 17}">{row}</text>'


def _cell(left: float, top: float, width: float, change: float, words: tuple[str, str]) -> Iterable[str]:
    kind = "level" if abs(change) < 0.05 else "good" if change > 0 else "bad"
    strength = 1.0 if kind == "level" else 0.12 + 0.48 * min(1.0, abs(change) / _STRONG)
    place = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_ROW}"'
    yield f'<rect class="cell {kind}" {place} fill-opacity="{strength:.2f}"><title>{words[1]}</title></rect>'
    yield f'<text class="cell-value" x="{left + width / 2:.1f}" y="{top + 17}">{words[0]}</text>'
