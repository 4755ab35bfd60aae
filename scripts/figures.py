"""``python scripts/figures.py``: write the table of results in both READMEs from ``benchmarks/*/results``.

The table stands between two comments, ``<!-- figures -->`` and ``<!-- end of figures -->``.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEADS = {
    "README.md": "| what | found | aim | reached | command |",
    "README.zh-CN.md": "| 什么 | 结果 | 目标 | 达到 | 命令 |",
}


@dataclass(frozen=True)
class Figure:
    """One row.

    Attributes:
        english, chinese: what was measured.
        benchmark: whose result it is.
        aim: as it is written.
        read: from the result to what was found, and whether the aim is reached.
        result: name of the file, where it is not the benchmark's own; without that file there is no row.
    """

    english: str
    chinese: str
    benchmark: str
    aim: str
    read: Callable[[Any], tuple[str, bool]]
    result: str = ""


def domain(name: str) -> Callable[[Any], tuple[str, bool]]:
    """Points between the demo's first and last release on one domain."""

    def read(told: Any) -> tuple[str, bool]:
        row = next(row for row in told["demo"]["domains"] if row["domain"] == name)
        value, low, high = (100 * row["difference"][key] for key in ("value", "low", "high"))
        reached = value >= -1.5 if name == "books" else value >= 1.5 and low > 0
        return f"{value:+.1f} ({low:+.1f} … {high:+.1f})", reached

    return read


def update_seconds(told: Any) -> tuple[str, bool]:
    seconds = told["seconds_to_first_answer"]
    return f"{seconds['median']:.1f} / {seconds['most']:.1f}", seconds["most"] <= 20


def demo_seconds(told: Any) -> tuple[str, bool]:
    return f"{told['demo']['total_seconds']:.0f}", told["demo"]["total_seconds"] <= 300


def ingest(told: Any) -> tuple[str, bool]:
    return f"{told['median_ingest']:,}", told["median_ingest"] >= told["aim_events_per_second"]


def over_bare(told: Any) -> tuple[str, bool]:
    half, tail = (told["over_bare_ms"][key]["median"] for key in ("p50_ms", "p99_ms"))
    return f"{half:+.1f} / {tail:+.1f}", half <= 2 and tail <= 3


def while_training(told: Any) -> tuple[str, bool]:
    ratio = told["while_training"]["p99_ratio_to_idle"]
    return f"{ratio:.1f}", ratio <= 3


def swaps(told: Any) -> tuple[str, bool]:
    slowest = told["during_swaps"]["max_ms"]
    return f"{told['failed']} / {told['mixed']} / {slowest:.0f}", not told["failed"] + told["mixed"] and slowest <= 250


def flips(told: Any) -> tuple[str, bool]:
    """Shares over all categories and seeds; a category counts as often as another."""
    rows = told["labels"]["a release of the default backbone"]["refused"]
    clean = 1 - rows["two witnesses, both 0%"]["mean"]
    caught = [rows[f"two witnesses, both {share}%"]["mean"] for share in (20, 30, 40)]
    return f"{min(caught):.1%} / {clean:.1%}".replace("%", " %"), min(caught) == 1 and clean >= 0.95


def faster(told: Any) -> tuple[str, bool]:
    times = [row["served int8"]["times_faster"] for row in told["speed"].values()]
    return f"{min(times):.1f} … {max(times):.1f} × / {told['points_lost']:.1f}", (
        min(times) >= 6 and told["points_lost"] <= 0.3
    )


def against_naive(told: Any) -> tuple[str, bool]:
    naive = told["targets"]["1 speed"]["naive"]
    final, fresh = naive["final_points_above"]["value"], naive["fresh_points_above"]["mean"]
    return f"{naive['times_less_cpu']['mean']:.0f} × / {final:+.1f} / {fresh:+.1f}", naive["reached"]


def in_turns(told: Any) -> tuple[str, bool]:
    """By the clock, the median over the increments; the linear rival is only beaten on score."""
    naive, trainer = (told["times_faster"][rival]["median"] for rival in ("naive", "lora-trainer"))
    return f"{naive:.0f} × / {trainer:.0f} ×", naive >= 20 and trainer >= 5


def against_retraining(told: Any) -> tuple[str, bool]:
    retrain = told["targets"]["2 retraining"]["retrain"]
    share, time = retrain["share_of_gain"], retrain["share_of_cpu"]["mean"]
    gain = "–" if share is None else f"{share['value']:.0%} ({share['low']:.0%} … {share['high']:.0%})"
    return f"{gain} / {time:.1%}".replace("%", " %"), retrain["reached"]


def kept(told: Any) -> tuple[str, bool]:
    row = told["targets"]["3 forgetting"]
    lost, flips = row["points"]["freshtune"]["mean"], row["negative_flips_over_naive"]["mean"]
    return f"{lost:+.1f} / {flips:.0%}".replace("%", " %"), bool(row["reached"])


def sent(told: Any) -> tuple[str, bool]:
    row = told["targets"]["10 bytes"]
    return f"{row['share_of_whole_model']['mean']:.3%}".replace("%", " %"), row["reached"]


def answered_from(told: Any) -> tuple[str, bool]:
    """Of an update in a process of its own, and in one that is there already."""
    fresh, standing = (told[kind]["p95_seconds"] for kind in ("fresh_process", "standing_process"))
    return f"{fresh:.1f} / {standing:.1f}", max(fresh, standing) <= 10


def as_history_grows(told: Any) -> tuple[str, bool]:
    """Seconds of an update, as a ratio; the retraining beside it is extrapolated."""
    ratio = told["ratios"]["1000000_over_10000"]["seconds"]["median"]
    return f"{ratio:.2f} ×", ratio <= 1.2


FIGURES = (
    Figure(
        "demo: hotels, last release against the first, points (95 % interval)",
        "演示：酒店，最终版本对首个版本，百分点（95 % 区间）", "demo", "+1.5", domain("hotels"),
    ),
    Figure("demo: computers, the same", "演示：电脑，同上", "demo", "+1.5", domain("computers")),
    Figure("demo: books, the same", "演示：图书，同上", "demo", "−1.5", domain("books")),
    Figure(
        "update in a fresh process until an answer names it, seconds, median / most",
        "新进程中的更新直到回答写明新版本，秒，中位数 / 最大值", "demo", "20", update_seconds,
    ),
    Figure("the whole demo, seconds", "整个演示，秒", "demo", "300", demo_seconds),
    Figure(
        "100 labelled events until an answer of a release that learned them, seconds, p95, fresh / standing process",
        "接受 100 个带标签的事件直到学过它们的版本作答，秒，p95，新进程 / 常驻进程", "freshness", "10", answered_from,
    ),
    Figure(
        "update with a million labelled events behind it over one with 10,000",
        "身后有一百万个带标签事件的更新与只有 10,000 个的更新用时之比", "history", "1.2 ×", as_history_grows,
    ),
    Figure(
        "deltas of 500 reviews with 20 to 40 % flipped labels refused / clean ones of new categories accepted",
        "500 条评论的增量：20 至 40 % 标签被翻转的遭拒绝 / 新类别的干净增量被接受", "gate", "100 % / 95 %", flips,
    ),
    Figure("durable ingest, events a second", "持久入库，每秒事件数", "ingest", "10,000", ingest),
    Figure(
        "HTTP over bare FastAPI and the same model, 8 clients, p50 / p99, ms",
        "HTTP 相对裸 FastAPI 加同一模型，8 个客户端，p50 / p99，毫秒", "serve", "+2 / +3", over_bare,
    ),
    Figure(
        "p99 while an update trains over p99 idle", "更新训练期间的 p99 与空闲时 p99 之比", "serve", "3",
        while_training,
    ),
    Figure(
        "100 swaps under load: failed / mixed / slowest answer, ms",
        "负载下切换 100 次：失败 / 混答 / 最慢回答，毫秒", "swap", "0 / 0 / 250", swaps,
    ),
    Figure(
        "served int8 model against eager fp32, one thread: times faster / points lost",
        "服务所用 int8 模型对 eager fp32，单线程：倍数 / 损失的百分点", "compression", "6 × / 0.3", faster,
    ),
    Figure(
        "an update in turns with rivals, 500 reviews, times faster than the naive loop / than Trainer with LoRA",
        "更新与对手轮流计时，500 条评论，比常见循环 / 比 Trainer 加 LoRA 快的倍数",
        "replay", "20 × / 5 ×", in_turns, "speed",
    ),
    Figure(
        "7 arriving categories: processor time of the naive loop, unpadded, over ours / final / fresh points above it",
        "7 个类别依次到达：常见循环（去掉填充）与更新的处理器时间之比 / 最终 / 新数据百分点之差",
        "replay", "20 × / 0 / −0.5", against_naive, "10cats",
    ),
    Figure(
        "the same: share of retraining's gain over never updating / of its processor time",
        "同上：占全量重训相对不更新之增益 / 其处理器时间之比", "replay", "100 % / 5 %", against_retraining, "10cats",
    ),
    Figure(
        "the same: points forgotten / negative flips over naive's", "同上：遗忘的百分点 / 由对变错与常见循环之比",
        "replay", "0.3 / 33 %", kept, "10cats",
    ),
    Figure(
        "the same: bytes of an update over those of the whole model", "同上：更新的字节与整个模型之比",
        "replay", "5 %", sent, "10cats",
    ),
    *(
        Figure(
            f"{english}: share of retraining's gain / of its processor time",
            f"{chinese}：占重训增益 / 其处理器时间之比", "replay", "100 % / 5 %", against_retraining, name,
        )
        for name, english, chinese in (
            ("womens", "clothes, 3 departments arriving, stars", "服装，3 个部门到达，评分"),
            ("amazon", "instruments in time, stars", "乐器，按时间，评分"),
            ("builtin", "the built-in stream", "内置数据流"),
            ("clinc150", "intents, 7 domains arriving", "意图，7 个领域到达"),
        )
    ),
)  # fmt: skip


def main() -> None:
    for name, head in HEADS.items():
        lines = [head, "|---|---|---|---|---|"]
        for figure in FIGURES:
            path = ROOT / "benchmarks" / figure.benchmark / "results" / f"{figure.result or figure.benchmark}.json"
            if figure.result and not path.exists():
                continue
            found, reached = figure.read(json.loads(path.read_text("utf-8")))
            what = figure.english if name == "README.md" else figure.chinese
            mark = "✓" if reached else "✗"
            lines.append(f"| {what} | {found} | {figure.aim} | {mark} | `python -m benchmarks.{figure.benchmark}` |")
        table = "\n".join(lines)
        readme = ROOT / name
        written, count = re.subn(
            r"(<!-- figures -->\n).*?(\n<!-- end of figures -->)",
            lambda marks, table=table: marks[1] + table + marks[2],  # type: ignore[misc]
            readme.read_text("utf-8"),
            flags=re.DOTALL,
        )
        if count != 1:
            raise SystemExit(f"{name} has no place for the figures.")
        readme.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
