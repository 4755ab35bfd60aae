"""Releases, status, metrics, docs and errors: what callers see, and what they must not see."""

import io
import re
import threading
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from freshtune.errors import ConfigurationError
from freshtune.records import Release
from freshtune.serve.app import create_app
from freshtune.serve.logs import open_log
from freshtune.serve.routes import ROUTES
from freshtune.serve.service import ServeSettings
from tests.serve.conftest import OpenClient
from tests.serve.tiny_service import MASKED, TinyPredictor, TinyShop, mask, with_opener
from tests.serve.waiting import until


def _release(client: TestClient, task: str = "sentiment") -> str:
    return str(client.get("/v1/status").json()["tasks"][task]["release"])


def test_promote_and_roll_back_over_http(client: TestClient, live_shop: TinyShop) -> None:
    first = _release(client)
    second = live_shop.train("sentiment", 5).id
    assert client.post(f"/v1/releases/{second}/promote", json={"expected_live": second}).status_code == 409
    assert client.post(f"/v1/releases/{second}/promote", json={"expected_live": first, "why": "更好"}).json() == {
        "live": second,
        "task": "sentiment",
    }
    until(lambda: _release(client) == second)
    listed = client.get("/v1/releases?task=sentiment").json()["releases"]
    assert [(each["id"], each["live"]) for each in listed] == [(second, True), (first, False)]
    assert client.post("/v1/rollback/sentiment", json={"expected_live": first}).status_code == 409
    assert client.post("/v1/rollback/sentiment").json() == {
        "live": first,
        "task": "sentiment",
        "quarantined": [[5, 6]],
    }
    until(lambda: _release(client) == first)
    assert client.post("/v1/rollback/sentiment").status_code == 404
    said = live_shop.registry.history("sentiment")
    assert [each.action for each in said] == ["promote", "promote", "rollback"]
    assert said[1].by.startswith("admin (key ")
    assert said[1].why == "更好"


def test_a_refused_release_is_promoted_by_force_alone(client: TestClient, live_shop: TinyShop) -> None:
    refused = live_shop.train("sentiment", 6, promotes=False).id
    assert client.post(f"/v1/releases/{refused}/promote").json()["error"]["reason"] == "refused"
    assert client.post(f"/v1/releases/{refused}/promote", json={"force": True}).status_code == 422
    assert client.post(f"/v1/releases/{refused}/promote", json={"force": True, "why": "we know"}).status_code == 200
    shown = client.get(f"/v1/releases/{refused}").json()
    assert shown["forced_why"] == "we know"
    assert shown["artefacts"].keys() >= {"top.onnx"}


def test_an_unknown_release_is_not_found(client: TestClient) -> None:
    for reply in (client.get("/v1/releases/nothing"), client.post("/v1/releases/nothing/promote")):
        assert reply.status_code == 404
        assert reply.json()["error"]["reason"] == "not_found"


def test_a_release_that_does_not_load_is_told_and_the_old_one_answers(
    live_shop: TinyShop, client_of: OpenClient
) -> None:
    first = live_shop.registry.live_id("sentiment")

    def opened(release: Release) -> TinyPredictor:
        if release.task == "sentiment" and release.id != first:
            raise OSError("/secret/path")
        return live_shop.open_model(release)

    client = client_of(with_opener(live_shop.service(), opened), live_shop.key["admin"])
    second = live_shop.train_live("sentiment", 7).id
    until(lambda: client.get("/v1/status").json()["tasks"]["sentiment"]["failed"] is not None)
    told = client.get("/v1/status")
    assert told.json()["tasks"]["sentiment"]["failed"] == {"release": second, "error": "OSError"}
    assert "/secret" not in told.text
    assert client.post("/v1/predict/sentiment", json={"inputs": ["好"]}).json()["release"] == first
    assert client.get("/readyz").status_code == 200
    assert 'freshtune_load_failures_total{task="sentiment"} 1.0' in client.get("/metrics").text


def test_errors_never_leak_the_inside_and_the_log_has_them_masked(live_shop: TinyShop) -> None:
    class Leaky(TinyPredictor):
        def logits(self, inputs: Any) -> Any:
            if any("crash" in each.text for each in inputs):
                raise RuntimeError(f"/srv/secret.onnx: {MASKED} with {live_shop.key['admin']}")
            return super().logits(inputs)

    def opened(release: Release) -> TinyPredictor:
        return Leaky(live_shop.registry.load_file(release, "top.onnx"), live_shop.tasks[release.task].head())

    stream = io.StringIO()
    app = create_app(with_opener(live_shop.service(), opened), open_log(mask, stream))
    headers = {"Authorization": f"Bearer {live_shop.key['admin']}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        reply = client.post("/v1/predict/sentiment", json={"inputs": ["crash"]})
        protocol = client.post(
            "/v2/models/sentiment/infer",
            json={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["crash"]}]},
        )
    assert reply.status_code == protocol.status_code == 500
    assert reply.json()["error"].keys() == {"reason", "what", "why", "mend"}
    assert isinstance(protocol.json()["error"], str)
    for text in (reply.text, protocol.text):
        assert "secret" not in text
        assert MASKED not in text
    log = stream.getvalue()
    assert reply.headers["x-request-id"] in log
    assert "with ft_***" in log
    assert MASKED not in log
    for shown in live_shop.key.values():
        assert shown not in log
    assert all(isinstance(orjson.loads(line), dict) for line in log.splitlines())


def test_an_error_that_is_the_servers_own_is_a_bare_500(live_shop: TinyShop, client_of: OpenClient) -> None:
    def head() -> int:
        raise ConfigurationError("/srv/events.db", "on /dev/sda1", "mount it")

    client = client_of(replace(live_shop.service(), log_head=head), live_shop.key["read"])
    reply = client.get("/v1/status")
    assert reply.status_code == 500
    assert reply.json()["error"]["reason"] == "internal"
    assert "srv" not in reply.text


def test_the_status_says_what_answers_since_when_and_what_waits(client: TestClient, live_shop: TinyShop) -> None:
    def told(task: str = "sentiment") -> dict[str, Any]:
        found: dict[str, Any] = client.get("/v1/status").json()["tasks"][task]
        return found

    first, made_live = _release(client), live_shop.registry.history("sentiment")[-1].time
    assert (told()["since"], told()["last"]["outcome"]) == (made_live.isoformat(), "promoted")
    assert told("relevance") == {
        "release": None,
        "since": None,
        "load_seconds": None,
        "failed": None,
        "pending_events": 0,
        "last": None,
    }
    client.post("/v1/events", json=[{"kind": "review", "text": str(number)} for number in range(5)])
    live = live_shop.registry.get(first).range
    learned = sum(live.since < position <= live.upto for position in range(1, 6))
    assert (told()["pending_events"], told("relevance")["pending_events"]) == (5 - learned, 5)
    refused = live_shop.train("sentiment", 6, promotes=False)
    after = told()
    assert (after["release"], after["since"]) == (first, made_live.isoformat())
    assert (after["last"]["release"], after["last"]["outcome"]) == (refused.id, "refused")


def test_every_reply_has_the_security_headers(client: TestClient) -> None:
    for path in ("/livez", "/docs", "/nothing", "/v1/predict/none"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_no_other_origin_is_allowed(client: TestClient) -> None:
    ask = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    reply = client.options("/v1/predict/sentiment", headers=ask)
    assert reply.status_code == 405
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_metrics_count_what_happened(client: TestClient) -> None:
    client.post("/v1/predict/sentiment", json={"inputs": ["好", "bad"]})
    client.post("/v1/events", json=[{"kind": "review", "text": "x"}, {"kind": "review"}])
    client.get("/nothing/13800138000")
    text = client.get("/metrics").text
    release = _release(client)
    for line in (
        'freshtune_requests_total{method="POST",route="/v1/predict/{task}",status="200"} 1.0',
        'freshtune_requests_total{method="GET",route="none",status="404"} 1.0',
        'freshtune_batch_texts_sum{task="sentiment"} 2.0',
        f'freshtune_live_release_info{{release="{release}",task="sentiment"}} 1.0',
        'freshtune_swaps_total{task="sentiment"} 1.0',
        'freshtune_events_total{outcome="kept"} 1.0',
        'freshtune_dead_letters_total{reason="missing_text"} 1.0',
        'freshtune_queue_texts{task="sentiment"} 0.0',
    ):
        assert line in text
    assert "13800138000" not in text


def test_the_docs_list_every_route_and_load_nothing(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = [(method.upper(), path) for path, each in document["paths"].items() for method in each]
    routes = [route for routes in ROUTES.values() for route in routes]
    assert sorted(operations) == sorted((route.method, route.path) for route in routes)
    ids = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(set(ids)) == len(ids)
    page = client.get("/docs").text
    for route in routes:
        assert f"{route.method} {route.path}</h2>" in page
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", page)


def test_open_inference_gives_the_same_answers(client: TestClient) -> None:
    texts = ["房间很干净", "broken"]
    plain = client.post("/v1/predict/rating", json={"inputs": texts}).json()
    tensor = {"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [[text] for text in texts]}
    reply = client.post("/v2/models/rating/infer", json={"id": "7", "inputs": [tensor], "outputs": [{"name": "label"}]})
    told = reply.json()
    assert (told["model_name"], told["model_version"], told["id"]) == ("rating", plain["release"], "7")
    outputs = {each["name"]: each for each in told["outputs"]}
    assert outputs["label"]["data"] == [str(each["label"]) for each in plain["answers"]]
    assert outputs["score"]["data"] == [each["score"] for each in plain["answers"]]
    assert outputs["probabilities"]["shape"] == [2, 5]
    named = outputs["probabilities"]["parameters"]
    assert named == {"classes": "1,2,3,4,5", "names": '["1","2","3","4","5"]'}, "a name may hold a comma"
    for path, status in (
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        ("/v2/models/rating", 200),
        ("/v2/models/rating/ready", 200),
        ("/v2/models/relevance/ready", 400),
        ("/v2/models/none", 404),
    ):
        assert client.get(path).status_code == status, path


def test_too_slow_an_answer_is_a_503(live_shop: TinyShop, client_of: OpenClient) -> None:
    held = threading.Event()

    class Slow(TinyPredictor):
        def logits(self, inputs: Any) -> Any:
            if any("wait" in each.text for each in inputs):
                held.wait(10)
            return super().logits(inputs)

    def opened(release: Release) -> TinyPredictor:
        return Slow(live_shop.registry.load_file(release, "top.onnx"), live_shop.tasks[release.task].head())

    service = with_opener(live_shop.service(ServeSettings(workers=1, answer_seconds=0.1)), opened)
    client = client_of(service, live_shop.key["predict"])
    reply = client.post("/v1/predict/sentiment", json={"inputs": ["wait"]})
    held.set()
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "value", [{"a": {"b": [MASKED, 1, None]}}, [MASKED], ValueError(MASKED), b"x" + MASKED.encode()]
)
def test_the_log_masks_at_any_depth(value: object) -> None:
    stream = io.StringIO()
    open_log(mask, stream).info("event", value=value)
    assert MASKED not in stream.getvalue()
    assert "<phone:" in stream.getvalue()
