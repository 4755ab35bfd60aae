"""Predictions over HTTP are those of the release that they name, on masked input."""

import threading
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from freshtune.errors import IntegrityError
from freshtune.model.predictor import Input, Predictor
from freshtune.records import Release
from freshtune.serve.app import create_app
from freshtune.serve.replies import readable
from tests.serve.tiny_service import MASKED, TinyShop, mask
from tests.serve.waiting import until

TEXTS = ["房间很干净，服务也好。", "The screen broke after two days.", "", f"打 {MASKED} 找我", "🙂"]


def test_answers_are_those_of_the_named_release(client: TestClient, live_shop: TinyShop) -> None:
    for task in ("sentiment", "rating"):
        reply = client.post(f"/v1/predict/{task}", json={"inputs": TEXTS}).json()
        model = live_shop.open_model(live_shop.registry.get(reply["release"]))
        assert reply["answers"] == readable(
            model.head, model.head.answers(model.logits([Input(mask(t)) for t in TEXTS]))
        )


def test_a_pair_reaches_the_model(client: TestClient, live_shop: TinyShop) -> None:
    release = live_shop.train_live("relevance", 3)
    ask = {"inputs": [{"text": "手机", "pair": "手机壳"}, {"text": "手机", "pair": "灯"}]}
    until(lambda: client.post("/v1/predict/relevance", json=ask).status_code == 200)
    reply = client.post("/v1/predict/relevance", json=ask).json()
    model = live_shop.open_model(release)
    expected = model.head.answers(model.logits([Input("手机", "手机壳"), Input("手机", "灯")]))
    assert reply["answers"] == readable(model.head, expected)
    assert reply["answers"][0] != reply["answers"][1]
    assert reply["answers"][0]["probabilities"] == {}


@pytest.mark.parametrize("pair", [None, "", " \u3000"])
def test_a_task_of_two_texts_refuses_one_alone(client: TestClient, pair: str | None) -> None:
    inputs = [{"text": "手机", "pair": "手机壳"}, {"text": "手机", "pair": pair}, "手机"]
    for path, call in (
        ("/v1/predict/relevance", {"inputs": inputs}),
        ("/v1/predict", {"tasks": ["sentiment", "relevance"], "inputs": inputs}),
    ):
        reply = client.post(path, json=call)
        told = reply.json()["error"]
        assert (reply.status_code, told["reason"]) == (422, "missing_pair")
        assert "inputs[1]" in told["why"]
        assert '"pair"' in told["mend"]
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["手机"]}
    protocol = client.post("/v2/models/relevance/infer", json={"inputs": [tensor]})
    assert protocol.status_code == 422
    assert "inputs[0]" in protocol.json()["error"]
    assert client.post("/v1/predict/sentiment", json={"inputs": inputs}).status_code == 200


def test_several_tasks_each_name_their_release(client: TestClient, live_shop: TinyShop) -> None:
    reply = client.post("/v1/predict", json={"tasks": ["rating", "sentiment"], "inputs": TEXTS}).json()
    for task in ("rating", "sentiment"):
        assert reply["tasks"][task] == client.post(f"/v1/predict/{task}", json={"inputs": TEXTS}).json()
        assert reply["tasks"][task]["release"] == live_shop.registry.live_id(task)


def test_ordinal_answers_have_a_probability_for_each_star(client: TestClient) -> None:
    answer = client.post("/v1/predict/rating", json={"inputs": ["好"]}).json()["answers"][0]
    assert list(answer["probabilities"]) == ["1", "2", "3", "4", "5"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert 1 <= answer["score"] <= 5


def test_a_task_without_a_release_says_so(client: TestClient) -> None:
    reply = client.post("/v1/predict/relevance", json={"inputs": [{"text": "x", "pair": "y"}]})
    assert reply.status_code == 503
    assert reply.json()["error"]["reason"] == "no_release"


def test_while_it_loads_it_says_that_and_not_that_there_is_no_release(live_shop: TinyShop) -> None:
    service, may_load = live_shop.service(), threading.Event()
    opened = service.open_model

    def waiting(release: Release) -> Predictor:
        may_load.wait(60)
        return opened(release)

    headers = {"Authorization": f"Bearer {live_shop.key['predict']}"}
    app = create_app(replace(service, open_model=waiting))
    with TestClient(app, "http://127.0.0.1", headers=headers) as client:
        early = client.post("/v1/predict/sentiment", json={"inputs": ["x"]})
        may_load.set()
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/predict/sentiment", json={"inputs": ["x"]}).status_code == 200
    assert (early.status_code, early.json()["error"]["reason"]) == (503, "loading")
    assert early.headers["retry-after"] == "1"


def test_a_release_that_cannot_be_loaded_is_not_called_missing(live_shop: TinyShop) -> None:
    def broken(_: Release) -> Predictor:
        raise IntegrityError("secret path")

    headers = {"Authorization": f"Bearer {live_shop.key['predict']}"}
    app = create_app(replace(live_shop.service(), open_model=broken))
    with TestClient(app, "http://127.0.0.1", headers=headers) as client:

        def asked() -> str:
            return str(client.post("/v1/predict/sentiment", json={"inputs": ["x"]}).json()["error"])

        until(lambda: "loading" not in asked())
        assert "not_loaded" in asked()
        assert "secret" not in asked()
