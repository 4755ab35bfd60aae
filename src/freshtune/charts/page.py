"""The page around figures: one HTML file that forbids itself every request, in English with Chinese beside it."""

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files

from freshtune.charts.figure import Words


def page(title: str, header: str, sections: Iterable[str]) -> str:
    """The whole page.

    Args:
        title: of the window.
        header, sections: HTML.
    """
    style = files("freshtune.charts").joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{header}
{"".join(sections)}</main>
</body>
</html>
"""


def section(title: str, chinese: str, body: str) -> str:
    """A heading and what stands below it."""
    return f'<section>\n<h2>{escape(title)}<small lang="zh">{escape(chinese)}</small></h2>\n{body}\n</section>\n'


def tiles(told: Iterable[tuple[str, Words, str]]) -> str:
    """The few numbers to see first: each with what it is, and a word more."""
    items = "\n".join(
        f"<li><b>{escape(value)}</b><span>{label.both}</span><small>{escape(more)}</small></li>"
        for value, label, more in told
    )
    return f'<ul class="tiles">\n{items}\n</ul>'


def note(english: str, chinese: str) -> str:
    """A remark below a figure."""
    return f'<p class="note">{escape(english)} <span lang="zh">{escape(chinese)}</span></p>'


def heads(*names: tuple[str, str]) -> list[str]:
    """Heads of a table's columns."""
    return [f'{escape(english)} <span lang="zh">{escape(chinese)}</span>' for english, chinese in names]


def facts(told: Mapping[str, str]) -> str:
    """A list of facts."""
    rows = "\n".join(f"<dt>{escape(fact)}</dt><dd>{escape(value)}</dd>" for fact, value in told.items())
    return f"<dl>\n{rows}\n</dl>"
