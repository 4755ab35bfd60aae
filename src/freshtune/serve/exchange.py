"""What is known of one request while it is served, and the outermost layer: ids, timing, log, headers, last resort."""

import secrets
import time
from dataclasses import dataclass, field
from itertools import count

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from freshtune.serve.auth import Key
from freshtune.serve.metrics import Meters
from freshtune.serve.refusals import Refusal, refused

_SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


_SERVER, _NUMBERS = secrets.token_hex(4), count()
"""A request's id is this process's and a number: unique, and no call to the kernel."""


@dataclass(slots=True)
class Exchange:
    """One request, filled in on its way to the route.

    Attributes:
        id: given to the caller with every reply and to every line of the log.
        route: path template of the route that matched; metrics and logs know this, never the path itself.
        key: who calls; None while unknown or when authentication is off.
    """

    id: str = field(default_factory=lambda: f"{_SERVER}{next(_NUMBERS):08x}")
    route: str = "none"
    key: Key | None = None
    status: int = 0


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that ``Outermost`` opened."""
    found = scope["freshtune.exchange"]
    assert isinstance(found, Exchange)  # noqa: S101
    return found


class Outermost:
    """ASGI: every request leaves through here, with security headers, counted; an unforeseen error as a bare 500."""

    def __init__(self, app: ASGIApp, meters: Meters, log: FilteringBoundLogger) -> None:
        self._app, self._meters, self._log = app, meters, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        exchange = scope["freshtune.exchange"] = Exchange()

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], *_SECURITY, (b"x-request-id", exchange.id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Refusal as refusal:
            await refused(refusal, scope["path"])(scope, receive, send_guarded)
        except Exception:
            self._log.exception("request failed", request=exchange.id, route=exchange.route)
            if exchange.status:
                raise
            await refused(_unforeseen(exchange.id), scope["path"])(scope, receive, send_guarded)
        finally:
            self._told(exchange, scope["method"], time.perf_counter() - start)

    def _told(self, exchange: Exchange, method: str, seconds: float) -> None:
        self._meters.answered(exchange.route, method, exchange.status, seconds)
        if exchange.status >= 400:
            self._log.info(
                "refused",
                request=exchange.id,
                route=exchange.route,
                method=method,
                status=exchange.status,
                key=exchange.key.id if exchange.key else None,
            )


def _unforeseen(request: str) -> Refusal:
    return Refusal(
        500,
        "internal",
        "Something went wrong here.",
        f"The service's log has the cause, under request {request}.",
        "Try again; if it stays so, give that number to whoever runs the service.",
    )
