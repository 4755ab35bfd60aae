"""Records survive JSON, and nothing foreign is read as one."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.errors import IntegrityError
from freshtune.record_json import dumps, from_json, loads, to_json
from freshtune.records import (
    Estimate,
    Example,
    Finding,
    Json,
    Label,
    LogRange,
    Outcome,
    Provenance,
    Release,
    Scorecard,
    Verdict,
)

CARD = Scorecard(
    "old",
    1,
    {"accuracy": Estimate(1.0, 0.5, 1.0)},
    {"手机": {"examples": 1.0, "accuracy": 1.0}},
    (Outcome("a", 1.0, 1.0, 0.9, (0.1, 0.9), "查询", "手机"),),
)
VERDICT = Verdict(
    False,
    (
        Finding("slices", False, {"old/手机": -0.1}, "手机 lost."),
        Finding("latency", True, {}, "Not measured.", examined=False),
    ),
)
RELEASE = Release(
    id="sentiment-0123456789ab",
    task="sentiment",
    parent=None,
    trunk="t",
    vector_space="v",
    range=LogRange(0, 9),
    recipe="r",
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    scorecards={"old": CARD},
    verdict=VERDICT,
    artefacts={"top.onnx": "ab"},
    forced_by="a person",
    forced_why="why",
)


@pytest.mark.parametrize("record", [CARD, VERDICT, RELEASE, LogRange(1, 2)], ids=lambda record: type(record).__name__)
def test_round_trip_is_equal_and_its_bytes_stable(record: object) -> None:
    data = dumps(record)
    again = loads(type(record), data)
    assert again == record
    assert dumps(again) == data
    assert b"\\u" not in data


LABELS: st.SearchStrategy[Label | None] = st.one_of(
    st.none(),
    st.text(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.floats(0, 1), min_size=1, max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.text(), LABELS, st.dictionaries(st.text(), JSON, max_size=3), st.one_of(st.none(), st.floats(0, 1)))
def test_any_example_keeps_value_and_type(text: str, label: Label | None, fields: dict, sure: float | None) -> None:  # type: ignore[type-arg]
    example = Example("a", "t", text, label=label, fields=fields, provenance=Provenance("pseudo", "r", sure))
    again = loads(Example, dumps(example))
    assert again == example
    assert type(again.label) is type(label)


def test_nan_is_null_and_comes_back_and_infinity_is_refused() -> None:
    data = dumps(Estimate(math.nan, 0.0, 1.0))
    assert json.loads(data) == {"value": None, "low": 0.0, "high": 1.0}
    assert math.isnan(loads(Estimate, data).value)
    with pytest.raises(ValueError, match="infinite"):
        to_json(Estimate(math.inf, 0.0, 1.0))


@pytest.mark.parametrize(
    ("kind", "value", "place"),
    [
        (LogRange, {"since": 1, "upto": 2, "by": 3}, "unknown key 'by'"),
        (LogRange, {"since": 1}, "'upto' is missing"),
        (LogRange, {"since": True, "upto": 2}, "LogRange.since"),
        (LogRange, {"since": "1", "upto": 2}, "LogRange.since"),
        (LogRange, [1, 2], "LogRange"),
        (Estimate, {"value": "1", "low": 0, "high": 1}, "Estimate.value"),
        (Verdict, {"promote": False, "findings": {}}, "Verdict.findings"),
        (Verdict, {"promote": False, "findings": [{"rule": 1}]}, r"findings\[0\]"),
        (Scorecard, {**json.loads(dumps(CARD)), "metrics": []}, "Scorecard.metrics"),
        (Release, {**json.loads(dumps(RELEASE)), "created": "yesterday"}, "Release.created"),
        (Example, {"id": "a", "task": "t", "text": "x", "label": {}}, "Example.label"),
        (Example, {"id": "a", "task": "t", "text": "x", "pair": 3}, "Example.pair"),
        (Provenance, {"source": "god"}, "Provenance.source"),
    ],
)
def test_foreign_json_is_refused_with_its_place(kind: type, value: object, place: str) -> None:
    with pytest.raises(IntegrityError, match=place):
        from_json(kind, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"NaN", b"[" * 100_000])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        loads(LogRange, data)


def test_a_finding_of_before_there_were_three_states_was_examined() -> None:
    written: Json = {"rule": "size", "passed": True, "numbers": {}, "words": "It needs no more."}
    assert from_json(Finding, written) == Finding("size", True, {}, "It needs no more.", examined=True)
