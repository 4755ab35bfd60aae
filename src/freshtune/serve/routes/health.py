"""Is the process alive, and can it answer: all that is told without a key."""

from starlette.requests import Request
from starlette.responses import Response

from freshtune.serve.refusals import json_reply
from freshtune.serve.reply_shapes import Alive, Ready
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


async def alive(_serving: Serving, _request: Request) -> Response:
    """200 for as long as the event loop turns."""
    return json_reply({"alive": True})


async def ready(serving: Serving, _request: Request) -> Response:
    """200 once every task that has a live release is answered; 503 before."""
    return json_reply({"ready": serving.live.ready}, 200 if serving.live.ready else 503)


ROUTES = (
    Route("GET", "/livez", None, alive, "Is the process alive?", Alive),
    Route("GET", "/readyz", None, ready, "Does every task with a live release answer?", Ready),
)
