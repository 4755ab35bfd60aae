"""Events over HTTP: stored before they are acknowledged, refused one by one with the reasons of the intake."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from freshtune.intake.event_log import SqliteEventLog
from freshtune.records import LogRange
from tests.serve.conftest import OpenClient
from tests.serve.tiny_service import MASKED, TinyShop

LINES = {"Content-Type": "application/x-ndjson"}
GOOD = {"kind": "review", "text": "很好", "label": "positive", "task": "sentiment"}

REFUSED: dict[str, tuple[bytes, str]] = {
    "broken": (b'{"kind": "review", "text": ', "broken_json"),
    "no object": (b"7", "not_an_object"),
    "no text": (b'{"kind": "review"}', "missing_text"),
    "wrong type": (b'{"kind": "review", "text": 7}', "wrong_type"),
    "unknown kind": (b'{"kind": "gossip", "text": "x"}', "unknown_kind"),
    "unknown task": (b'{"kind": "review", "text": "x", "task": "none"}', "unknown_task"),
    "unknown field": (b'{"kind": "review", "text": "x", "colour": 1}', "unknown_field"),
    "rating outside": (b'{"kind": "review", "text": "x", "task": "rating", "label": 9}', "rating_outside_scale"),
    "nan": (b'{"kind": "review", "text": "x", "fields": {"price": NaN}}', "not_finite"),
    "infinite": (b'{"kind": "review", "text": "x", "fields": {"price": 1e999}}', "not_finite"),
    "surrogate": (b'{"kind": "review", "text": "\\ud800"}', "lone_surrogate"),
    "utf-8 cut": (b'{"kind": "review", "text": "\xe4\xbd"}', "broken_encoding"),
    "nul": (b'{"kind": "review", "text": "a\\u0000"}', "nul_character"),
    "deep": (b'{"kind": "review", "text": "x", "fields": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "too_deep"),
    "year 0": (b'{"kind": "review", "text": "x", "time": "9999-01-01T00:00:00Z"}', "time_out_of_range"),
}


@pytest.mark.parametrize("whole", ["lines", "array", "events"])
def test_a_bad_record_fails_alone_with_its_reason(client: TestClient, live_shop: TinyShop, whole: str) -> None:
    good = json.dumps(GOOD).encode()
    # An object that is never closed breaks an array as a whole: there, another broken one takes its place.
    broken = REFUSED["broken"][0] if whole == "lines" else b"{x}"
    bad = [broken, *(record for name, (record, _) in REFUSED.items() if name != "broken")]
    records = [record for each in bad for record in (each, good)]
    body = b"\n".join(records) if whole == "lines" else b"[" + b",".join(records) + b"]"
    body = b'{"events": ' + body + b"}" if whole == "events" else body
    reply = client.post("/v1/events", content=body, headers=LINES if whole == "lines" else {})
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert [(each["index"], each["reason"]) for each in told["rejected"]] == [
        (2 * place, reason) for place, (_, reason) in enumerate(REFUSED.values())
    ]
    assert (told["read"], told["kept"], told["duplicates"]) == (2 * len(REFUSED), 1, len(REFUSED) - 1)
    assert sum(told["dead_letters"].values()) == len(REFUSED) == len(list(live_shop.log.dead_letters()))


def test_what_is_acknowledged_is_on_disk_and_masked(client: TestClient, tmp_path: Path) -> None:
    sent = [
        {"kind": "review", "text": f"打 {MASKED} 找我\u2028好", "id": "1"},
        {"kind": "review", "text": 7, "user": MASKED},
    ]
    reply = client.post("/v1/events", json=sent).json()
    assert (reply["kept"], reply["masked"]) == (1, 1)
    log = SqliteEventLog(tmp_path / "events.db")
    (event,) = log.read(LogRange(0, log.head()))
    (letter,) = log.dead_letters()
    log.close()
    assert event.text
    assert event.text.endswith("找我\u2028好")
    for text in (event.text, letter.record, json.dumps(reply)):
        assert MASKED not in text
    assert client.post("/v1/events", json=sent[:1]).json()["duplicates"] == 1


def test_the_task_of_the_address_is_meant_where_a_record_names_none(client: TestClient, live_shop: TinyShop) -> None:
    records = [{"kind": "review", "text": "好", "label": 5}, GOOD]
    assert client.post("/v1/events?task=rating", json={"events": records}).json()["kept"] == 2
    events = list(live_shop.log.read(LogRange(0, 2)))
    assert [(event.task, event.fields["label"]) for event in events] == [("rating", 5), ("sentiment", "positive")]
    assert client.post("/v1/events?task=none", json=records).status_code == 404


@pytest.mark.parametrize("lines", [True, False])
def test_without_a_kind_it_is_the_first_that_its_task_reads(
    client: TestClient, live_shop: TinyShop, lines: bool
) -> None:
    sent: list[dict[str, object]] = [
        {"task": "sentiment", "text": "好", "label": "positive"},
        {"task": "relevance", "kind": "", "text": "手机", "pair": "手机壳", "label": 1},
        {"task": "rating", "kind": None, "text": "很好", "label": 5},
        {"text": "好"},
        {"task": "none", "text": "好"},
    ]
    body = "\n".join(map(json.dumps, sent)) if lines else json.dumps(sent)
    told = client.post("/v1/events", content=body.encode(), headers=LINES if lines else {}).json()
    assert [(each["index"], each["reason"]) for each in told["rejected"]] == [(3, "unknown_kind"), (4, "unknown_task")]
    assert [event.kind for event in live_shop.log.read(LogRange(0, 9))] == ["review", "query", "review"]
    addressed = client.post("/v1/events?task=relevance", json=[{"text": "灯", "pair": "台灯"}]).json()
    assert addressed["kept"] == 1
    again = client.post("/v1/events", json=[sent[0] | {"kind": "review"}]).json()
    assert again["duplicates"] == 1, "said or not, it is the same event"


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"7", b'{"events": 7}', b"[[[", b'{"events": [1}'])
def test_what_is_no_batch_is_refused(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/events", content=body).status_code == 400


def test_too_many_records_are_refused(client: TestClient) -> None:
    assert client.post("/v1/events", json=[GOOD] * 10_001).status_code == 422


def test_an_empty_shop_takes_events(shop: TinyShop, client_of: OpenClient) -> None:
    client = client_of(shop.service(), shop.key["ingest"])
    assert client.post("/v1/events", json=[GOOD]).json()["kept"] == 1
    assert shop.log.head() == 1
