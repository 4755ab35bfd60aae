"""``python -m benchmarks.ingest [--events N] [--runs N]``: durable ingest beside SQLite alone, in one run."""

import argparse
import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw

from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.ingest import BATCH, ingest_records
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.records import Json
from freshtune.tasks import TASKS

RESULTS = Path(__file__).parent / "results" / "ingest.json"
CHARACTERS = 60
WORDS = re.findall(
    r"\S+",
    "这个 手机 非常 好用 屏幕 清晰 电池 耐用 物流 很快 客服 态度 不错 包装 完整 性价比 推荐 购买 质量 一般 有点 失望 "
    "退货 太慢 颜色 漂亮 尺码 合适 味道 新鲜 房间 干净 早餐 丰富 书的 内容 充实 老板 热情 下次 还会 再来 ， 。 ！ "
    "299元 5.5寸 2天",
)
MAPPING = ColumnMapping(
    "sentiment", text="review", label="label", label_map={"0": "negative", "1": "positive"}, user="user"
)


def records(count: int, seed: int) -> Iterator[dict[str, Json]]:
    """Made-up Chinese reviews of 60 characters, no two alike; one in twenty holds a mobile number."""
    draw = random.Random(seed)
    for number in range(count):
        text = "".join(draw.choices(WORDS, k=CHARACTERS))
        if number % 20 == 0:
            text = text[:40] + f"电话13{draw.randrange(10**9):09d}。" + text[40:]
        yield {"review": text[:CHARACTERS], "label": str(number % 2), "user": f"u{draw.randrange(50_000)}"}


def ingest_rate(count: int, seed: int, folder: Path) -> float:
    """Events a second through ``ingest_records``."""
    log = SqliteEventLog(folder / "events.db")
    checks = EventChecks({name: task() for name, task in TASKS.items()}, Masker(b"benchmark salt, 32 bytes long ..."))
    made = list(records(count, seed))
    report = ingest_records(made, MAPPING, log, checks)
    log.close()
    if report.kept != count or report.masked != (count + 19) // 20:
        raise AssertionError(f"kept {report.kept}, masked {report.masked}")
    return count / report.seconds


def sqlite_rate(count: int, seed: int, folder: Path) -> float:
    """Rows a second of the bare text into SQLite with the same settings, 100 a commit: the floor under any ingest."""
    texts = [str(record["review"]) for record in records(count, seed)]
    connection = apsw.Connection(str(folder / "bare.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT)")
    started = time.perf_counter()
    for first in range(0, count, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        rows = ((f"{place}", texts[place]) for place in range(first, min(first + BATCH, count)))
        connection.executemany("INSERT INTO events (id, body) VALUES (?, ?)", rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return count / seconds


def mask_rate(count: int, seed: int) -> float:
    """Texts a second through the masker alone."""
    masker = Masker(b"benchmark salt, 32 bytes long ...")
    texts = [str(record["review"]) for record in records(count, seed)]
    started = time.perf_counter()
    for text in texts:
        masker.mask(text)
    return count / (time.perf_counter() - started)


def in_new_folder(rate: Callable[[int, int, Path], float], count: int, seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return rate(count, seed, Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    in_new_folder(ingest_rate, min(2_000, options.events), 99)
    ours, bare, masking = [], [], []
    for run in range(options.runs):
        ours.append(in_new_folder(ingest_rate, options.events, run))
        bare.append(in_new_folder(sqlite_rate, options.events, run))
        masking.append(mask_rate(min(options.events, 50_000), run))
    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "events": options.events,
        "characters": CHARACTERS,
        "batch": BATCH,
        "ingest_events_per_second": [round(rate) for rate in ours],
        "sqlite_alone_rows_per_second": [round(rate) for rate in bare],
        "masked_texts_per_second": [round(rate) for rate in masking],
        "median_ingest": round(statistics.median(ours)),
        "median_share_of_sqlite_alone": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 3),
        "median_masking": round(statistics.median(masking)),
        "aim_events_per_second": 10_000,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
