"""What the server is doing."""

from starlette.requests import Request
from starlette.responses import Response

from freshtune import __version__
from freshtune.serve.refusals import json_reply
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


def _task(serving: Serving, task: str) -> dict[str, object]:
    live = serving.live.current(task)
    return {
        "release": live.release.id if live else None,
        "load_seconds": round(live.loaded_in, 4) if live else None,
        "failed": serving.failure_words(task),
    }


async def status(serving: Serving, _request: Request) -> Response:
    """For each task the release that answers, how long it took to load, and a live release that failed to load."""
    head = await serving.store(serving.service.log_head)
    return json_reply(
        {
            "version": __version__,
            "ready": serving.live.ready,
            "log_head": head,
            "tasks": {task: _task(serving, task) for task in serving.service.tasks},
        }
    )


ROUTES = (
    Route(
        "GET",
        "/v1/status",
        "read",
        status,
        "Which release answers for each task, and what failed to load.",
        reply={
            "version": __version__,
            "ready": True,
            "log_head": 1200,
            "tasks": {"sentiment": {"release": "sentiment-1f0c5e9a77b2", "load_seconds": 0.1, "failed": None}},
        },
    ),
)
