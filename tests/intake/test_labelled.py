"""Labelled data for judging: everything that is read is accounted for, and nothing left is an error with its mend."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freshtune.errors import NotFound, UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.labelled import read_labelled
from freshtune.intake.mapping import ColumnMapping
from freshtune.intake.masking import Masker
from freshtune.tasks import TASKS, Task

ALL_TASKS: dict[str, Task] = {name: task() for name, task in TASKS.items()}
CHECKS = EventChecks(ALL_TASKS, Masker(b"a salt of the tests, 32 bytes ..."))
SENTIMENT = ALL_TASKS["sentiment"]
MAPPING = ColumnMapping("sentiment", text="text", label="label", id="id")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(0, 3),
            "text": st.sampled_from(["很好", "bad", "", None, 5]),
            "label": st.sampled_from(["positive", "negative", "1", "", None]),
        }
    ),
    max_size=12,
)


@given(ROWS)
def test_every_record_is_judged_refused_passed_over_or_repeated(rows: list[dict[str, Any]]) -> None:
    good = {"id": "good", "text": "fine", "label": "positive"}
    found = read_labelled([*rows, good], MAPPING, CHECKS, SENTIMENT)
    refused = sum(found.refused.values())
    assert found.read == len(rows) + 1
    assert all(example.label is not None for example in found.examples)
    assert len({example.id for example in found.examples}) == len(found.examples)
    assert 0 <= found.read - refused - found.unlabelled - len(found.examples) <= len(rows)
    assert {letter.reason for letter in found.first_refused} == set(found.refused)
    kept = {row["id"] for row in rows if isinstance(row["text"], str) and row["text"] and row["label"] != "1"}
    assert len(found.examples) + found.unlabelled == len(kept) + 1


def test_a_file_counts_its_broken_records_too(tmp_path: Path) -> None:
    path = tmp_path / "held.jsonl.gz"
    lines = [json.dumps({"id": "a", "text": "fine", "label": "positive"}), "{", "[1]"]
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    found = read_labelled(path, MAPPING, CHECKS, SENTIMENT)
    assert (found.read, len(found.examples)) == (3, 1)
    assert found.refused == {"broken_json": 1, "not_an_object": 1}
    with pytest.raises(NotFound):
        read_labelled(tmp_path / "nowhere.csv", MAPPING, CHECKS, SENTIMENT)
    (tmp_path / "held.csv").write_text("review,label\nfine,positive\n", "utf-8")
    with pytest.raises(UsageError, match="no column 'text'"):
        read_labelled(tmp_path / "held.csv", MAPPING, CHECKS, SENTIMENT)


ROW = {"id": "a", "text": "很好 13800138000", "label": "1"}


@pytest.mark.parametrize(
    ("task", "row", "mapping", "why", "mend"),
    [
        ("sentiment", ROW, {}, "2 refused, bad_label: label '1' is none of", "--label-map 0=negative,1=positive"),
        ("sentiment", ROW, {"label_map": {"0": "negative"}}, "bad_label", "--label-map"),
        ("sentiment", ROW | {"text": ""}, {}, "2 refused, missing_text", "--text"),
        ("sentiment", ROW | {"label": ""}, {}, "1 without a label", "--label"),
        ("relevance", ROW, {}, "1 without a label, or without what relevance reads", "--pair"),
        ("rating", ROW | {"label": "good"}, {}, "bad_label", "--label-map good="),
        ("rating", ROW | {"label": 10}, {}, "rating_outside_scale", "--label-map 10="),
        ("rating", ROW | {"id": "i" * 300}, {}, "id_too_long", "more characters than the limit"),
    ],
)
def test_nothing_left_says_why_and_the_mend(
    task: str, row: dict[str, Any], mapping: dict[str, Any], why: str, mend: str
) -> None:
    names = {"text": "text", "label": "label", "id": "id"} | mapping
    with pytest.raises(UsageError) as told:
        read_labelled([row, row], ColumnMapping(task, **names), CHECKS, ALL_TASKS[task])
    assert told.value.what == f"None of 2 records can judge {task}."
    assert why in told.value.why
    assert mend in told.value.mend


def test_no_record_at_all_is_told_and_what_is_shown_is_masked() -> None:
    with pytest.raises(UsageError, match="no record at all"):
        read_labelled([], MAPPING, CHECKS, SENTIMENT)
    good = {"id": "good", "text": "fine", "label": "positive"}
    found = read_labelled([good, ROW | {"label": "13800138000"}], MAPPING, CHECKS, SENTIMENT)
    assert found.first_refused[0].source == "record 2"
    assert "13800138000" not in str(found)
