"""Columns and JSON objects become events; labels are the tasks' own."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freshtune.errors import UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.json_text import split_array
from freshtune.intake.mapping import ColumnMapping, events_from_json, joined_text, parse_events, parse_label_map
from freshtune.intake.masking import Masker
from freshtune.intake.reasons import BadRecord
from freshtune.records import Event, Json
from freshtune.tasks import TASKS, Growing

ALL_TASKS = {name: task() for name, task in TASKS.items()}
CHECKS = EventChecks(ALL_TASKS, Masker(b"a salt of the tests, 32 bytes ..."))


def made(mapping: ColumnMapping, **record: Any) -> Event:
    return CHECKS.event(mapping.event(record, ALL_TASKS)).event


def test_a_row_becomes_an_event() -> None:
    mapping = ColumnMapping(
        "sentiment",
        text="评论",
        label="label",
        label_map={"0": "negative", "1": "positive"},
        time="when",
        id="row",
        user="u",
        item="sku",
        category="cat",
        fields=("age", "joined"),
    )
    event = made(
        mapping,
        评论="很好",
        label=1.0,
        when="2013-04-05",
        row=7,
        u="u1",
        sku=12.0,
        cat="书",
        age=33,
        joined=date(2012, 1, 2),
    )
    fields: dict[str, Json] = {"label": "positive", "category": "书", "age": 33, "joined": "2012-01-02"}
    assert event == Event(
        "7", "review", datetime(2013, 4, 5, tzinfo=UTC), "sentiment", "u1", "12", None, "很好", fields
    )


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("0", "negative"),
        (0, "negative"),
        (0.0, "negative"),
        (" 1 ", "positive"),
        (True, "positive"),
        ("negative", "negative"),
    ],
)
def test_a_label_map_reads_every_spelling(label: Json, read: str) -> None:
    mapping = ColumnMapping(
        "sentiment", text="t", label="l", label_map={"0": "negative", "1": "positive", "true": "positive"}
    )
    assert made(mapping, t="ok", l=label).fields["label"] == read


def test_an_empty_label_is_no_label() -> None:
    mapping = ColumnMapping("sentiment", text="t", label="l", label_map={"0": "negative"})
    assert "label" not in made(mapping, t="ok", l="").fields
    assert "label" not in made(mapping, t="ok", l=None).fields


def test_the_kind_is_the_first_that_the_task_reads() -> None:
    assert (
        made(ColumnMapping("relevance", text="q", pair="p", label="g"), q="lamp", p="desk lamp", g="2").kind == "query"
    )
    assert made(ColumnMapping(text="t"), t="x").kind == "review"
    assert made(ColumnMapping(kind="item", text="t", item="i"), t="x", i="1").kind == "item"


def test_an_event_without_a_kind_is_of_the_first_that_its_task_reads() -> None:
    assert made(ColumnMapping(), task="relevance", text="lamp", pair="desk lamp").kind == "query"
    assert made(ColumnMapping(), task="rating", kind="", text="ok", label=5).kind == "review"
    with pytest.raises(BadRecord, match=r"unknown_kind.*no task"):
        made(ColumnMapping(), text="ok")
    with pytest.raises(BadRecord, match="unknown_task"):
        made(ColumnMapping(), task="astrology", text="ok")


def test_a_file_of_events_needs_no_columns() -> None:
    event = made(ColumnMapping(), kind="label", task="rating", fields={"example": 12, "label": "4"})
    assert event.fields == {"example": "12", "label": 4}
    assert made(ColumnMapping("rating"), text="ok", label=5).fields == {"label": 5}


def test_a_label_without_its_task_goes_to_the_only_reader() -> None:
    event = made(ColumnMapping(), kind="query", text="lamp", pair="desk lamp", label=1)
    assert event.task == "relevance"
    with pytest.raises(BadRecord, match="missing_task"):
        made(ColumnMapping(), kind="review", text="ok", label="positive")


def test_a_rating_that_is_no_label_is_left_alone() -> None:
    assert made(ColumnMapping(), kind="item", item="1", text="lamp", fields={"rating": 9.6}).fields == {"rating": 9.6}


def test_equal_records_have_equal_ids_that_tell_nothing() -> None:
    mapping = ColumnMapping(text="t", user="u")
    one = made(mapping, t="call 13800138000", u="a")
    assert made(mapping, u="a", t="call 13800138000", other="ignored").id == one.id
    assert made(mapping, t="call 13900139000", u="a").id != one.id
    assert made(mapping, t="call 13800138000", u="b").id != one.id
    other_salt = EventChecks(ALL_TASKS, Masker(b"another salt of the same length ."))
    assert other_salt.event(mapping.event({"t": "call 13800138000", "u": "a"}, ALL_TASKS)).event.id != one.id


def test_ids_that_look_personal_are_masked_alike() -> None:
    event = made(ColumnMapping(), kind="review", id="13800138000", user="a@b.com", session="192.168.1.2", text="x")
    label = made(ColumnMapping(), kind="label", task="rating", fields={"example": "13800138000", "label": 1})
    assert event.id.startswith("<phone:")
    assert label.fields["example"] == event.id
    assert (event.user or "").startswith("<email:")
    assert (event.session or "").startswith("<ip:")


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (ColumnMapping("astrology", text="t"), "astrology"),
        (ColumnMapping(kind="return", text="t"), "return"),
        (ColumnMapping(text="missing"), "missing"),
        (ColumnMapping(text="t", fields=("absent",)), "absent"),
    ],
)
def test_a_mapping_that_cannot_fit_is_refused_at_once(mapping: ColumnMapping, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mapping.check(ALL_TASKS, ("t", "l"))


def test_an_element_that_is_no_object_is_told_in_the_words_of_json() -> None:
    made_of = events_from_json([None, [1], "a", True], CHECKS)
    found = [dead.detail.split(",")[0] for _, dead in made_of.dead]
    assert found == ["null", "a list", "a string", "true or false"]


@pytest.mark.parametrize("name", ["sentimnt", "relevance"])
def test_an_unknown_task_is_a_wrong_call_with_a_mend(name: str) -> None:
    with pytest.raises(UsageError) as told:
        ColumnMapping(name, text="t").check({"sentiment": ALL_TASKS["sentiment"]}, None)
    assert "sentiment" in told.value.why
    assert ("Did you mean 'sentiment'?" in told.value.why) is (name == "sentimnt")
    assert ("[tasks.relevance]" in told.value.mend) is (name == "relevance")


@pytest.mark.parametrize("written", ["差评=negative,好评=positive", "差评＝negative， 好评＝positive，"])
def test_a_label_map_may_be_typed_with_full_width_signs(written: str) -> None:
    assert parse_label_map(written) == {"差评": "negative", "好评": "positive"}


@pytest.mark.parametrize(
    ("task", "target", "labels"),
    [
        ("sentiment", "postive", "sentiment are negative, positive"),
        ("rating", "6", "rating are 1 to 5"),
        ("relevance", "good", "relevance are 0 to 2"),
        (None, "postive", "sentiment are negative, positive"),
    ],
)
def test_a_label_map_to_no_label_is_refused_before_anything_is_read(task: str | None, target: str, labels: str) -> None:
    mapping = ColumnMapping(task, text="t", label="l", label_map={"1": target})
    closed = {name: each for name, each in ALL_TASKS.items() if not isinstance(each, Growing)}
    with pytest.raises(UsageError) as told:
        mapping.check(closed, None)
    assert repr(target) in told.value.what
    assert f"Labels of {labels}." in told.value.why
    assert "--label-map" in told.value.mend


@pytest.mark.parametrize(
    ("task", "target"), [("sentiment", "negative"), ("rating", "5"), (None, "2"), (None, "positive")]
)
def test_a_label_map_to_labels_fits(task: str | None, target: str) -> None:
    ColumnMapping(task, text="t", label="l", label_map={"1": target}).check(ALL_TASKS, None)


def test_a_file_whose_columns_are_not_named_is_told_how_to_name_them() -> None:
    with pytest.raises(BadRecord, match=r"unknown_field: 'review': .*--text, --label"):
        made(ColumnMapping("sentiment"), review="很好")


@pytest.mark.parametrize("written", ["0", "0=", "=a", "0=a,b"])
def test_a_broken_label_map_is_refused(written: str) -> None:
    with pytest.raises(UsageError):
        parse_label_map(written)


def test_a_batch_keeps_its_good_events() -> None:
    good: dict[str, Json] = {"kind": "review", "text": "电话13800138000"}
    batch: list[Json | BadRecord] = [good, {"kind": "review"}, 5, good | {"text": "\ud800"}, good | {"text": "ok"}]
    made_of = events_from_json(batch, CHECKS)
    assert [event.text for event in made_of.kept] == [made_of.kept[0].text, "ok"]
    assert "138" not in str(made_of.kept)
    assert [(place, dead.reason) for place, dead in made_of.dead] == [
        (1, "missing_text"),
        (2, "not_an_object"),
        (3, "lone_surrogate"),
    ]


@pytest.mark.parametrize("task", ["rating", "relevance"])
@pytest.mark.parametrize("label", [10**400, -(10**400), "1e400", True, "", {}, []])
def test_no_label_breaks_its_batch(task: str, label: Json) -> None:
    sent: dict[str, Json] = {"kind": "query", "text": "ok", "task": task, "fields": {"label": label}}
    made_of = events_from_json([sent], CHECKS)
    assert [dead.reason for _, dead in made_of.dead] in (["bad_label"], ["not_finite"])


def test_a_batch_is_bounded() -> None:
    with pytest.raises(UsageError):
        events_from_json([{}] * 10_001, CHECKS)


@pytest.mark.parametrize("frame", [b"[%s]", b' {"events" : [%s]}'])
def test_a_body_with_broken_elements_keeps_the_others(frame: bytes) -> None:
    good = b'{"kind": "review", "text": "a, ] [ } \\" \xe2\x80\xa8"}'
    elements = [
        good,
        b"[" * 99_999 + b"1" + b"]" * 99_999,
        b'{"kind": "review", "text": "x", "fields": {"a": NaN}}',
        b'{"kind": "review", "text": "\\ud800"}',
        b'{"kind": "review", "text": "\xff"}',
        b"nonsense",
        b"",
        good,
    ]
    made_of = events_from_json(parse_events(frame % b",".join(elements), CHECKS), CHECKS)
    assert len(made_of.events) == 2
    assert [(place, dead.reason) for place, dead in made_of.dead] == [
        (1, "too_deep"),
        (2, "not_finite"),
        (3, "lone_surrogate"),
        (4, "broken_encoding"),
        (5, "broken_json"),
        (6, "broken_json"),
    ]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'"events"', b"[1, NaN", b"[NaN]]]", b"[[NaN]", b'{"events": 5}', b"[" * 100_000]
)
def test_a_body_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(BadRecord, match="broken_json"):
        parse_events(body, CHECKS)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON_VALUES, max_size=5), st.booleans())
@settings(deadline=None, derandomize=True)
def test_an_array_is_cut_where_json_cuts_it(values: list[Any], ascii_only: bool) -> None:
    body = json.dumps(values, ensure_ascii=ascii_only).encode()
    assert [json.loads(element) for element in split_array(body)] == values


NAMES = st.sampled_from(
    ["id", "kind", "time", "task", "user", "item", "session", "text", "fields", "label", "pair", "example", "x"]
)
SENT = st.dictionaries(
    NAMES, JSON_VALUES | st.sampled_from(["review", "label", "rating", 5, float("nan"), 10**30]), max_size=8
)


@given(SENT)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_anything_sent_is_an_event_or_refused(sent: dict[str, Any]) -> None:
    made_of = events_from_json([sent | {"kind": "review", "text": sent.get("text", "ok")}, sent], CHECKS)
    assert len(made_of.events) + len(made_of.dead) == 2
    for dead in made_of.dead:
        dead[1].record.encode()


def test_several_columns_are_one_text_and_one_label() -> None:
    mapping = ColumnMapping("attributes", text="title,about", label="brand，colour", id="id", item="id")
    tasks = {"attributes": TASKS["attributes"]()}
    mapping.check(tasks, ("id", "title", "about", "brand", "colour"))
    row: dict[str, Json] = {"id": "1", "title": "Towel ", "about": "Soft.", "brand": "小米", "colour": ""}
    sent = mapping.event(row, tasks)
    assert sent["text"] == "Towel\nSoft."
    assert sent["label"] == {"brand": "小米"}
    assert sent["kind"] == "item"
    bare = mapping.event({"id": "2", "brand": "", "colour": None}, tasks)
    assert bare["text"] is None
    assert bare["label"] is None
    with pytest.raises(UsageError, match="'size'"):
        replace(mapping, text="title,size").check(tasks, ("id", "title", "about", "brand", "colour"))


def test_several_columns_have_no_label_map_and_none_is_no_column() -> None:
    tasks = {"attributes": TASKS["attributes"]()}
    header = ("text", "brand", "colour")
    with pytest.raises(UsageError, match="one column of labels"):
        ColumnMapping("attributes", text="text", label="brand,colour", label_map={"红": "colour=red"}).check(
            tasks, header
        )
    with pytest.raises(UsageError, match="--text names no column"):
        ColumnMapping("attributes", text=",").check(tasks, header)
    record: dict[str, Json] = {"title": "x", "about": " "}
    assert joined_text(record, "title,about") == "x"


def test_a_column_whose_own_name_has_a_comma_is_that_column() -> None:
    mapping = ColumnMapping("attributes", text="title,about", label="label")
    tasks = {"attributes": TASKS["attributes"]()}
    mapping.check(tasks, ("title,about", "label"))
    assert mapping.event({"title,about": "Towel", "label": "a=b"}, tasks)["text"] == "Towel"
