"""One test for each reason that a record can be refused for; the good ones around it are kept."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import SqliteEventLog
from freshtune.intake.ingest import ingest_file
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.intake.reasons import REASONS, BadRecord
from freshtune.records import LogRange
from freshtune.tasks import TASKS

MASKER = Masker(b"a salt of the tests, 32 bytes ...")
ALL_TASKS = {name: task() for name, task in TASKS.items()}
CHECKS = EventChecks(ALL_TASKS, MASKER)
GOOD = b'{"kind": "review", "text": "good \xe5\xa5\xbd"}\n'


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteEventLog]:
    log = SqliteEventLog(tmp_path / "events.db")
    yield log
    log.close()


def as_line(**names: Any) -> bytes:
    return json.dumps({"kind": "review", "text": "fine"} | names).encode()


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


LINES = [
    ("broken_json", b'{"kind": "review", "text": "fine"'),
    ("broken_json", b'{"kind": "review" "text": 1}'),
    ("broken_json", b"\x00"),
    ("not_an_object", b'["review"]'),
    ("not_an_object", b"null"),
    ("too_deep", b"[" * 100_000),
    ("too_deep", b'{"kind": "review", "text": "x", "fields": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001),
    ("too_deep", as_line(fields={"a": nested(20)})),
    ("not_finite", b'{"kind": "review", "text": "x", "fields": {"price": NaN}}'),
    ("not_finite", b'{"kind": "review", "text": "x", "fields": {"price": -Infinity}}'),
    ("not_finite", b'{"kind": "review", "text": "x", "fields": {"price": 1e999}}'),
    ("not_finite", as_line(task="rating", label="nan")),
    ("lone_surrogate", b'{"kind": "review", "text": "half \\ud83d"}'),
    ("lone_surrogate", b'{"kind": "review", "text": "half \\ude00 a"}'),
    ("broken_encoding", '{"kind": "review", "text": "好"}'.encode()[:-3] + b'"}'),
    ("broken_encoding", b'{"kind": "review", "text": "\xed\xa0\x80"}'),
    ("nul_character", as_line(text="a\0b")),
    ("nul_character", as_line(fields={"k\0": 1})),
    ("record_too_large", as_line(text="x" * 1_100_000)),
    ("too_many_fields", as_line(fields={str(number): number for number in range(101)})),
    ("too_many_fields", as_line(fields={"list": [0] * 200_000})),
    ("unknown_field", as_line(txt="fine")),
    ("wrong_type", as_line(text=5)),
    ("wrong_type", as_line(text=["a"])),
    ("wrong_type", as_line(user={"a": 1})),
    ("wrong_type", as_line(item=True)),
    ("wrong_type", as_line(fields=[1])),
    ("wrong_type", as_line(kind=3)),
    ("wrong_type", as_line(task=3)),
    ("wrong_type", as_line(time=[2013])),
    ("wrong_type", as_line(fields={"n": 1, "pair": 2})),
    ("missing_text", as_line(text=None)),
    ("missing_text", as_line(text=" \u3000\n")),
    ("missing_item", as_line(kind="item")),
    ("missing_label", as_line(kind="label", fields={"example": "e1"})),
    ("missing_example", as_line(kind="label", task="sentiment", fields={"label": "positive"})),
    ("missing_task", as_line(label="positive")),
    ("id_too_long", as_line(user="u" * 257)),
    ("id_too_long", as_line(category="c" * 257)),
    ("unknown_kind", as_line(kind="return")),
    ("unknown_kind", as_line(kind=None)),
    ("unknown_task", as_line(task="astrology")),
    ("bad_time", as_line(time="soon")),
    ("bad_time", as_line(time="2013-13-41")),
    ("time_out_of_range", as_line(time="0000-01-01T00:00:00")),
    ("time_out_of_range", as_line(time="0001-01-01T00:00:00+05:00")),
    ("time_out_of_range", as_line(time="9999-12-31T23:59:59-05:00")),
    ("time_out_of_range", as_line(time=-1)),
    ("time_out_of_range", as_line(time=10**18 * 9)),
    ("bad_label", as_line(task="sentiment", label="meh")),
    ("bad_label", as_line(task="sentiment", label=["positive"])),
    ("bad_label", as_line(task="rating", label=3.5)),
    ("bad_label", as_line(task="rating", label="many")),
    ("rating_outside_scale", as_line(task="rating", label=6)),
    ("rating_outside_scale", as_line(fields={"rating": 0})),
    ("rating_outside_scale", as_line(kind="query", task="relevance", pair="p", label=2.5)),
]


@pytest.mark.parametrize(("reason", "line"), LINES)
def test_a_bad_line_is_refused_alone(reason: str, line: bytes, log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(GOOD + line + b"\n" + GOOD.replace(b"good", b"better"))
    report = ingest_file(path, ColumnMapping(), log, CHECKS)
    assert report.dead_letters == {reason: 1}
    assert (report.read, report.kept) == (3, 2)
    (dead,) = log.dead_letters()
    assert dead.reason == reason
    assert dead.detail not in ("", "None")
    assert len(dead.record) <= 2_048
    assert dead.source.endswith("events.jsonl record 2")
    assert [event.text for event in log.read(LogRange(0, 9))] == ["good 好", "better 好"]


CHECKED: list[tuple[str, dict[str, Any], list[str]]] = [
    ("unknown_kind", {"kind": None}, ["kind is empty", "review", "erase"]),
    ("unknown_kind", {"kind": ""}, ["kind is empty", "review"]),
    ("unknown_kind", {"kind": "return"}, ["'return'", "review", "erase"]),
    ("wrong_type", {"kind": 3}, ["kind is a number", "text"]),
    ("wrong_type", {"text": ["a"]}, ["text is a list"]),
    ("wrong_type", {"user": {"a": 1}}, ["user is an object"]),
    ("wrong_type", {"item": True}, ["item is true or false"]),
    ("wrong_type", {"item": 1.5}, ["item is 1.5", "whole number"]),
    ("wrong_type", {"task": 3}, ["task is a number"]),
    ("wrong_type", {"fields": [1]}, ["fields is a list", "object"]),
    ("wrong_type", {"fields": {"when": object()}}, ["fields.when", "JSON"]),
    ("not_finite", {"fields": {"price": float("nan")}}, ["fields.price", "nan"]),
    ("not_finite", {"category": float("inf")}, ["category", "inf"]),
    ("too_deep", {"fields": {"tree": nested(20)}}, ["fields.tree", "16"]),
    ("too_many_fields", {"fields": {"list": [0] * 200}}, ["fields", "100"]),
    ("unknown_field", {"txt": "fine"}, ["'txt'", "text", "fields"]),
    ("unknown_task", {"task": "astrology"}, ["'astrology'", "sentiment", "rating"]),
    ("missing_task", {"label": "positive"}, ["sentiment and rating", "review"]),
    ("missing_task", {"kind": "click", "label": "positive"}, ["no task", "click"]),
    ("missing_text", {"text": " "}, ["text is empty", "review"]),
    ("missing_item", {"kind": "item"}, ["item is empty", "id"]),
    ("missing_label", {"kind": "label", "fields": {"example": "e"}}, ["fields has no label"]),
    ("missing_example", {"kind": "label", "task": "rating", "label": 1}, ["fields has no example", "id"]),
    ("id_too_long", {"session": "s" * 257}, ["session", "257", "256"]),
    ("id_too_long", {"category": "c" * 300}, ["category", "300"]),
    ("lone_surrogate", {"user": "\ud83d"}, ["user"]),
    ("nul_character", {"fields": {"note": "a\0"}}, ["fields"]),
    ("bad_label", {"task": "sentiment", "label": "1"}, ["'1'", "negative, positive"]),
    ("rating_outside_scale", {"task": "rating", "label": 9}, ["9", "1 to 5"]),
]


@pytest.mark.parametrize(("reason", "sent", "words"), CHECKED)
def test_a_refusal_names_the_place_and_what_belongs_there(reason: str, sent: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(BadRecord) as refused:
        CHECKS.event({"kind": "review", "text": "fine"} | sent)
    assert refused.value.reason == reason
    assert [word for word in words if word not in refused.value.detail] == [], refused.value.detail


def test_a_row_of_another_width(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text('review,stars\na,1\nb\nc,3,4\nd,4\n"never closed,5\ne,5\n', encoding="utf-8")
    report = ingest_file(path, ColumnMapping("rating", text="review", label="stars"), log, CHECKS)
    assert report.dead_letters == {"broken_csv": 3}
    assert [event.text for event in log.read(LogRange(0, 9))] == ["a", "d", "e"]


def test_a_truncated_gzip_keeps_what_it_holds(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    lines = b"".join(as_line(text=f"number {number}") + b"\n" for number in range(20_000))
    path.write_bytes(gzip.compress(lines)[:-2_000])
    report = ingest_file(path, ColumnMapping(), log, CHECKS)
    assert report.kept > 10_000
    assert report.dead_letters == {"broken_file": 1}


def test_a_gzip_bomb_is_left_early(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(GOOD)
        for _ in range(100):
            file.write(b" " * 1_000_000)
    report = ingest_file(path, ColumnMapping(), log, CHECKS)
    assert report.kept == 1
    assert report.dead_letters == {"decompression_limit": 1}


def test_what_is_no_parquet_file(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    assert ingest_file(path, ColumnMapping(), log, CHECKS).dead_letters == {"broken_file": 1}


def test_bad_cells_of_a_table(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    texts = pyarrow.array([b"good", b"\xe5\xa5", b"x" * 2_000_000, b"better"], pyarrow.binary()).cast(
        pyarrow.string(), safe=False
    )
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "price": [1.0, 2.0, 3.0, float("nan")]}), path)
    mapping = ColumnMapping(text="text", fields=("price",))
    report = ingest_file(path, mapping, log, CHECKS)
    assert report.dead_letters == {"broken_encoding": 1, "record_too_large": 1, "not_finite": 1}
    assert report.kept == 1


def test_every_reason_has_its_test() -> None:
    elsewhere = {"broken_csv", "broken_file", "decompression_limit"}
    assert {reason for reason, _ in LINES} | elsewhere == set(REASONS)


def test_a_long_text_is_cut_and_said_so(log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(as_line(text="好" * 9_995 + "13800138000" + "!" * 5_000) + b"\n")
    report = ingest_file(path, ColumnMapping(), log, CHECKS)
    (event,) = log.read(LogRange(0, 1))
    assert (report.kept, report.shortened, report.dead_letters) == (1, 1, {})
    assert event.text is not None
    assert len(event.text) == 10_000
    assert "138" not in event.text


@pytest.mark.parametrize(
    "line",
    [
        as_line(kind="call 13800138000 or a@b.com"),
        as_line(task="rating", label="13800138000"),
        b'{"text": "13800138000 \xe5',
        b'{"text": "call \\u0031\\u0033800138000", ',
        as_line(**{"13800138000": 1}),
        as_line(time="13800138000 a@b.com"),
    ],
)
def test_dead_letters_hold_no_personal_data(line: bytes, log: SqliteEventLog, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line + b"\n")
    ingest_file(path, ColumnMapping(), log, CHECKS)
    (dead,) = log.dead_letters()
    log.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("events.db*"))
    for secret in (b"13800138000", b"a@b.com", b"3800138"):
        assert secret not in stored
    assert "<" in dead.record
