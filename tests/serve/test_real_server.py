"""A real server on a real socket: swaps under load, an orderly end, and a foreign client."""

import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from freshtune.model.predictor import Input
from freshtune.serve.replies import readable
from tests.serve.running_server import running_server
from tests.serve.tiny_service import TinyShop
from tests.serve.waiting import until

pytestmark = pytest.mark.real


@contextmanager
def _client(url: str, shop: TinyShop) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {shop.key['admin']}"}, timeout=20, trust_env=False
    ) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client


def test_a_hundred_swaps_under_load_fail_nothing_and_mix_nothing(live_shop: TinyShop, tmp_path: Path) -> None:
    swaps = 100
    releases = [live_shop.train("sentiment", seed) for seed in (11, 12)]
    live_shop.registry.promote(releases[1].id, live_shop.registry.live_id("sentiment"), "test")
    done = threading.Event()
    answers: list[tuple[int, str, object]] = []

    def load(url: str, numbers: "count[int]") -> None:
        with _client(url, live_shop) as client:
            while not done.is_set():
                number = next(numbers)
                reply = client.post("/v1/predict/sentiment", json={"inputs": [f"文本 {number}", f"text {number}"]})
                assert reply.status_code == 200, reply.text
                answers.append((number, reply.json()["release"], reply.json()["answers"]))

    with running_server(tmp_path) as (url, _), ThreadPoolExecutor(3) as pool, _client(url, live_shop) as client:
        numbers = count()
        loads = [pool.submit(load, url, numbers) for _ in range(3)]
        for swap in range(swaps):
            wanted = releases[swap % 2].id
            live_shop.registry.promote(wanted, releases[(swap + 1) % 2].id, "test")
            until(lambda: client.get("/v1/status").json()["tasks"]["sentiment"]["release"] == wanted)  # noqa: B023
        done.set()
        for each in loads:
            each.result()
        assert f'freshtune_swaps_total{{task="sentiment"}} {swaps + 1:.1f}' in client.get("/metrics").text
    models = {release.id: live_shop.open_model(release) for release in releases}
    for number, release, given in answers:
        model = models[release]
        logits = model.logits([Input(f"文本 {number}"), Input(f"text {number}")])
        assert given == readable(model.head, model.head.answers(logits))
    assert {release for _, release, _ in answers} == models.keys()
    assert len(answers) > swaps


def test_sigterm_lets_requests_in_flight_finish(live_shop: TinyShop, tmp_path: Path) -> None:
    with (
        running_server(tmp_path, seconds=1.0) as (url, process),
        _client(url, live_shop) as client,
        _client(url, live_shop) as watcher,
        ThreadPoolExecutor(6) as pool,
    ):
        asked = [pool.submit(client.post, "/v1/predict/sentiment", json={"inputs": ["slow"]}) for _ in range(6)]
        # Two run, two are next, two wait.
        until(lambda: 'freshtune_queue_texts{task="sentiment"} 2.0' in watcher.get("/metrics").text)
        process.send_signal(signal.SIGTERM)
        assert [each.result().status_code for each in asked] == [200] * 6
        until(lambda: process.poll() is not None)
        with pytest.raises(httpx.ConnectError):
            client.get("/livez")


def test_a_slow_or_silent_sender_is_let_go(live_shop: TinyShop, tmp_path: Path) -> None:
    with running_server(tmp_path) as (url, _), _client(url, live_shop) as client, ExitStack() as stack:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        silent, halfway, endless, other = (
            stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(4)
        )
        halfway.sendall(b"POST /v1/predict/sentiment HTTP/1.1\r\nHost: x\r\nContent-Le")
        other.sendall(b"\x16\x03\x01 no http at all\r\n\r\n")
        assert b"400" in other.recv(100)
        assert client.post("/v1/predict/sentiment", json={"inputs": ["好"]}).status_code == 200
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            endless.sendall(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 50_000_000)
        assert silent.recv(1) == halfway.recv(1) == b""
        assert client.post("/v1/predict/sentiment", json={"inputs": ["好"]}).status_code == 200


def test_a_triton_client_is_served(live_shop: TinyShop, tmp_path: Path) -> None:
    triton = pytest.importorskip("tritonclient.http")
    import numpy as np

    texts = ["房间很干净", "broken"]
    with running_server(tmp_path) as (url, _), _client(url, live_shop) as plain:
        headers = {"Authorization": f"Bearer {live_shop.key['predict']}"}
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        try:
            assert client.is_server_live(headers)
            assert client.is_server_ready(headers)
            assert client.is_model_ready("sentiment", headers=headers)
            tensor = triton.InferInput("text", [2], "BYTES")
            tensor.set_data_from_numpy(np.array(texts, object), binary_data=False)
            wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("label", "score")]
            result = client.infer("sentiment", [tensor], outputs=wanted, headers=headers)
        finally:
            client.close()
        expected = plain.post("/v1/predict/sentiment", json={"inputs": texts}).json()
    assert result.get_response()["model_version"] == expected["release"]
    assert [str(label) for label in result.as_numpy("label")] == [each["label"] for each in expected["answers"]]
    assert result.as_numpy("score").tolist() == pytest.approx([each["score"] for each in expected["answers"]])
