"""Prometheus metrics."""

from starlette.requests import Request
from starlette.responses import Response

from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


async def metrics(serving: Serving, _request: Request) -> Response:
    """The text exposition format."""
    return Response(serving.meters.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")


ROUTES = (Route("GET", "/metrics", "read", metrics, "Prometheus metrics.", "text/plain"),)
