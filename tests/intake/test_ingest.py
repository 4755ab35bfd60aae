"""Files into the log: counts, resuming, and what a second run does."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from freshtune.errors import NotFound, UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import Appended, SourcePosition, SqliteEventLog
from freshtune.intake.ingest import IngestReport, ingest_file, ingest_records
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.records import DeadLetter, Event, LogRange
from freshtune.tasks import TASKS

MASKER = Masker(b"a salt of the tests, 32 bytes ...")
ALL_TASKS = {name: task() for name, task in TASKS.items()}
CHECKS = EventChecks(ALL_TASKS, MASKER)
MAPPING = ColumnMapping("sentiment", text="review", label="label", label_map={"0": "negative", "1": "positive"})


class Counted(SqliteEventLog):
    """A log that fails at its n-th batch, as a full disk would."""

    def append(
        self, events: Sequence[Event], dead: Sequence[DeadLetter] = (), source: SourcePosition | None = None
    ) -> Appended:
        if self.head() >= 300:
            raise OSError("disk full")
        return super().append(events, dead, source)


def write_csv(path: Path, rows: range, extra: str = "") -> None:
    lines = [f"第{number}条，review {number},{number % 2}" for number in rows]
    path.write_text("\n".join(["review,label", *lines, extra]), encoding="utf-8")


def counts(report: IngestReport) -> tuple[int, int, int]:
    assert report.read == report.kept + report.duplicates + sum(report.dead_letters.values())
    return report.read, report.kept, report.duplicates


def test_a_file_is_stored_with_its_counts(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(250), "电话13800138000,1\nsame,1\nsame,1\nbad,7\n")
    seen: list[IngestReport] = []
    report = ingest_file(path, MAPPING, log, CHECKS, seen.append)
    assert counts(report) == (254, 252, 1)
    assert (report.masked, report.dead_letters, report.shortened) == (1, {"bad_label": 1}, 0)
    assert [step.read for step in seen] == [100, 200, 254]
    events = list(log.read(LogRange(0, log.head())))
    assert events[0].text == "第0条，review 0"
    assert events[1].fields == {"label": "positive"}
    log.close()


def test_what_is_reported_is_on_disk(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(250))
    other = SqliteEventLog(tmp_path / "events.db")
    seen: list[tuple[int, int]] = []

    def look(report: IngestReport) -> None:
        seen.append((report.kept, other.head()))

    ingest_file(path, MAPPING, log, CHECKS, look)
    assert seen == [(100, 100), (200, 200), (250, 250)]
    log.close()
    other.close()


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    write_csv(path, range(1_000))
    broken = Counted(tmp_path / "events.db")
    with pytest.raises(OSError, match="disk full"):
        ingest_file(path, MAPPING, broken, CHECKS)
    broken.close()
    log = SqliteEventLog(tmp_path / "events.db")
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (700, 700, 0)
    assert [event.text for event in log.read(LogRange(0, 1_000))] == [
        f"第{number}条，review {number}" for number in range(1_000)
    ]
    log.close()


def test_a_file_whose_last_batch_was_interrupted_is_known_and_not_empty(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(200))

    def interrupted(report: IngestReport) -> None:
        if report.kept == 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_file(path, MAPPING, log, CHECKS, interrupted)
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (200, 0, 200)
    log.close()


def test_a_grown_file_gives_its_new_rows_and_a_known_one_only_duplicates(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(300))
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (300, 300, 0)
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (300, 0, 300)
    with path.open("a", encoding="utf-8") as file:
        file.write("more,1\n")
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (1, 1, 0)
    write_csv(path, range(5, 310))
    assert counts(ingest_file(path, MAPPING, log, CHECKS)) == (305, 10, 295)
    log.close()


def test_another_mapping_reads_the_file_anew(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(300))
    ingest_file(path, MAPPING, log, CHECKS)
    turned = replace(MAPPING, label_map={"1": "negative", "0": "positive"})
    assert counts(ingest_file(path, turned, log, CHECKS)) == (300, 300, 0)
    log.close()


def test_all_formats_give_the_same_events(tmp_path: Path) -> None:
    rows = [{"review": f"第{number}条 \u2028 x", "label": str(number % 2)} for number in range(300)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write = {
        "a.csv": ("review,label\n" + "".join(f"{row['review']},{row['label']}\n" for row in rows)).encode("gb18030"),
        "b.jsonl": lines.encode("utf-8-sig"),
        "c.jsonl.gz": gzip.compress(lines.encode()),
        "d.tsv": ("review\tlabel\n" + "".join(f"{row['review']}\t{row['label']}\n" for row in rows)).encode(),
    }
    for name, content in write.items():
        (tmp_path / name).write_bytes(content)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "e.parquet")
    log = SqliteEventLog(tmp_path / "events.db")
    reports = [ingest_file(tmp_path / name, MAPPING, log, CHECKS) for name in (*write, "e.parquet")]
    assert [counts(report) for report in reports] == [(300, 300, 0), *[(300, 0, 300)] * 4]
    log.close()


def test_records_at_hand(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.db")
    records = [{"review": "ok", "label": "1"}, {"review": "", "label": "1"}, {"review": "ok", "label": "1"}]
    report = ingest_records(records, MAPPING, log, CHECKS)
    assert counts(report) == (3, 1, 1)
    assert [dead.source for dead in log.dead_letters()] == ["memory record 2"]
    assert counts(ingest_records([], MAPPING, log, CHECKS)) == (0, 0, 0)
    log.close()


def test_a_call_that_cannot_work_leaves_nothing(tmp_path: Path) -> None:
    log, path = SqliteEventLog(tmp_path / "events.db"), tmp_path / "reviews.csv"
    write_csv(path, range(3))
    with pytest.raises(UsageError, match="'text'"):
        ingest_file(path, ColumnMapping(text="text"), log, CHECKS)
    with pytest.raises(NotFound):
        ingest_file(tmp_path / "absent.csv", MAPPING, log, CHECKS)
    assert not (tmp_path / "events.db").exists()
