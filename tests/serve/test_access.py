"""Who may call what: generated from the running application's own routes."""

import base64
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from freshtune.errors import ConfigurationError, NotFound, UsageError
from freshtune.serve.access import PUBLIC, require_loopback
from freshtune.serve.app import create_app
from freshtune.serve.auth import SCOPES, Keys
from freshtune.serve.routes import ROUTES
from tests.serve.conftest import OpenClient
from tests.serve.tiny_service import TinyShop

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")


def _filled(path: str) -> str:
    return path.replace("{task}", "sentiment").replace("{release}", "sentiment-000000000000")


def _paths(client: TestClient) -> list[str]:
    return [_filled(route.path) for route in client.app.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]


def test_every_route_and_method_is_refused_without_a_key(live_shop: TinyShop, client_of: OpenClient) -> None:
    client = client_of(live_shop.service(), None)
    paths = _paths(client)
    assert len(paths) == sum(len(routes) for routes in ROUTES.values()) >= 18
    assert {"/docs", "/openapi.json", "/metrics"} <= set(paths)
    answered = set()
    for path in [*paths, "/", "/nothing", "/v1/predict/", "/livez/", "/docs/oauth2-redirect", "//livez"]:
        for method in METHODS:
            reply = client.request(method, path)
            if reply.status_code == 401:
                assert method == "HEAD" or reply.json()["error"]
            else:
                answered.add((method, path))
    assert answered == PUBLIC


def test_every_route_is_refused_to_every_key_of_another_scope(live_shop: TinyShop, client_of: OpenClient) -> None:
    client = client_of(live_shop.service(), None)
    checked = 0
    for route in [route for routes in ROUTES.values() for route in routes if route.scope]:
        for scope in SCOPES:
            headers = {"Authorization": f"Bearer {live_shop.key[scope]}"}
            status = client.request(route.method, _filled(route.path), headers=headers, content=b"").status_code
            allowed = scope in (route.scope, "admin")
            assert (status not in (401, 403)) == allowed, (route.path, scope, status)
            checked += 1
    assert checked >= 80


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer x", "Bearer ft__", "Bearer ft_a_b", "Basic !!!", "Basic /w==", "Digest x", "Bearer é"],
)
def test_nonsense_is_no_key(live_shop: TinyShop, client_of: OpenClient, value: str) -> None:
    client = client_of(live_shop.service(), None)
    assert client.get("/v1/status", headers=[(b"authorization", value.encode())]).status_code == 401


def test_a_browser_reads_with_basic_but_changes_nothing(live_shop: TinyShop, client_of: OpenClient) -> None:
    client = client_of(live_shop.service(), None)
    basic = {"Authorization": "Basic " + base64.b64encode(f"me:{live_shop.key['admin']}".encode()).decode()}
    assert client.get("/docs", headers=basic).status_code == 200
    assert client.post("/v1/rollback/sentiment", headers=basic).status_code == 401
    assert client.get("/docs", headers={"X-API-Key": live_shop.key["read"]}).status_code == 200


def test_a_revoked_key_is_refused_at_once_also_when_another_process_revokes(
    live_shop: TinyShop, client_of: OpenClient, tmp_path: Path
) -> None:
    key, shown = live_shop.keys.create("gone", ["read"])
    client = client_of(live_shop.service(), shown)
    assert client.get("/v1/status").status_code == 200
    with Keys(tmp_path / "keys.db") as elsewhere:
        elsewhere.revoke(key.id)
    assert client.get("/v1/status").status_code == 401


def test_the_store_never_holds_a_key(live_shop: TinyShop, tmp_path: Path) -> None:
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("keys.db*"))
    for shown in live_shop.key.values():
        assert shown.encode() not in kept
        assert shown.split("_", 2)[2].encode() not in kept
    assert (tmp_path / "keys.db").stat().st_mode & 0o777 == 0o600


def test_keys_are_checked_when_made(live_shop: TinyShop) -> None:
    for name, scopes in (("x", []), ("x", ["root"]), (" ", ["read"]), ("x" * 101, ["read"])):
        with pytest.raises(UsageError):
            live_shop.keys.create(name, scopes)
    with pytest.raises(NotFound):
        live_shop.keys.revoke("nothing")


def test_the_last_use_is_kept_as_a_day(live_shop: TinyShop) -> None:
    key = live_shop.keys.verify(live_shop.key["read"])
    assert key
    assert key.last_used is None
    live_shop.keys.touch(key)
    used = {each.name: each.last_used for each in live_shop.keys.list()}
    assert used["read"]
    assert used["admin"] is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "no-such-host.invalid"])
def test_without_keys_only_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(ConfigurationError):
        require_loopback(host)


def test_without_keys_no_other_site_calls_through_a_browser(live_shop: TinyShop) -> None:
    with TestClient(create_app(live_shop.service(keys=False)), "http://127.0.0.1:8000") as client:
        assert client.get("/v1/status").status_code == 200
        assert client.get("/v1/status", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200
        for headers in (
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"Host": "["},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            assert client.post("/v1/rollback/sentiment", headers=headers).status_code == 403, headers
