"""What ``predict`` reads: every line, unpacked where they are packed; a table only by its column."""

import gzip
import io
import json
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from freshtune.cli.inputs import read_inputs
from freshtune.errors import FreshtuneError, NotFound, UsageError
from freshtune.model.predictor import Input

TEXTS = ["很好, 下次还来", 'awful "x"', "第一\u2028句"]


def written(folder: Path, name: str) -> Path:
    """A file of three texts in the format that its name says."""
    path = folder / name
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    if plain.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": TEXTS, "second": ["a", None, "c"]}), path)
        return path
    if plain.suffix == ".jsonl":
        content = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    elif plain.suffix == ".csv":
        content = "id,text\n" + "".join(f'1,"{text.replace(chr(34), chr(34) * 2)}"\n' for text in TEXTS)
    else:
        content = "\n".join(TEXTS) + "\n"
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a", "a.gz"])
def test_lines_are_read_packed_or_not(name: str, tmp_path: Path) -> None:
    assert read_inputs(written(tmp_path, name), None, None) == [Input(text) for text in TEXTS]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz", "a.parquet", "A.CSV"])
def test_a_table_is_read_by_its_column_and_never_as_lines(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    with pytest.raises(UsageError) as told:
        read_inputs(path, None, None)
    assert "table" in told.value.what
    assert told.value.mend == f"freshtune predict {path} --text COLUMN"
    if name != "A.CSV":
        assert [each.text for each in read_inputs(path, "text", None)] == TEXTS
    with pytest.raises(UsageError, match="nope"):
        read_inputs(path, "nope", None)


@pytest.mark.parametrize(
    ("content", "asked"),
    [("a\n\n  \nb\n", ["a", "", "  ", "b"]), ("a\r\n\r\nb", ["a", "", "b"]), ("\n", [""]), ("a\n\n", ["a", ""])],
)
def test_every_line_is_asked_so_that_answers_stand_beside_it(content: str, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content.encode())
    assert [each.text for each in read_inputs(path, None, None)] == asked


@pytest.mark.parametrize(("name", "content", "text"), [("a.txt", "", None), ("a.csv", "text\n", "text")])
def test_a_file_without_a_text_is_told(name: str, content: str, text: str | None, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(NotFound, match=f"(?s)nothing to ask.*{name} holds no text.*ask again"):
        read_inputs(tmp_path / name, text, None)


@pytest.mark.parametrize("typed", [True, False])
def test_who_types_is_told_that_stdin_is_read(
    typed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO("很好\n".encode()), "utf-8")
    monkeypatch.setattr(stdin, "isatty", lambda: typed)
    monkeypatch.setattr(sys, "stdin", stdin)
    assert read_inputs(None, None, None) == [Input("很好")]
    assert ("Reading stdin" in capsys.readouterr().err) is typed


def test_a_second_text_is_none_where_the_row_has_none(tmp_path: Path) -> None:
    found = read_inputs(written(tmp_path, "a.parquet"), "text", "second")
    assert [each.pair for each in found] == ["a", None, "c"]


def test_rows_that_cannot_be_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n1,good\n2\n3,fine\n", "utf-8")
    assert read_inputs(path, "text", None) == [Input("good"), Input("fine")]
    assert "1 that cannot be read left out, the first: record 2: broken_csv" in capsys.readouterr().err


def test_what_cannot_be_read_is_told_with_the_mend(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"lovely" * 99)[:-9])
    (tmp_path / "noise.gz").write_bytes(b"\x1f\x8b" + b"x" * 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"0" * 20_000_000))
    for file, text, pair, kind in (
        (cut, None, None, UsageError),
        (tmp_path / "noise.gz", None, None, UsageError),
        (tmp_path / "bomb.gz", None, None, UsageError),
        (tmp_path / "nowhere.txt", None, None, NotFound),
        (tmp_path / "nowhere.csv", None, None, NotFound),
        (tmp_path / "nowhere.csv", "text", None, NotFound),
        (tmp_path, None, None, NotFound),
        (Path("-"), "text", None, UsageError),
        (None, "text", None, UsageError),
        (cut, None, "pair", UsageError),
    ):
        with pytest.raises(kind) as told:
            read_inputs(file, text, pair)
        assert isinstance(told.value, FreshtuneError)
        assert told.value.mend
