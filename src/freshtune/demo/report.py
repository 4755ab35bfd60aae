"""The demo's report: one HTML file that needs nothing else, in English with Chinese beside it."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path

from freshtune.charts.bars import bar_chart, stacked_chart
from freshtune.charts.figure import Caption, Series, Step, Words, signed, table
from freshtune.charts.lines import line_chart
from freshtune.charts.page import facts, heads, note, page, section, tiles
from freshtune.demo import verdicts
from freshtune.demo.result import Change, DemoResult, DomainResult, FirstRelease, IncrementResult
from freshtune.records import Estimate

CHINESE = {
    "books": "图书",
    "hotels": "酒店",
    "computers": "电脑",
    "accuracy": "准确率",
    "ingest": "入库",
    "delta": "增量",
    "collect": "增量",
    "label": "标注",
    "learn": "学习",
    "train": "训练",
    "judge": "评判",
    "evaluate": "评估",
    "ship": "打包",
    "export": "导出",
    "publish": "发布",
    "start": "启动",
    "swap": "切换",
    "serve": "服务",
    "negative": "负面",
    "positive": "正面",
}
"""What the names in a result are called in Chinese; one that is not here is shown in English alone."""


def named(name: str) -> Words:
    """A name out of the result with its Chinese; ``hotels 2`` is looked up by its word."""
    return Words(name, CHINESE.get(name.partition(" ")[0], ""))


def write_report(result: DemoResult, path: Path) -> Path:
    """Write the report; gives the absolute path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(result), encoding="utf-8")
    return path.resolve()


def render(result: DemoResult) -> str:
    """The whole page."""
    sections = (
        section("Score by increment", "各增量之后的得分", _score_chart(result)),
        section("First release against the last one", "首个版本与最终版本", _final_table(result)),
        section("Forgetting", "遗忘", _forgetting_chart(result)),
        section("Update by update", "逐次更新", _updates_table(result)),
        section("Where the seconds go", "时间花在哪里", _seconds_chart(result)),
        section("One sentence, two releases", "同一句话，两个版本", _replies(result)),
        section("How it was measured", "测量方法", _method(result)),
    )
    return page("freshtune demo 演示报告", _header(result), sections)


def _header(result: DemoResult) -> str:
    shown = [_domain_tile(domain) for domain in result.domains]
    decisions = Counter(increment.decision for increment in result.increments)
    others = [f"{decisions['refused']} refused by the gate"]
    others += [f"{decisions['undecided']} undecided"] * (decisions["undecided"] > 0)
    promoted = f"{decisions['promoted']} / {len(result.increments)}"
    shown.append((promoted, Words("updates promoted", "更新上线"), ", ".join(others)))
    seconds = sorted(sum(increment.seconds.values()) for increment in result.increments)
    if seconds:
        span = f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
        shown.append((f"{seconds[len(seconds) // 2]:.1f} s", Words("an update (median)", "每次更新（中位数）"), span))
    return f"""<h1>A shop's model that learns from what arrives<small lang="zh">边用边学的店铺模型</small></h1>
<p class="lead">A first release learned from book reviews. Then hotel reviews arrived, then reviews of computers and
appliances. After every increment freshtune tuned the live model, judged this candidate on held-out reviews, and served
it if it passed.</p>
<p class="lead" lang="zh">首个版本由图书评论训练而成；随后酒店评论、电脑与家电评论依次到达。每个增量到达后，freshtune
微调线上模型，在留出的评论上评判这个候选版本，通过才上线。</p>
{tiles(shown)}"""


def _domain_tile(domain: DomainResult) -> tuple[str, Words, str]:
    label = Words(f"points on {domain.domain}", CHINESE.get(domain.domain, ""))
    return _points(domain.difference.value), label, f"{_percent(domain.frozen)} → {_percent(domain.final)}"


def _score_chart(result: DemoResult) -> str:
    steps = [Step(Words("first release", "首个版本"), "first", named("books"))]
    for increment in result.increments:
        name, label = named(increment.name), increment.name.split(" ")[-1]
        steps.append(Step(name, label, named(increment.domain), not increment.promoted))
    series = [Series(named(domain.domain), _hundredths(domain.scores)) for domain in result.domains]
    caption = Caption(
        "score",
        Words(f"{result.metric.capitalize()} of the live release, in percent", "线上版本的得分（%）"),
        "Each line is one domain's held-out reviews, as far as they had arrived, scored after the first release and "
        "after every increment. It begins with the release that had not seen the domain yet, on the reviews that came "
        "next. The bands say which domain was arriving. A hollow point is an increment whose candidate was not "
        "promoted: the live release stayed.",
    )
    return line_chart(caption, steps, series)


def _hundredths(scores: Iterable[float | None]) -> tuple[float | None, ...]:
    return tuple(None if score is None else 100 * score for score in scores)


def _final_table(result: DemoResult) -> str:
    columns = heads(
        ("domain", "领域"), ("held out", "留出"), ("first release", "首个版本"), ("last release", "最终版本"),
        ("difference, points", "差值"), ("95 % interval", "置信区间"), ("lost since learned, points", "学会后失去"),
    )  # fmt: skip
    rows = [
        [
            named(domain.domain).both,
            f"{domain.examples:,}",
            _percent(domain.frozen),
            _percent(domain.final),
            _points(domain.difference.value),
            _interval(domain.difference),
            signed(domain.forgetting, ".1f"),
        ]
        for domain in result.domains
    ]
    return table(columns, rows) + note(
        "The first release, never updated, and the last live one answered the same held-out reviews; the interval is "
        f"of the paired difference. {_LOST}",
        _LOST_CHINESE,
    )


_LOST = "Lost since learned: from just after the domain's last increment to the end. Negative: it got better."
_LOST_CHINESE = "学会后失去：从该领域最后一个增量学完到结束所失去的分数；负数表示反而更好。"


def _forgetting_chart(result: DemoResult) -> str:
    caption = Caption(
        "forgetting",
        Words("Points lost since a domain was learned", "学会后失去的分数"),
        f"{_LOST} The domain that arrived last has had nothing after it, so its bar is zero.",
    )
    bars = Series(Words("lost since learned, points", "学会后失去"), tuple(each.forgetting for each in result.domains))
    names = [named(domain.domain) for domain in result.domains]
    return bar_chart(caption, bars, names, (Words("got better", "更好"), Words("lost", "失去")))


_LIVE_TO_CANDIDATE = "线上\N{WORD JOINER}→\N{WORD JOINER}候选"  # never broken at the arrow


def _updates_table(result: DemoResult) -> str:
    columns = heads(
        ("increment", "增量"), ("verdict", "结论"), ("fresh, %: live → candidate", f"新数据 {_LIVE_TO_CANDIDATE}"),
        ("old, %: live → candidate", f"旧数据 {_LIVE_TO_CANDIDATE}"), ("held out", "留出"), ("events in", "事件"),
        ("kept", "保留"), ("duplicates", "重复"), ("seconds", "秒"),
    )  # fmt: skip
    first = result.first
    row = ["first release 首个版本", f"trained on {first.trained_on:,}", _percent(first.score, ""), "–"]
    row += _counts(first)
    said = "\n".join(_said(increment) for increment in result.increments if increment.verdict)
    remark = note(
        "Live: the release that answered when the increment arrived. Candidate: the one tuned from it on the "
        "increment; unless it was promoted, it never answered, and what an undecided one learned waits for the next "
        "update. Both were asked the same held-out reviews: fresh are those of this increment, old all before it. The "
        "gate judges on its own choice of them, the latest and a sample of the rest, so its numbers below differ a "
        "little.",
        "线上：增量到达时正在服务的版本；候选：在其基础上用该增量微调的版本，未通过则从不上线；待定的增量留待下次更新一起"
        "学习。两者回答同样的留出评论。",
    )
    return table(columns, [row, *map(_update_row, result.increments)]) + remark + f'<ul class="said">\n{said}\n</ul>'


def _said(increment: IncrementResult) -> str:
    """One plain line, then the numbers of each finding."""
    findings = [verdicts.headline(words) for words in increment.verdict]
    line = "".join(f" {escape(plain)}." for plain, _ in findings)
    numbers = "".join(f"<small>{escape(rest)}</small>" for _, rest in findings if rest)
    return f"<li><b>{named(increment.name).both}</b> {_decision(increment)}{line}{numbers}</li>"


def _decision(increment: IncrementResult) -> str:
    return f'<span class="{increment.decision}">{increment.decision} {verdicts.CHINESE[increment.decision]}</span>'


def _update_row(increment: IncrementResult) -> list[str]:
    changes = [_change(increment.fresh), _change(increment.old)]
    return [named(increment.name).both, _decision(increment), *changes, *_counts(increment)]


def _counts(made: FirstRelease | IncrementResult) -> list[str]:
    numbers = [f"{number:,}" for number in (made.held_out, made.events, made.kept, made.duplicates)]
    return [*numbers, f"{sum(made.seconds.values()):.1f}"]


def _seconds_chart(result: DemoResult) -> str:
    phases = list(dict.fromkeys(phase for increment in result.increments for phase in increment.seconds))
    if not phases:
        return '<p class="note">No update was made. 没有更新。</p>'
    series = [
        Series(named(phase), tuple(increment.seconds.get(phase, 0.0) for increment in result.increments))
        for phase in phases
    ]
    caption = Caption(
        "seconds",
        Words("Seconds of each update, by phase", "每次更新各阶段用时（秒）"),
        f"Wall time. The first release is not in it: it took {sum(result.first.seconds.values()):.1f} seconds.",
    )
    return stacked_chart(caption, [named(increment.name) for increment in result.increments], series)


def _replies(result: DemoResult) -> str:
    names = ("first release 首个版本", "last release 最终版本")
    columns = heads(
        ("asked of the service", "由服务回答"), ("release", "版本"), ("answer", "回答"), ("probability", "概率")
    )
    rows = [
        [name, f"<code>{escape(reply.release)}</code>", named(reply.label).both, f"{reply.probability:.3f}"]
        for name, reply in zip(names, result.replies, strict=True)
    ]
    asked = f'<blockquote lang="zh">{escape(result.sentence)}</blockquote>'
    return f"{asked}\n{table(columns, rows)}"


def _method(result: DemoResult) -> str:
    return facts(
        {
            "length 规模": result.length,
            "backbone 骨干模型": result.backbone,
            "score 指标": named(result.metric).both,
            "held out 留出": "by the hash of each review's text, for life: no release ever trained on one",
            "order 顺序": "file order of the package that the reviews come from; it is not time",
            **result.machine,
            "total 总用时": f"{result.total_seconds:.0f} s",
        }
    )


def _percent(score: float, unit: str = " %") -> str:
    return f"{100 * score:.1f}{unit}"


def _points(difference: float) -> str:
    return signed(100 * difference, ".1f")


def _interval(difference: Estimate) -> str:
    return f"{_points(difference.low)} to {_points(difference.high)}"


def _change(change: Change) -> str:
    return f"{_percent(change.before, '')} → {_percent(change.after, '')}"
