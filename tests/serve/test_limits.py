"""What is too big, too slow, packed or nonsense is refused for that, and never a 500."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Message

from freshtune.serve.limits import BodyLimits, Limits
from freshtune.serve.refusals import Refusal
from freshtune.serve.routes import ROUTES
from freshtune.serve.service import ServeSettings
from tests.serve.conftest import OpenClient
from tests.serve.tiny_service import TinyShop

JSON = {"Content-Type": "application/json"}
POSTS = [
    route.path.replace("{task}", "sentiment").replace("{release}", "sentiment-0")
    for routes in ROUTES.values()
    for route in routes
    if route.method == "POST"
]

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "broken": b'{"inputs": [',
    "array": b"[]",
    "null": b"null",
    "string": b'"inputs"',
    "nan": b'{"inputs": [NaN]}',
    "infinity": b'{"inputs": [1e999]}',
    "huge number": b'{"inputs": [' + b"9" * 100_000 + b"]}",
    "lone surrogate": b'{"inputs": ["\\ud800"]}',
    "truncated utf-8": b'{"inputs": ["\xe4\xbd"]}',
    "gb18030": '{"inputs": ["你好"]}'.encode("gb18030"),
    "utf-16": '{"inputs": ["a"]}'.encode("utf-16"),
    "bom": b'\xef\xbb\xbf{"inputs": ["a"]}',
    "deep": b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep events": b'{"events": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}",
    "deep within": b'{"inputs": ' + b"[" * 900 + b"]" * 900 + b"}",
    "no inputs": b'{"inputs": []}',
    "null input": b'{"inputs": [null]}',
    "number input": b'{"inputs": [1]}',
    "unknown field": b'{"inputs": ["a"], "x": 1}',
    "unknown task": b'{"inputs": ["a"], "tasks": ["none"]}',
    "many tasks": json.dumps({"inputs": ["a"], "tasks": ["sentiment"] * 1000}).encode(),
    "wrong shape": b'{"inputs": [{"name": "text", "shape": [-1, -1], "datatype": "BYTES", "data": ["a"]}]}',
    "huge shape": b'{"inputs": [{"name": "text", "shape": [9223372036854775807, 9], "datatype": "BYTES", "data": []}]}',
    "no elements": b'{"inputs": [{"name": "text", "shape": [0], "datatype": "BYTES", "data": []}]}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("path", POSTS)
def test_hostile_bodies_are_refused(shared_client: TestClient, path: str, body: bytes) -> None:
    reply = shared_client.post(path, content=body, headers=JSON)
    assert reply.status_code in (400, 404, 409, 413, 422) or (reply.status_code == 200 and path == "/v1/events"), (
        reply.text
    )
    assert "x-request-id" in reply.headers
    if reply.status_code != 200:
        assert reply.json()["error"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["inputs", "text", "pair", "tasks", "events", "why", "expected_live", "force", "shape", "data", "name"]
)
nearly = st.dictionaries(
    names, anything | st.lists(st.dictionaries(names, anything, max_size=4), max_size=3), max_size=4
)


@pytest.mark.parametrize("path", POSTS)
def test_no_json_is_a_500(shared_client: TestClient, path: str) -> None:
    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(nearly | anything)
    def each(body: Any) -> None:
        content = json.dumps(body, ensure_ascii=True).encode()
        assert shared_client.post(path, content=content, headers=JSON).status_code < 500

    each()


@pytest.mark.parametrize("path", POSTS)
def test_no_bytes_are_a_500(shared_client: TestClient, path: str) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-ndjson", "text/plain", ""]))
    def each(body: bytes, kind: str) -> None:
        assert shared_client.post(path, content=body, headers={"Content-Type": kind}).status_code < 500

    each()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=²", "limit=" + "9" * 5000, "limit=x", "task=%00", "task=none"]
)
def test_hostile_queries_are_refused(shared_client: TestClient, query: str) -> None:
    assert shared_client.get(f"/v1/releases?{query}").status_code in (404, 422)


def test_packed_bodies_are_refused_unread(client: TestClient) -> None:
    bomb = gzip.compress(b'{"inputs": ["' + bytes(2_000_000) + b'"]}')
    for coding in ("gzip", "br", "deflate", "zstd", "gzip, gzip"):
        reply = client.post("/v1/predict/sentiment", content=bomb, headers=JSON | {"Content-Encoding": coding})
        assert reply.status_code == 415


def test_limits_are_kept(live_shop: TinyShop, client_of: OpenClient) -> None:
    small = Limits(body_bytes=5_000, texts=4, characters=100)
    client = client_of(live_shop.service(ServeSettings(workers=1, limits=small)), live_shop.key["admin"])
    assert client.post("/v1/predict/sentiment", json={"inputs": ["好" * 100] * 4}).status_code == 200
    assert client.post("/v1/predict/sentiment", json={"inputs": ["x"] * 5}).status_code == 413
    assert client.post("/v1/predict/sentiment", json={"inputs": ["好" * 101]}).status_code == 413
    assert client.post("/v1/predict/sentiment", json={"inputs": [{"text": "", "pair": "好" * 101}]}).status_code == 413
    assert client.post("/v1/predict", json={"inputs": ["x"] * 3, "tasks": ["sentiment", "rating"]}).status_code == 413
    assert client.post("/v1/events", content=b" " * 5_001).status_code == 413
    assert live_shop.log.head() == 0


def _deliver(chunks: list[bytes], headers: list[tuple[bytes, bytes]], pause: float = 0.0) -> bytes:
    """What the application behind BodyLimits reads of a body that comes in chunks."""
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        seen.append(message["body"])

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "headers": headers}
    asyncio.run(BodyLimits(app, Limits(body_bytes=10, body_seconds=0.2))(scope, receive, send))
    return seen[0]


def test_a_body_in_chunks_is_counted_and_timed() -> None:
    chunked = [(b"transfer-encoding", b"chunked")]
    assert _deliver([b"12345", b"", b"67890"], chunked) == b"1234567890"
    with pytest.raises(Refusal, match="at most"):
        _deliver([b"12345"] * 3, chunked)
    with pytest.raises(Refusal, match=r"took over 0.2 s"):
        _deliver([b"1"] * 9, chunked, pause=0.05)
    for declared in (b"11", b"-1", b"x", b"9" * 5_000, "２".encode()):
        with pytest.raises(Refusal):
            _deliver([b"1"], [(b"content-length", declared)])
