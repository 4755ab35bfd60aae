"""The laws of the sources, on every member and every form of its files."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from freshtune.errors import NotFound, UsageError
from freshtune.intake.reasons import BadRecord
from freshtune.intake.sources import SOURCES, Source, open_source

RECORDS: list[dict[str, Any]] = [
    {"text": "很好，下次还来", "label": "1"},
    {"text": 'line one\nline two, "quoted"\u2028same line\x85 same\r\nnext', "label": "0"},
    {"text": "ends with a separator\u2029", "label": "1"},
    *({"text": f"第{number}条 review {number}", "label": str(number % 2)} for number in range(700)),
]

Write = Callable[[Path, list[dict[str, Any]]], None]


def write_csv(path: Path, records: list[dict[str, Any]], encoding: str = "utf-8") -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["text", "label"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    path.write_bytes(text.getvalue().encode(encoding))


def write_jsonl(path: Path, records: list[dict[str, Any]], encoding: str = "utf-8") -> None:
    path.write_bytes("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(encoding))


def write_parquet(path: Path, records: list[dict[str, Any]]) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), path, row_group_size=300)


WRITERS: dict[str, Write] = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}


def contents(source: Source, after: str | None = None) -> list[Any]:
    return [raw.content for raw in source.records(after)]


def test_every_member_is_tested() -> None:
    assert set(WRITERS) == set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_records_come_whole_and_in_order(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    WRITERS[name](path, RECORDS)
    raws = list(open_source(path).records())
    assert [raw.content for raw in raws] == RECORDS
    assert [raw.number for raw in raws] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("name", SOURCES)
def test_reading_goes_on_at_every_position(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    WRITERS[name](path, RECORDS)
    source = open_source(path)
    raws = list(source.records())
    for place in (0, 1, 2, 3, 299, 300, 600, len(raws) - 1):
        rest = list(source.records(raws[place].position))
        assert [raw.content for raw in rest] == RECORDS[place + 1 :]
        assert [raw.number for raw in rest] == list(range(place + 2, len(RECORDS) + 1))


@pytest.mark.parametrize("name", SOURCES)
def test_a_changed_file_is_read_from_its_start(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    WRITERS[name](path, RECORDS)
    position = list(open_source(path).records())[10].position
    changed = [{**RECORDS[0], "text": "changed"}, *RECORDS[1:]]
    WRITERS[name](path, changed)
    assert contents(open_source(path), position) == changed


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("position", ["", "x", "1:2:3:4", "-1:0:0", "99999999:00000000:5", "5:zz:1", "nonsense:1"])
def test_a_position_of_another_source_means_the_start(name: str, position: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    WRITERS[name](path, RECORDS[:5])
    assert contents(open_source(path), position) == RECORDS[:5]


@pytest.mark.parametrize("name", SOURCES)
def test_an_empty_file_holds_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    if name == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), path)
    else:
        path.write_bytes(b"")
    assert contents(open_source(path)) == []


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_gzip_reads_as_plain(name: str, tmp_path: Path) -> None:
    plain, packed = tmp_path / f"records.{name}", tmp_path / f"records.{name}.gz"
    WRITERS[name](plain, RECORDS)
    whole = plain.read_bytes()
    packed.write_bytes(gzip.compress(whole[:5_000]) + gzip.compress(whole[5_000:]))
    raws = list(open_source(packed).records())
    assert [raw.content for raw in raws] == RECORDS
    assert contents(open_source(packed), raws[400].position) == RECORDS[401:]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("write", [write_csv, write_jsonl], ids=["csv", "jsonl"])
def test_encodings_are_found_out(write: Callable[..., None], encoding: str, tmp_path: Path) -> None:
    path = tmp_path / ("records.csv" if write is write_csv else "records.jsonl")
    if encoding == "utf-16-le-bom":
        write(path, RECORDS, "utf-16-be")
        path.write_bytes(b"\xfe\xff" + path.read_bytes())
    else:
        write(path, RECORDS, encoding)
    source = open_source(path)
    raws = list(source.records())
    assert [raw.content for raw in raws] == RECORDS
    assert contents(source, raws[5].position) == RECORDS[6:]
    assert source.columns() in (None, ("text", "label"))


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_one_broken_line_does_not_change_the_encoding(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"records.{name}"
    WRITERS[name](path, RECORDS)
    whole = path.read_bytes()
    broken = whole.replace("第5条".encode(), "第5条".encode()[:-1])
    path.write_bytes(broken)
    found = contents(open_source(path))
    assert [content.reason for content in found if isinstance(content, BadRecord)] == ["broken_encoding"]
    assert [content for content in found if not isinstance(content, BadRecord)] == RECORDS[:8] + RECORDS[9:]


def test_a_growing_file_gives_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_jsonl(path, RECORDS[:3])
    with path.open("ab") as file:
        file.write(b'{"text": "half of a li')
    raws = list(open_source(path).records())
    assert isinstance(raws[-1].content, BadRecord)
    with path.open("ab") as file:
        file.write(b'ne"}\n{"text": "more"}')
    assert contents(open_source(path), raws[-1].position) == [{"text": "half of a line"}, {"text": "more"}]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_found_out(delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(f"text{delimiter}label\nok{delimiter}1\n", encoding="utf-8")
    assert contents(open_source(path)) == [{"text": "ok", "label": "1"}]


def test_a_line_beyond_the_limit_is_dropped_alone(tmp_path: Path) -> None:
    for name, frame in (("jsonl", '{"text": "%s"}\n'), ("csv", "%s\n")):
        path = tmp_path / f"records.{name}"
        head = "text\n" if name == "csv" else ""
        path.write_text(head + frame % "a" + frame % ("x" * 5_000_000) + frame % "b", encoding="utf-8")
        found = contents(open_source(path))
        assert found[0] == {"text": "a"}
        assert found[1].reason == "record_too_large"
        assert len(found[1].excerpt) <= 4_096
        assert found[2] == {"text": "b"}


def test_an_open_quote_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    rows = "".join(f"review {number},1\n" for number in range(20_000))
    path.write_text(f'text,label\nok,1\n"never closed,0\n{rows}last,1\n', encoding="utf-8")
    found = contents(open_source(path))
    assert [content.reason for content in found if isinstance(content, BadRecord)] == ["broken_csv"]
    assert len(found) == 20_003


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_source(tmp_path / "absent.csv")
    path = tmp_path / "records.xlsx"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="suffix"):
        open_source(path)
