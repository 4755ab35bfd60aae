"""The server: routes behind three layers, and the one way to run it."""

import logging
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from freshtune import __version__
from freshtune.errors import ConfigurationError, FreshtuneError, IntegrityError, NotFound, UsageError
from freshtune.intake.checks import EventChecks
from freshtune.intake.event_log import EventLog
from freshtune.intake.json_text import parse_json
from freshtune.intake.mapping import events_from_json, parse_events
from freshtune.intake.reasons import BadRecord
from freshtune.records import Json
from freshtune.serve.access import KeyRequired, SameHostOnly, require_loopback
from freshtune.serve.auth import Keys
from freshtune.serve.documented import DocumentedApp
from freshtune.serve.exchange import Outermost
from freshtune.serve.limits import BodyLimits
from freshtune.serve.logs import Forwarding, open_log
from freshtune.serve.opening import SharedTrunks
from freshtune.serve.patience import BoundedHeaders
from freshtune.serve.refusals import Refusal, refused
from freshtune.serve.routes import ROUTES
from freshtune.serve.service import Accept, Accepted, Rejected, ServeSettings, Service
from freshtune.serve.serving import Serving
from freshtune.ship.registry import Conflict, Refused
from freshtune.tasks import Task
from freshtune.workspace import Workspace

_TOLD: Mapping[type[FreshtuneError], tuple[int, str]] = {
    NotFound: (404, "not_found"),
    UsageError: (422, "usage"),
    Conflict: (409, "conflict"),
    Refused: (409, "refused"),
    IntegrityError: (409, "integrity"),
}
"""Errors of the stores that are the caller's affair; any other is the server's own and is told as a bare 500."""


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
    app = DocumentedApp(
        title="freshtune",
        version=__version__,
        lifespan=lifespan,
        middleware=layers,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={Refusal: _on_refusal, FreshtuneError: _on_error, HTTPException: _on_http},
    )
    for route in [route for family in ROUTES.values() for route in family]:
        app.calls += [route.call] if route.call else []
        app.add_api_route(
            route.path,
            route.endpoint(serving),
            methods=[route.method],
            summary=route.words,
            operation_id=f"{route.act.__module__.rpartition('.')[2]}_{route.act.__name__}",
            response_class=Response,
            response_model=None,
            responses=route.responses(),
            openapi_extra=route.openapi(),
        )
    return app


def service_of(
    workspace: Workspace, tasks: Mapping[str, Task], settings: ServeSettings, with_keys: bool = True
) -> Service:
    """The collaborators of a workspace folder."""
    masker = workspace.masker
    return Service(
        registry=workspace.registry,
        accept=accept_into(workspace.events, EventChecks(tasks, masker)),
        log_head=workspace.events.head,
        mask=lambda text: masker.mask(text).text,
        keys=Keys(workspace.keys_path) if with_keys else None,
        open_model=SharedTrunks(workspace.registry),
        tasks=tasks,
        settings=settings,
    )


def accept_into(log: EventLog, checks: EventChecks) -> Accept:
    """Intake of HTTP batches: one batch is one commit."""

    def accept(body: bytes, lines: bool, task: str | None) -> Accepted:
        found = events_from_json([_for_task(each, task) for each in _batch(body, lines, checks)], checks)
        appended = log.append(found.kept, [letter for _, letter in found.dead])
        return Accepted(
            read=len(found.events) + len(found.dead),
            kept=appended.kept,
            duplicates=appended.duplicates,
            masked=sum(each.masked for each in found.events),
            shortened=sum(each.shortened for each in found.events),
            rejected=tuple(Rejected(place, letter.reason, letter.detail) for place, letter in found.dead),
        )

    return accept


def _batch(body: bytes, lines: bool, checks: EventChecks) -> list[Json | BadRecord]:
    if lines:
        return [_line(line, checks) for line in body.split(b"\n") if line.strip()]
    try:
        return parse_events(body, checks)
    except BadRecord as bad:
        mend = "Lines as application/x-ndjson fail one by one."
        raise Refusal(
            400, bad.reason, "The body is no JSON array of records, nor one in an object's events.", mend
        ) from None


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
    for kind, (status, reason) in _TOLD.items():
        if isinstance(error, kind):
            told = [part.rstrip(".") + "." for part in (error.what, error.why) if part]
            words = "The release's files are damaged." if kind is IntegrityError else " ".join(told)
            return refused(Refusal(status, reason, words, error.mend), request.url.path)
    raise error


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = {404: ("not_found", "There is nothing here."), 405: ("method", "This path does not take this method.")}
    reason, words = known.get(error.status_code, ("refused", "The request was not understood."))
    return refused(Refusal(error.status_code, reason, words, "See /docs.", error.headers), request.url.path)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        raise ConfigurationError(
            f"freshtune cannot listen on {host}:{port}", str(error), "Choose another with --host and --port."
        ) from error


def run(service: Service, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    The line ``listening`` of the log has the URL, with the port that was given where ``port`` is 0.

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
            log.info("listening", url=f"http://{name}:{listening.getsockname()[1]}", keys=service.keys is not None)
            uvicorn.Server(config).run(sockets=[listening])
    finally:
        logging.getLogger("uvicorn").removeHandler(forwarding)
