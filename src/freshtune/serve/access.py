"""Who may call what: everything is closed to a caller without a key, and a route opens only to its own scope."""

import asyncio
import base64
import binascii
import ipaddress
import socket
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from freshtune.errors import ConfigurationError
from freshtune.serve.auth import Key, Keys
from freshtune.serve.exchange import exchange_of
from freshtune.serve.refusals import Refusal

PUBLIC = frozenset({("GET", "/livez"), ("GET", "/readyz")})
"""All that is answered without a key."""

_NO_KEY = Refusal(
    401,
    "no_key",
    "A valid API key is needed.",
    "The request shows none, one that this service does not know, or one that was revoked.",
    "Make one with `freshtune keys create NAME --scope predict` and send it as `Authorization: Bearer KEY`.",
    {"WWW-Authenticate": 'Bearer realm="freshtune", Basic realm="freshtune"'},
)

_FOREIGN = Refusal(
    403,
    "foreign",
    "Without keys only this machine is answered.",
    "The request names another host, or a page of another site sent it.",
    "Call 127.0.0.1 from this machine itself, or serve with keys: `freshtune serve` without --no-auth.",
)


def presented(headers: dict[bytes, bytes], method: str) -> str | None:
    """The key in a request's headers: bearer, ``X-API-Key``, or a basic password.

    Basic is what a browser sends by itself, on behalf of any page, so it opens nothing but GET.

    >>> presented({b"authorization": b"Bearer ft_1_x"}, "POST")
    'ft_1_x'
    """
    kind, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic" and method == "GET":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return headers[b"x-api-key"].decode("latin-1") if b"x-api-key" in headers else None


class KeyRequired:
    """ASGI: no key, no answer, whatever the path; the route itself then looks at the key's scopes."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app, self._keys = app, keys
        self._touched: dict[str, date] = {}
        self._touching: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) not in PUBLIC:
            shown = presented(dict(scope["headers"]), scope["method"])
            key = self._keys.verify(shown) if shown else None
            if key is None:
                raise _NO_KEY
            exchange_of(scope).key = key
            self._touch(key)
        await self._app(scope, receive, send)

    def _touch(self, key: Key) -> None:
        """The day of last use is written beside the request, once a key and day."""
        today = datetime.now(UTC).date()
        if self._touched.get(key.id) != today:
            self._touched[key.id] = today
            task = asyncio.create_task(asyncio.to_thread(self._keys.touch, key))
            self._touching.add(task)
            task.add_done_callback(self._touching.discard)


class SameHostOnly:
    """ASGI, in the place of ``KeyRequired`` when authentication is off: no web page may call through a browser here.

    Refuses names that are not loopback (DNS rebinding) and requests that another site started.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            host = headers.get(b"host", "")
            origin = headers.get(b"origin", f"http://{host}")
            foreign = headers.get(b"sec-fetch-site") in ("cross-site", "same-site")
            if foreign or not is_loopback(_name(f"//{host}")) or urlsplit(origin).netloc != host:
                raise _FOREIGN
        await self._app(scope, receive, send)


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing else.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(host: str) -> None:
    """Refuse to be reachable from elsewhere while authentication is off.

    Raises:
        ConfigurationError: ``host`` is, or resolves to, anything but loopback.
    """
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host or "0.0.0.0", None)}  # noqa: S104
    except OSError:
        addresses = {host}
    if not all(is_loopback(address) for address in addresses):
        raise ConfigurationError(
            f"freshtune does not listen on {host or 'every address'} without keys",
            "anyone who reaches it could read, teach and replace the models",
            "Make a key with `freshtune keys create`, or listen on 127.0.0.1.",
        )
