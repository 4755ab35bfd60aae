"""A tuning as one SVG that stands alone: what mattered, and the trials in the order in which they were tried."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import accumulate
from pathlib import Path

from freshtune.tune.study import ENOUGH_TO_WEIGH, Trial, best_of

_WIDTH, _LEFT, _RIGHT = 860, 210, 30
_ROW, _PLOT = 26, 260
_MOST_BARS = 12
_Scale = Callable[[float], float]
_STYLE = """\
text{font:13px system-ui,"Noto Sans SC",sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}
.tick,.note{fill:#656d76;font-size:12px}.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:#d8dee4}.bar{fill:#2f6fb2}.trial{fill:#2f6fb2}.pruned{fill:none;stroke:#9aa4af;stroke-width:1.5}
.best{fill:none;stroke:#c2571a;stroke-width:2}.winner{fill:#c2571a}.ground{fill:#ffffff}
"""


def write_picture(path: Path, task: str, trials: Sequence[Trial], mattered: Mapping[str, float]) -> Path:
    """Draw a tuning into a file, which is replaced whole."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(drawn(task, trials, mattered), "utf-8")
    fresh.replace(path)
    return path


def drawn(task: str, trials: Sequence[Trial], mattered: Mapping[str, float]) -> str:
    """The SVG.

    Args:
        trials: at least one that was played to the end.
        mattered: dimension → share, the largest first; may be empty.
    """
    bars = list(mattered.items())[:_MOST_BARS]
    top = 66 + _ROW * max(1, len(bars))
    height = top + 60 + _PLOT + 70
    parts = [*_bars(bars), *_scatter(trials, top + 60, top + 60 + _PLOT)]
    words = f"Tuning of {task}: {len(trials)} trials"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img">',
            f"<title>{escape(words)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        )
    )


def _bars(bars: Sequence[tuple[str, float]]) -> Iterator[str]:
    yield '<text class="title" x="20" y="28">What mattered: share of the difference between trials · 各项影响</text>'
    if not bars:
        words = f"Told from {ENOUGH_TO_WEIGH} trials on that were played to the end."
        yield f'<text class="note" x="20" y="60">{words}</text>'
    room = _WIDTH - _LEFT - _RIGHT - 60
    longest = max((share for _, share in bars), default=1.0) or 1.0
    for place, (name, share) in enumerate(bars):
        middle, length = 46 + _ROW * place + _ROW / 2, room * share / longest
        yield f'<text class="end" x="{_LEFT - 10}" y="{middle + 4}">{escape(name)}</text>'
        yield f'<rect class="bar" x="{_LEFT}" y="{middle - 8}" width="{max(length, 1):.1f}" height="16"/>'
        yield f'<text class="tick" x="{_LEFT + length + 8:.1f}" y="{middle + 4}">{share:.0%}</text>'


def _scatter(trials: Sequence[Trial], top: float, bottom: float) -> Iterator[str]:
    left, right = 80, _WIDTH - _RIGHT
    yield f'<text class="title" x="20" y="{top - 30}">Trials in time, by value · 试验过程</text>'
    values = [each.value for each in trials if each.state == "complete"]
    low, high = _bounds(values)

    def across(number: float) -> float:
        return left + 14 + (right - left - 28) * number / max(1, len(trials) - 1)

    def up(value: float) -> float:
        return bottom - (bottom - top) * (min(max(value, low), high) - low) / (high - low)

    for mark in (low + (high - low) * step / 4 for step in range(5)):
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{up(mark):.1f}" y2="{up(mark):.1f}"/>'
        yield f'<text class="tick end" x="{left - 8}" y="{up(mark) + 4:.1f}">{mark:.4f}</text>'
    for number in sorted({0, len(trials) // 2, len(trials) - 1}):
        yield f'<text class="tick middle" x="{across(number):.1f}" y="{bottom + 20}">{number}</text>'
    yield from _points(trials, across, up)
    legend = (
        "Line: the best so far. Hollow: stopped early. What lies lower than the axis is drawn on its edge. "
        "Trial 0 is the recipe as it was."
    )
    yield f'<text class="note" x="20" y="{bottom + 48}">{legend}</text>'


def _points(trials: Sequence[Trial], across: _Scale, up: _Scale) -> Iterator[str]:
    best = best_of(trials)
    known = [each.value if each.state == "complete" else -math.inf for each in trials]
    line = [(across(place), up(value)) for place, value in enumerate(accumulate(known, max)) if value > -math.inf]
    yield f'<polyline class="best" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}"/>'
    for each in trials:
        whole = each.state == "complete"
        kind = "winner" if each == best else "trial" if whole else "pruned"
        size = 6 if each == best else 4
        told = f"{each.value:.4f}" if whole else f"stopped after {each.steps}"
        tip = f"<title>trial {each.number}: {told}</title>"
        place = f'cx="{across(each.number):.1f}" cy="{up(each.value if whole else -math.inf):.1f}"'
        yield f'<circle class="{kind}" {place} r="{size}">{tip}</circle>'


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """From the lower end of the better three quarters to the best value, with a little room."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[-1]
    room = max((high - low) * 0.1, 0.001)
    return low - room, high + room
