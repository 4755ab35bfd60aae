"""The documentation is true: every example is taken, every reply has the shape that it is said to have."""

import json
import re
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import BaseModel
from starlette.testclient import TestClient

from freshtune.intake import checks
from freshtune.intake.limits import Limits
from freshtune.intake.reasons import REASONS
from freshtune.records import KINDS
from freshtune.serve.documented import document, example_of
from freshtune.serve.event_schema import OF_FILES, event_examples, event_schemas
from freshtune.serve.infer_shapes import InferError
from freshtune.serve.reply_shapes import ErrorReply
from freshtune.serve.routes import ROUTES
from freshtune.serve.routes.route import Route
from freshtune.tasks import TASKS
from tests.serve.conftest import OpenClient
from tests.serve.test_events import REFUSED
from tests.serve.tiny_service import TinyShop, open_shop
from tests.serve.waiting import until

ALL = [route for routes in ROUTES.values() for route in routes]
JSON_ROUTES = [route for route in ALL if not isinstance(route.reply, str)]


@pytest.fixture
def busy_shop(live_shop: TinyShop) -> TinyShop:
    """Every task has a live release, sentiment one to go back to as well."""
    live_shop.train_live("sentiment", 8)
    live_shop.train_live("relevance", 3)
    return live_shop


@pytest.fixture
def client(busy_shop: TinyShop, client_of: OpenClient) -> TestClient:
    """An administrator's client of the busy shop, once it answers."""
    client = client_of(busy_shop.service(), busy_shop.key["admin"])
    until(lambda: all(each["release"] for each in client.get("/v1/status").json()["tasks"].values()))
    return client


def _path(route: Route, shop: TinyShop, task: str = "sentiment") -> str:
    return route.path.replace("{task}", task).replace("{release}", shop.registry.live_id("sentiment") or "")


def _shape(route: Route) -> type[BaseModel]:
    assert not isinstance(route.reply, str)
    return route.reply


def test_the_document_is_openapi_and_its_references_resolve(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    OpenAPI.model_validate(told)
    found = re.findall(r'"\$ref": "(#[^"]+)"', json.dumps(told))
    assert len(found) >= 40
    for reference in found:
        at = told
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_every_body_and_every_reply_has_a_shape(busy_shop: TinyShop) -> None:
    paths = document(ALL, busy_shop.service())["paths"]
    for route in ALL:
        operation = paths[route.path][route.method.lower()]
        for content in operation["responses"]["200"]["content"].values():
            assert content["schema"]
        assert ("requestBody" in operation) == (route.method == "POST"), route.path
        for content in operation.get("requestBody", {"content": {}})["content"].values():
            assert content["schema"]
            assert content["examples"]
        assert ("default" in operation["responses"]) == (route.scope is not None)
    assert len(JSON_ROUTES) == len(ALL) - 3


def test_every_example_of_a_body_is_taken_and_answered_in_the_documented_shape(
    client: TestClient, busy_shop: TinyShop
) -> None:
    paths, posted = client.get("/openapi.json").json()["paths"], 0
    for route in (route for route in JSON_ROUTES if route.method == "POST"):
        for media, content in paths[route.path]["post"]["requestBody"]["content"].items():
            for name, example in content["examples"].items():
                value = example["value"]
                body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                path = _path(route, busy_shop, "relevance" if name == "two texts" else "sentiment")
                reply = client.post(path, content=body.encode(), headers={"Content-Type": media})
                assert reply.status_code == 200, (route.path, reply.text)
                _shape(route).model_validate_json(reply.content, strict=True)
                posted += 1
                if route.path == "/v1/events":
                    assert reply.json()["rejected"] == []
    assert posted == 10


def test_every_reply_to_get_has_the_documented_shape(client: TestClient, busy_shop: TinyShop) -> None:
    refused = busy_shop.train("sentiment", 9, promotes=False)
    client.post(f"/v1/releases/{refused.id}/promote", json={"force": True, "why": "because"})
    for route in (route for route in JSON_ROUTES if route.method == "GET"):
        reply = client.get(_path(route, busy_shop))
        assert reply.status_code == 200, route.path
        _shape(route).model_validate_json(reply.content, strict=True)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_example_of_a_reply_has_its_shape(route: Route) -> None:
    _shape(route).model_validate_json(json.dumps(example_of(_shape(route))), strict=True)


def test_an_event_is_described_in_full() -> None:
    tasks = {name: task() for name, task in TASKS.items()}
    event = event_schemas(tasks, Limits(), REASONS)["Event"]
    properties: Any = event["properties"]
    assert properties.keys() == checks._KNOWN
    assert properties["kind"]["enum"] == [*KINDS, None]
    assert "required" not in event, "the kind may follow from the task, and the task from the address"
    assert all(each["description"] for each in properties.values())
    for reason, words in REASONS.items():
        assert (f"`{reason}`: {words}" in str(event["description"])) == (reason not in OF_FILES)
    for number in ("10,000 characters", "256", "100 values", "16 levels", "1,000,000 bytes", "10,000 events"):
        assert number in json.dumps(event_schemas(tasks, Limits(), REASONS)), number
    for label in ("negative, positive", "from 1 to 5", "from 0 to 2"):
        assert label in properties["label"]["description"]


def test_a_friendly_text_is_an_example_of_a_good_label() -> None:
    examples = event_examples({name: task() for name, task in TASKS.items()})
    labels = ["positive", 5, 2, "great_room", ["colour=white"], ["home > bath"], "great_room"]
    assert [examples[name]["label"] for name in TASKS] == labels


@pytest.mark.parametrize("name", TASKS)
def test_a_workspace_of_one_task_has_examples_of_its_own(tmp_path: Any, client_of: OpenClient, name: str) -> None:
    shop = open_shop(tmp_path, [name])
    client = client_of(shop.service(), shop.key["ingest"])
    sent = list(event_examples(shop.tasks).values())
    assert client.post("/v1/events", json=sent).json()["kept"] == len(sent) == 3
    shop.close()


def test_every_refusal_says_what_why_and_how_to_mend_it(client: TestClient, busy_shop: TinyShop) -> None:
    """Whatever is refused, over every route and in every way that a caller can go wrong."""
    replies = [client.get("/"), client.get("/nothing"), client.put("/v1/status"), client.get("/v1/releases?limit=x")]
    replies += [client.get("/v1/status", headers={"Authorization": key}) for key in ("", "Bearer x")]
    for route in ALL:
        path, gone = _path(route, busy_shop), route.path.replace("{task}", "gone").replace("{release}", "gone")
        replies += [
            client.request(route.method, at, content=body) for at in (path, gone) for body in (b"{", b"[]", b"{}")
        ]
        for scope in ("predict", "operate"):
            headers = {"Authorization": f"Bearer {busy_shop.key[scope]}"}
            replies.append(client.request(route.method, gone, headers=headers))
    refused = [reply for reply in replies if reply.status_code >= 400]
    assert {reply.status_code for reply in refused} >= {400, 401, 403, 404, 405, 422}
    assert len(refused) > 60
    for reply in refused:
        if reply.request.url.path.startswith("/v2"):
            words = [InferError.model_validate_json(reply.content).error]
        else:
            told = ErrorReply.model_validate_json(reply.content).error
            words = [told.reason, told.what, told.why, told.mend]
        assert all(word.strip() and "None" not in word for word in words), reply.text
        assert all(word[-1] in ".`" for word in words[1:]), reply.text


def test_every_refused_event_says_why(client: TestClient) -> None:
    sent = [json.loads(record) for name, (record, _) in REFUSED.items() if name in ("no text", "unknown field")]
    sent += [{}, {"kind": "item", "text": "x"}, {"kind": "label", "task": "sentiment", "label": "positive"}]
    sent += [{"kind": "label", "example": "1"}, {"kind": None}, {"kind": "review", "text": "\x00"}]
    rejected = client.post("/v1/events", json=sent).json()["rejected"]
    assert len(rejected) == len(sent)
    for each in rejected:
        assert each["reason"] in REASONS
        assert len(each["detail"]) > 10
        assert "None" not in each["detail"]


def test_a_key_is_told_what_it_opens_and_which_one_would_do(client: TestClient, busy_shop: TinyShop) -> None:
    told = client.get("/docs", headers={"Authorization": f"Bearer {busy_shop.key['predict']}"}).json()["error"]
    assert told["why"] == "It opens predict; GET /docs needs the scope read."
    assert "freshtune keys create NAME --scope read" in told["mend"]
    sent_to_docs = client.post("/v1/predict/sentiment", json={}).json()["error"]["mend"]
    assert sent_to_docs == "GET /docs, which needs a key with the scope read, describes it."
