"""The server: routes behind three layers, and the one way to run it."""

import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from freshtune.errors import ConfigurationError, FreshtuneError, IntegrityError, NotFound, UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import EventLog
from freshtune.intake.json_text import parse_json
from freshtune.intake.limits import DEFAULT_LIMITS, Limits
from freshtune.intake.mapping import events_from_json, parse_events
from freshtune.intake.reasons import REASONS, BadRecord
from freshtune.records import Json
from freshtune.serve.access import KeyRequired, SameHostOnly, require_loopback
from freshtune.serve.auth import Keys
from freshtune.serve.documented import DocumentedApp, document
from freshtune.serve.event_schema import event_schemas
from freshtune.serve.exchange import Outermost
from freshtune.serve.limits import BodyLimits
from freshtune.serve.logs import Forwarding, open_log
from freshtune.serve.opening import SharedTrunks
from freshtune.serve.patience import BoundedHeaders
from freshtune.serve.refusals import DOCUMENTED, Refusal, refused
from freshtune.serve.routes import ROUTES
from freshtune.serve.service import Accept, Accepted, Rejected, ServeSettings, Service
from freshtune.serve.serving import Serving
from freshtune.ship.registry import Conflict, Refused
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_OF_KIND: Mapping[type[FreshtuneError], Refusal] = {
    NotFound: Refusal(
        404,
        "not_found",
        "It was not found.",
        "Nothing here has that name, or it was pruned.",
        "GET /v1/releases, with the scope read, lists what there is.",
    ),
    UsageError: Refusal(422, "usage", "It cannot be done.", "The request makes no sense as it is.", DOCUMENTED),
    Conflict: Refusal(
        409,
        "conflict",
        "Nothing was changed.",
        "Another release is live by now.",
        "Look at GET /v1/status, with the scope read, and decide again.",
    ),
    Refused: Refusal(
        409, "refused", "Nothing was changed.", "The gate says no.", 'Send {"force": true, "why": "…"} to overrule it.'
    ),
    IntegrityError: Refusal(
        409,
        "integrity",
        "Nothing was changed.",
        "Files of the release are damaged.",
        "`freshtune releases verify` finds which; promote another.",
    ),
}
"""Errors of the stores that are the caller's affair, and what is told where they themselves leave a part out.

Any other is the server's own and is told as a bare 500.
"""


def create_app(service: Service, log: FilteringBoundLogger | None = None) -> FastAPI:
    """The ASGI application of a service. Its models are loaded while its lifespan lasts.

    Args:
        service: the collaborators.
        log: where to log; stderr, masked, by default.
    """
    log = log or open_log(service.mask, sys.stderr)
    serving = Serving(service, log)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        serving.start()
        yield
        serving.stop()

    access = Middleware(KeyRequired, service.keys) if service.keys else Middleware(SameHostOnly)
    layers = [Middleware(Outermost, serving.meters, log), access, Middleware(BodyLimits, service.settings.limits)]
    routes = [route for family in ROUTES.values() for route in family]
    app = DocumentedApp(
        document(routes, service),
        lifespan=lifespan,
        middleware=layers,
        exception_handlers={Refusal: _on_refusal, FreshtuneError: _on_error, HTTPException: _on_http},
    )
    for route in routes:
        app.add_api_route(route.path, route.endpoint(serving), methods=[route.method], response_model=None)
    return app


def service_of(
    workspace: Workspace,
    tasks: Mapping[str, Task],
    settings: ServeSettings,
    with_keys: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Service:
    """The collaborators of a workspace folder.

    Args:
        with_keys: False answers whoever reaches the service.
        limits: bounds of intake, ``[intake.limits]``.
    """
    masker = workspace.masker
    return Service(
        registry=workspace.registry,
        accept=accept_into(workspace.events, EventChecks(tasks, masker, limits)),
        log_head=workspace.events.head,
        mask=lambda text: masker.mask(text).text,
        keys=Keys(workspace.keys_path) if with_keys else None,
        open_model=SharedTrunks(workspace.registry),
        tasks=tasks,
        settings=settings,
    )


def accept_into(log: EventLog, checks: EventChecks) -> Accept:
    """Intake of HTTP batches: one batch is one commit."""
    return _Intake(log, checks)


@dataclass(frozen=True)
class _Intake:
    log: EventLog
    checks: EventChecks

    def __call__(self, body: bytes, lines: bool, task: str | None) -> Accepted:
        checks = self.checks
        found = events_from_json([_for_task(each, task) for each in _batch(body, lines, checks)], checks)
        appended = self.log.append(found.kept, [letter for _, letter in found.dead])
        return Accepted(
            read=len(found.events) + len(found.dead),
            kept=appended.kept,
            duplicates=appended.duplicates,
            masked=sum(each.masked for each in found.events),
            shortened=sum(each.shortened for each in found.events),
            rejected=tuple(
                Rejected(place, letter.reason, letter.detail or REASONS[letter.reason]) for place, letter in found.dead
            ),
        )

    def schemas(self) -> Mapping[str, Mapping[str, Json]]:
        return event_schemas(self.checks.tasks, self.checks.limits, REASONS)


def _batch(body: bytes, lines: bool, checks: EventChecks) -> list[Json | BadRecord]:
    if lines:
        return [_line(line, checks) for line in body.split(b"\n") if line.strip()]
    try:
        return parse_events(body, checks)
    except BadRecord as bad:
        words = "It is no JSON array of events, nor an object that has one as `events`."
        mend = "Close every bracket; lines as application/x-ndjson fail one by one."
        raise Refusal(400, bad.reason, "No event was stored.", words, mend) from None


def _line(line: bytes, checks: EventChecks) -> Json | BadRecord:
    try:
        return parse_json(line, checks.limits)
    except BadRecord as bad:
        return BadRecord(bad.reason, bad.detail, line[:8_192].decode("utf-8", "replace"))


def _for_task(record: Json | BadRecord, task: str | None) -> Json | BadRecord:
    return {"task": task, **record} if task and isinstance(record, dict) else record


async def _on_refusal(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101
    return refused(refusal, request.url.path)


async def _on_error(request: Request, error: Exception) -> Response:
    for kind, told in _OF_KIND.items():
        if isinstance(error, kind):
            return refused(told if kind is IntegrityError else _in_words(error, told), request.url.path)
    raise error


def _in_words(error: FreshtuneError, told: Refusal) -> Refusal:
    """The error's own words. Refused ones say what to do on the command line; here it is a body."""
    what, why = (f"{part[:1].upper()}{part[1:]}".rstrip(".") + "." if part else "" for part in (error.what, error.why))
    mend = "" if isinstance(error, Refused | NotFound | Conflict) else error.mend
    return Refusal(told.status, told.reason, what or told.what, why or told.why, mend or told.mend)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = {
        404: ("not_found", "There is nothing here.", "No route has this path."),
        405: ("method", "This cannot be done here.", "The path does not take this method."),
    }
    reason, what, why = known.get(
        error.status_code, ("refused", "The request was not understood.", "It is no request that a route takes.")
    )
    return refused(Refusal(error.status_code, reason, what, why, DOCUMENTED, error.headers), request.url.path)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        raise ConfigurationError(
            f"freshtune cannot listen on {host}:{port}", str(error), "Choose another with --host and --port."
        ) from error


def run(service: Service, host: str, port: int, on_listening: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    The line ``listening`` of the log has the URL, with the port that was given where ``port`` is 0.

    Args:
        on_listening: told the URL as soon as connections are taken.

    Raises:
        ConfigurationError: the address cannot be listened on, or is reachable from elsewhere without keys.
    """
    if service.keys is None:
        require_loopback(host)
    log = open_log(service.mask, sys.stderr)
    forwarding = Forwarding(log)
    logging.getLogger("uvicorn").addHandler(forwarding)
    config = uvicorn.Config(
        create_app(service, log),
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        http=BoundedHeaders,
        ws="none",
        timeout_graceful_shutdown=int(service.settings.shutdown_seconds),
    )
    try:
        with _listen(host, port) as listening:
            name = f"[{host}]" if ":" in host else host
            url = f"http://{name}:{listening.getsockname()[1]}"
            log.info("listening", url=url, keys=service.keys is not None)
            on_listening(url)
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        logging.getLogger("uvicorn").removeHandler(forwarding)
