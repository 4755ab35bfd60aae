"""The report: complete, self-contained, readable by a machine that reads to people, and true to its numbers."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from freshtune.demo.report import named, render, write_report
from tests.demo.sample import NAMES, sample

VOID = {"meta"}


class Page(HTMLParser):
    """Checks that every tag is closed in order, and keeps tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_page_is_well_formed_and_has_three_charts_with_their_tables() -> None:
    page = Page(render(sample()))
    assert page.open == []
    assert page.tags.count("svg") == page.tags.count("figcaption") == page.tags.count("desc") == 3
    assert page.tags.count("table") == 6
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids)) == 9
    named_by = [value for name, value in page.attributes if name == "aria-labelledby"]
    assert all(set(value.split()) <= set(ids) for value in named_by if value)


def test_page_asks_for_nothing_from_outside() -> None:
    html = render(sample())
    assert "default-src 'none'" in html
    for word in ("http://", "https://", "//cdn", "src=", "href=", "url(", "@import", "<script"):
        assert word not in html, word


def test_every_number_of_the_result_is_shown() -> None:
    result = sample()
    texts = " ".join(Page(render(result)).texts)
    for increment in result.increments:
        assert f"{sum(increment.seconds.values()):.1f}" in texts
        assert f"{100 * increment.fresh.before:.1f} → {100 * increment.fresh.after:.1f}" in texts
        assert f"{increment.kept:,}" in texts
    for domain in result.domains:
        assert f"{100 * domain.frozen:.1f} % → {100 * domain.final:.1f} %" in texts
    assert "+2.1" in texts
    assert "+0.8 to +3.4" in texts
    assert "5 / 7" in texts
    assert "1 refused by the gate, 1 undecided" in texts
    assert "214 s" in texts


def test_each_number_of_an_update_says_whose_it_is_and_each_decision_begins_plainly() -> None:
    html = render(sample())
    assert "old, %: live → candidate" in html
    assert "90.0 → 89.4" in html, "the refused candidate's own score, not the live release's"
    refused = (
        '<span class="refused">refused 拒绝</span> It has forgotten &lt;script&gt;. Too slow.<small>accuracy on 600'
    )
    assert f"<b>hotels 3 酒店</b> {refused}" in html
    assert '<span class="undecided">undecided 待定</span> Worse on new, but within noise.<small>' in html


def test_points_lost_are_positive_and_a_gain_is_called_one() -> None:
    result = sample()
    lost = {domain.domain: domain.forgetting for domain in result.domains}
    assert lost["books"] < 0 < lost["hotels"]
    html = render(result)
    assert html.count("Negative: it got better.") >= 2
    assert html.count("−0.8") >= 3, "table, bar, the bar's table"
    assert "← got better 更好" in html


def test_a_negative_difference_has_a_true_minus() -> None:
    result = sample()
    worse = replace(result.domains[0].difference, value=-0.012, low=-0.02, high=-0.001)
    page = render(replace(result, domains=(replace(result.domains[0], difference=worse), *result.domains[1:])))
    assert "−1.2" in page
    assert "−2.0 to −0.1" in page


def test_text_from_outside_is_escaped() -> None:
    html = render(sample())
    assert "房间很小 &amp; 前台态度差，但位置不错 &lt;b&gt;" in html
    assert "&lt;script&gt;" in html


def test_one_increment_and_none_are_drawn_too() -> None:
    Page(render(sample(NAMES[:1])))
    none = sample(())
    page = Page(render(replace(none, domains=none.domains[:1])))
    assert page.tags.count("svg") == 2


def test_chinese_stands_beside_english() -> None:
    assert named("hotels 2").both == "hotels 2 酒店"
    assert named("unheard").both == "unheard"
    texts = " ".join(Page(render(sample())).texts)
    for word in ("图书", "酒店", "电脑", "遗忘", "准确率", "首个版本"):
        assert word in texts


def test_written_where_it_was_asked_for(tmp_path: Path) -> None:
    path = write_report(sample(), tmp_path / "deep" / "报告.html")
    assert path.is_absolute()
    assert path.read_text(encoding="utf-8") == render(sample())
