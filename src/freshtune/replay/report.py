"""A replay as one HTML file that needs nothing else, in English with Chinese beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from freshtune.charts.costs import Costly, cost_rows, score_over_cost
from freshtune.charts.figure import Caption, Series, Step, Words, signed, table
from freshtune.charts.heat import heat_map
from freshtune.charts.lines import line_chart
from freshtune.charts.page import facts, heads, note, page, section, tiles
from freshtune.processor import processor
from freshtune.replay.cell import Order

CHINESE = {
    "frozen": "不更新",
    "naive": "常见循环",
    "retrain": "全量重训",
    "textbook-retrain": "教科书重训",
    "lora-trainer": "LoRA",
    "linear": "线性",
}
"""What strategies are called in Chinese where a word is short enough to stand in a chart."""
_LABEL = 9


@dataclass(frozen=True)
class Replayed:
    """What the page tells.

    Attributes:
        document: of ``replay --json``: ``stream``, ``strategies``, ``ratios``.
        metric: the task's primary one.
        orders: what was asked of each strategy, in order.
    """

    document: Mapping[str, Any]
    metric: str
    orders: tuple[Order, ...]

    @property
    def parts(self) -> list[str]:
        """Names of what was played, the history first."""
        names = [part["name"] for part in self.document["stream"]["parts"]]
        return names[: max((len(self.strategies[name]["scores"][-1]) for name in self.judged), default=len(names))]

    @property
    def strategies(self) -> Mapping[str, Mapping[str, Any]]:
        """Figures by name."""
        told: Mapping[str, Mapping[str, Any]] = self.document["strategies"]
        return told

    @property
    def judged(self) -> list[str]:
        """Strategies that have scores."""
        return [name for name, figures in self.strategies.items() if figures["scores"]]

    def colour(self, name: str) -> int:
        """The same in all charts."""
        return self.judged.index(name) % 10 if name in self.judged else 6


def write_report(replayed: Replayed, path: Path) -> Path:
    """Write the page; gives the absolute path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(replayed), encoding="utf-8")
    return path.resolve()


def render(replayed: Replayed) -> str:
    """The whole page."""
    judged = replayed.judged
    sections = [section("All figures", "全部数字", _figures(replayed))]
    if judged:
        sections += [
            section("Learning curves", "学习曲线", _fresh_curve(replayed) + _whole_curve(replayed)),
            section("Score against cost", "得分与代价", _score_against_cost(replayed)),
        ]
    sections.append(section("Seconds of an update", "每次更新的秒数", _seconds(replayed)))
    if judged:
        sections.append(section("What became of each part", "各部分后来怎样", _matrices(replayed)))
    sections.append(section("How it was measured", "测量方法", _method(replayed)))
    return page("freshtune replay 回放报告", _header(replayed), sections)


def named(strategy: str) -> Words:
    """A strategy with its Chinese."""
    return Words(strategy, CHINESE.get(strategy, ""))


def _header(replayed: Replayed) -> str:
    stream, ratios = replayed.document["stream"], replayed.document["ratios"]
    late = f" Labels came {stream['label_delay']} increments after their texts." if stream["label_delay"] else ""
    late_chinese = f"标签比文本晚 {stream['label_delay']} 个增量到达。" if stream["label_delay"] else ""
    told = [
        (_times(ratios["speedup_vs_naive"]), Words("faster than naive", "比常见循环快"), "freshtune, the median"),
        (_share(ratios["share_of_retrain_gain"]), Words("of retraining's gain", "占重训增益"), "over never updating"),
        (_share(ratios["share_of_retrain"]), Words("of retraining's score", "占重训得分"), "at the end"),
    ]  # fmt: skip
    shown = [tile for tile in told if tile[0] != "–"]
    ways, arrived = len(replayed.strategies), len(replayed.parts) - 1
    return f"""<h1>One stream, {ways} ways to keep a model fresh<small lang="zh">同一数据流，多种更新策略</small></h1>
<p class="lead">A first model learned from the history; then {arrived} increments arrived one after another. After each,
every strategy updated its model and was judged on held-out examples of all that had arrived.{late}</p>
<p class="lead" lang="zh">首个模型由历史数据训练；随后 {arrived} 个增量依次到达。每个增量到达后，
各策略更新模型，并在已到达数据的留出样本上评判。{late_chinese}</p>
{tiles(shown) if shown else ""}"""


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ×"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _figures(replayed: Replayed) -> str:
    columns = heads(
        ("strategy", "策略"), ("fresh", "新数据"), ("old", "旧数据"), ("final (95 %)", "最终（区间）"),
        ("forgetting, points", "遗忘"), ("negative flips, %", "由对变错"), ("s an update", "每次秒数"),
        ("trained", "训练参数"), ("sent", "发送"),
    )  # fmt: skip
    rows = [_row(name, figures) for name, figures in replayed.strategies.items()]
    return table(columns, rows) + note(
        f"Scores are {_readable(replayed.metric)}, times 100. Fresh: on each increment right after its update. Old: on "
        "what came before it. Forgetting: from just after a part was learned to the end; negative: it got better. "
        "Negative flips: right before an update, wrong after it. Extrapolated: some steps were timed and the rest "
        "laid out from them; such a strategy has no scores.",
        "得分均乘以 100。新数据：每个增量更新之后的得分；旧数据：此前各部分；遗忘：从学完到结束的损失，负数表示更好；"
        "由对变错：更新前答对、更新后答错。外推：只实测几步，其余按比例推算，没有得分。",
    )


def _row(name: str, figures: Mapping[str, Any]) -> list[str]:
    final, seconds = figures["intervals"]["final"], figures["update_seconds"]
    extrapolated = "<small>extrapolated 外推</small>" if figures["extrapolated"] else ""
    forgetting = figures["forgetting"]
    return [
        named(name).both + extrapolated,
        *(_hundredth(figures[key]) for key in ("fresh", "old")),
        "–" if final is None else f"{_hundredth(figures['final'])} ({_hundredth(final[0])} – {_hundredth(final[1])})",
        "–" if forgetting is None else signed(100 * forgetting, ".1f"),
        _hundredth(figures["negative_flips"]),
        f"{sum(seconds) / len(seconds):.1f}" if seconds else "–",
        _short(figures["trained_params"]),
        f"{_short(figures['delta_bytes'])}B",
    ]


def _hundredth(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _short(value: float) -> str:
    """Three digits and a thousand's letter."""
    for unit in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1_000
    return f"{value:.3g} T"


def _readable(metric: str) -> str:
    return metric.replace("_", " ")


def _steps(parts: Sequence[str]) -> list[Step]:
    """One a part; the names as they are, the labels cut to what fits."""
    first = Step(Words("history", "历史"), "history", Words("history", "历史"))
    return [first, *(Step(Words(name), _cut(name), Words("arriving", "到达")) for name in parts[1:])]


def _cut(name: str) -> str:
    """At most so many columns; a Chinese character takes two."""
    taken = 0
    for place, letter in enumerate(name):
        taken += 2 if east_asian_width(letter) in "WF" else 1
        if taken > _LABEL:
            return name[: place - 1] + "…"
    return name


def _fresh_curve(replayed: Replayed) -> str:
    series = []
    for name in replayed.judged:
        values: list[float | None] = []
        for row in replayed.strategies[name]["scores"]:
            values += [100 * score for score in row[len(values) :]]
        series.append(Series(named(name), _filled(values, len(replayed.parts))))
    caption = Caption(
        "fresh",
        Words(f"On each part when it had just arrived, {_readable(replayed.metric)} × 100", "每个部分刚到达时的得分"),
        "A point is the score on one part's held-out examples after the update that followed its arrival. Parts differ "
        "in difficulty: compare the lines, not the points of one line.",
    )  # fmt: skip
    return line_chart(caption, _steps(replayed.parts), series, unfolded=False)


def _whole_curve(replayed: Replayed) -> str:
    series = []
    for name in replayed.judged:
        values: list[float | None] = [None] * len(replayed.parts)
        for row in replayed.strategies[name]["scores"]:
            values[len(row) - 1] = 100 * sum(row) / len(row)
        series.append(Series(named(name), tuple(values)))
    caption = Caption(
        "whole",
        Words(f"On all parts so far, {_readable(replayed.metric)} × 100", "至今所有部分上的得分"),
        "The mean over the parts that had arrived, each counting alike. A strategy that is played at some increments "
        "only has points there alone.",
    )
    return line_chart(caption, _steps(replayed.parts), series, unfolded=False)


def _filled(values: Sequence[float | None], length: int) -> tuple[float | None, ...]:
    return (*values, *[None] * (length - len(values)))


def _costly(replayed: Replayed) -> list[Costly]:
    found = []
    for name, figures in replayed.strategies.items():
        seconds = tuple(each for each in figures["update_seconds"] if each > 0)
        if name == "frozen":
            seconds = ()
        score = None
        if figures["final"] is not None:
            score = (100 * figures["final"], *(100 * end for end in figures["intervals"]["final"]))
        found.append(Costly(named(name), seconds, replayed.colour(name), score, figures["extrapolated"]))
    return found


def _seconds(replayed: Replayed) -> str:
    caption = Caption(
        "seconds",
        Words("Seconds of each update, powers of ten", "每次更新的秒数（对数刻度）"),
        "From the examples in hand to the model in hand. A dot is one update, the stroke their mean, which stands at "
        "the right; hollow dots are extrapolated from a few steps. frozen never updates.",
    )
    return cost_rows(caption, [each for each in _costly(replayed) if each.costs])


def _score_against_cost(replayed: Replayed) -> str:
    whole = [each for each in _costly(replayed) if each.name.english in _complete(replayed)]
    caption = Caption(
        "cost",
        Words(f"Final {_readable(replayed.metric)} × 100 over the mean seconds of an update", "最终得分与平均秒数"),
        "Up and to the left is better; the strokes are 95 % intervals of the held-out examples. Seconds are powers of "
        "ten; what never updates stands at the left edge.",
    )  # fmt: skip
    return score_over_cost(caption, whole)


def _complete(replayed: Replayed) -> list[str]:
    """Strategies that were judged on as many parts at the end as any."""
    most = max(len(replayed.strategies[name]["scores"][-1]) for name in replayed.judged)
    return [name for name in replayed.judged if len(replayed.strategies[name]["scores"][-1]) == most]


def _matrices(replayed: Replayed) -> str:
    drawn = "\n".join(_matrix(replayed, name) for name in replayed.judged)
    listed = ", ".join(f"{place} {name}" for place, name in enumerate(replayed.parts))
    return (
        note(
            "A column is a part, a row a moment, both numbered by the parts' arrival. The first number of a column is "
            "the score when the part had just arrived, times 100; those below it are the change since then: green "
            f"better, red forgotten, in full colour from five points on. {listed}.",
            "列为各部分，行为时刻，均按到达顺序编号。每列第一个数是刚到达时的得分（×100），其下为此后的变化：绿色更好，红色遗忘。",
        )
        + f'<div class="pairs">\n{drawn}\n</div>'
    )


def _matrix(replayed: Replayed, name: str) -> str:
    scores = replayed.strategies[name]["scores"]
    moments: dict[int, Sequence[float]] = {len(row) - 1: row for row in scores}
    rows = range(len(replayed.parts))
    columns = [
        Series(
            Words(part),
            tuple(100 * moments[row][place] if row in moments and place <= row else None for row in rows),
        )
        for place, part in enumerate(replayed.parts)
    ]
    caption = Caption(f"matrix-{replayed.judged.index(name)}", named(name), "")
    return heat_map(
        caption, [Words(f"after {part}") for part in replayed.parts], [Words(p) for p in replayed.parts], columns
    )


def _method(replayed: Replayed) -> str:
    stream, first = replayed.document["stream"], replayed.orders[0]
    sizes = [f"{part['name']}: {part['learned']:,} / {part['held_out']:,}" for part in stream["parts"]]
    told = {
        "task 任务": f"{first.task_name}, {_readable(replayed.metric)}",
        "backbone 骨干模型": f"{first.backbone}, {first.max_tokens} tokens at most",
        "stream 数据流": stream["digest"],
        "parts: learned / held out 学习 / 留出": "; ".join(sizes),
        "seed 随机种子": str(stream["seed"]),
        "threads of each strategy 每个策略的线程": str(first.threads),
        "label delay 标签延迟": f"{stream['label_delay']} increments",
        **{f"{order.title}": " ".join(order.recipe) for order in replayed.orders if order.recipe},
        "machine 机器": processor(),
    }
    return facts(told)
