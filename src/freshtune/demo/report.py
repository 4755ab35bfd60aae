"""The demo's report: one HTML file that needs nothing else, in English with Chinese beside it."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path

from freshtune.demo.charts import Caption, Series, Step, Words, bar_chart, line_chart, signed, stacked_chart, table
from freshtune.demo.result import Change, DemoResult, DomainResult, IncrementResult
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
    """The whole page. It forbids itself every request by its content security policy."""
    style = files("freshtune.demo").joinpath("assets/report.css").read_text(encoding="utf-8")
    sections = (
        _section("Score by increment", "各增量之后的得分", _score_chart(result)),
        _section("First release against the last one", "首个版本与最终版本", _final_table(result)),
        _section("Forgetting", "遗忘", _forgetting_chart(result)),
        _section("Update by update", "逐次更新", _updates_table(result)),
        _section("Where the seconds go", "时间花在哪里", _seconds_chart(result)),
        _section("One sentence, two releases", "同一句话，两个版本", _replies(result)),
        _section("How it was measured", "测量方法", _method(result)),
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>freshtune demo 演示报告</title>
<style>
{style}</style>
</head>
<body>
<main>
{_header(result)}
{"".join(sections)}</main>
</body>
</html>
"""


def _section(title: str, chinese: str, body: str) -> str:
    return f'<section>\n<h2>{escape(title)}<small lang="zh">{escape(chinese)}</small></h2>\n{body}\n</section>\n'


def _header(result: DemoResult) -> str:
    promoted = sum(increment.promoted for increment in result.increments)
    tiles = [_domain_tile(domain) for domain in result.domains]
    tiles.append(
        (
            f"{promoted} / {len(result.increments)}",
            Words("updates promoted", "更新上线"),
            f"{len(result.increments) - promoted} refused by the gate",
        )
    )
    seconds = sorted(sum(increment.seconds.values()) for increment in result.increments)
    if seconds:
        span = f"{seconds[0]:.1f} to {seconds[-1]:.1f} s"
        tiles.append((f"{seconds[len(seconds) // 2]:.1f} s", Words("an update (median)", "每次更新（中位数）"), span))
    items = "\n".join(
        f"<li><b>{escape(value)}</b><span>{label.both}</span><small>{escape(more)}</small></li>"
        for value, label, more in tiles
    )
    return f"""<h1>A shop's model that learns from what arrives<small lang="zh">边用边学的店铺模型</small></h1>
<p class="lead">A first release learned from book reviews. Then hotel reviews arrived, then reviews of computers and
appliances. After every increment freshtune tuned the model, judged it on held-out reviews, and served it if it was
better.</p>
<p class="lead" lang="zh">首个版本由图书评论训练而成；随后酒店评论、电脑与家电评论依次到达。每个增量到达后，freshtune
更新模型，在留出的评论上评判，更好才上线。</p>
<ul class="tiles">
{items}
</ul>"""


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
        "Each line is one domain's held-out reviews, scored after the first release and after every increment. The "
        "bands say which domain was arriving. A hollow point is an increment that the gate refused: the old "
        "release stayed.",
    )
    return line_chart(caption, steps, series)


def _hundredths(scores: Iterable[float | None]) -> tuple[float | None, ...]:
    return tuple(None if score is None else 100 * score for score in scores)


def _final_table(result: DemoResult) -> str:
    heads = _heads(
        ("domain", "领域"), ("held out", "留出"), ("first release", "首个版本"), ("last release", "最终版本"),
        ("difference, points", "差值"), ("95 % interval", "置信区间"),
    )  # fmt: skip
    rows = [
        [
            named(domain.domain).both,
            f"{domain.examples:,}",
            _percent(domain.frozen),
            _percent(domain.final),
            _points(domain.difference.value),
            _interval(domain.difference),
        ]
        for domain in result.domains
    ]
    note = (
        "The first release, never updated, and the last live one answered the same held-out reviews; "
        "the interval is of the paired difference."
    )
    return f'{table(heads, rows)}\n<p class="note">{note}</p>'


def _forgetting_chart(result: DemoResult) -> str:
    caption = Caption(
        "forgetting",
        Words("Points lost from just after a domain was learned to the end", "从刚学会到最后的得分变化"),
        "To the right: forgotten. To the left: later updates made it better still. The domain that arrived last has "
        "had nothing after it, so its bar is zero.",
    )
    bars = Series(Words("points lost", "下降"), tuple(domain.forgetting + 0.0 for domain in result.domains))
    names = [named(domain.domain) for domain in result.domains]
    return bar_chart(caption, bars, names, (Words("improved", "提升"), Words("forgotten", "遗忘")))


def _updates_table(result: DemoResult) -> str:
    heads = _heads(
        ("increment", "增量"), ("events in", "事件"), ("kept", "保留"), ("duplicates", "重复"), ("held out", "留出"),
        ("fresh, %", "新数据"), ("old, %", "旧数据"), ("seconds", "秒"), ("verdict", "结论"),
    )  # fmt: skip
    first = result.first
    row = [
        "first release 首个版本",
        f"{first.events:,}",
        f"{first.kept:,}",
        f"{first.duplicates:,}",
        f"{first.held_out:,}",
    ]
    row += [_percent(first.score, ""), "–", f"{sum(first.seconds.values()):.1f}", f"trained on {first.trained_on:,}"]
    said = [
        f"<li>{named(increment.name).both}: {escape('; '.join(increment.verdict))}</li>"
        for increment in result.increments
        if increment.verdict
    ]
    words = f'<ul class="note">\n{chr(10).join(said)}\n</ul>' if said else ""
    return table(heads, [row, *(_update_row(increment) for increment in result.increments)]) + words


def _update_row(increment: IncrementResult) -> list[str]:
    word = '<span class="yes">promoted 上线</span>' if increment.promoted else '<span class="no">refused 拒绝</span>'
    return [
        named(increment.name).both,
        f"{increment.events:,}",
        f"{increment.kept:,}",
        f"{increment.duplicates:,}",
        f"{increment.held_out:,}",
        _change(increment.fresh),
        _change(increment.old),
        f"{sum(increment.seconds.values()):.1f}",
        word,
    ]


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
    heads = _heads(
        ("asked of the service", "由服务回答"), ("release", "版本"), ("answer", "回答"), ("probability", "概率")
    )
    rows = [
        [name, f"<code>{escape(reply.release)}</code>", named(reply.label).both, f"{reply.probability:.3f}"]
        for name, reply in zip(names, result.replies, strict=True)
    ]
    asked = f'<blockquote lang="zh">{escape(result.sentence)}</blockquote>'
    return f"{asked}\n{table(heads, rows)}"


def _method(result: DemoResult) -> str:
    facts = {
        "length 规模": result.length,
        "backbone 骨干模型": result.backbone,
        "score 指标": named(result.metric).both,
        "held out 留出": "by the hash of each review's text, for life: no release ever trained on one",
        "order 顺序": "file order of the package that the reviews come from; it is not time",
        **result.machine,
        "total 总用时": f"{result.total_seconds:.0f} s",
    }
    return (
        "<dl>\n"
        + "\n".join(f"<dt>{escape(fact)}</dt><dd>{escape(value)}</dd>" for fact, value in facts.items())
        + "\n</dl>"
    )


def _heads(*names: tuple[str, str]) -> list[str]:
    return [f'{escape(english)} <span lang="zh">{escape(chinese)}</span>' for english, chinese in names]


def _percent(score: float, unit: str = " %") -> str:
    return f"{100 * score:.1f}{unit}"


def _points(difference: float) -> str:
    return signed(100 * difference, ".1f")


def _interval(difference: Estimate) -> str:
    return f"{_points(difference.low)} to {_points(difference.high)}"


def _change(change: Change) -> str:
    return f"{_percent(change.before, '')} → {_percent(change.after, '')}"
