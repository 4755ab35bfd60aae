"""What the server is doing."""

from starlette.requests import Request
from starlette.responses import Response

from freshtune import __version__
from freshtune.records import Json
from freshtune.serve.refusals import json_reply
from freshtune.serve.reply_shapes import Status
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


def _task(serving: Serving, task: str, head: int) -> dict[str, Json]:
    """What answers, since when, and what has become of what came in; asks the registry, so not on the event loop."""
    registry, live, failed = serving.service.registry, serving.live.current(task), serving.failure_words(task)
    steps = registry.history(task, live.release.id) if live else ()
    made_live = [step.time for step in steps if live and step.release == live.release.id]
    latest = registry.list(task, 1)
    return {
        "release": live.release.id if live else None,
        "since": made_live[-1].isoformat() if made_live else None,
        "load_seconds": round(live.loaded_in, 4) if live else None,
        "failed": dict(failed) if failed else None,
        "pending_events": sum(part.upto - part.since for part in registry.pending(task, head)),
        "last": {
            "release": latest[0].id,
            "created": latest[0].created.isoformat(),
            "outcome": latest[0].outcome,
            "reasons": list(latest[0].reasons),
        }
        if latest
        else None,
    }


async def status(serving: Serving, _request: Request) -> Response:
    """For each task what answers and since when, what waits to be learned, and what came of the last try."""

    def act() -> dict[str, Json]:
        head = serving.service.log_head()
        tasks: dict[str, Json] = {task: _task(serving, task, head) for task in serving.service.tasks}
        return {"version": __version__, "ready": serving.live.ready, "log_head": head, "tasks": tasks}

    return json_reply(await serving.store(act))


ROUTES = (
    Route(
        "GET",
        "/v1/status",
        "read",
        status,
        "For each task: what answers, since when, what waits to be learned, what came of the last update.",
        Status,
    ),
)
