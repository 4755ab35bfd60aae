"""Take events in: a reply means that they are on disk."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from freshtune.serve.event_schema import BATCH, batch_examples
from freshtune.serve.refusals import json_reply
from freshtune.serve.reply_shapes import Stored
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving


async def events(serving: Serving, request: Request) -> Response:
    """Validate, mask, store; 200 only after the commit. Rejected records are told by index with the reason."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    task = request.query_params.get("task")
    task = serving.known(task) if task else None

    def act() -> dict[str, object]:
        accepted = serving.service.accept(body, kind == "application/x-ndjson", task)
        dead = Counter(each.reason for each in accepted.rejected)
        serving.meters.ingested(accepted.kept, accepted.duplicates, dead)
        return {
            "read": accepted.read,
            "kept": accepted.kept,
            "duplicates": accepted.duplicates,
            "masked": accepted.masked,
            "shortened": accepted.shortened,
            "dead_letters": dict(dead),
            "rejected": [
                {"index": each.index, "reason": each.reason, "detail": each.detail} for each in accepted.rejected
            ],
        }

    return json_reply(await serving.write_events(act))


ROUTES = (
    Route(
        "POST",
        "/v1/events",
        "ingest",
        events,
        "Store a batch of events; answered once it is on disk. A bad event fails alone.",
        Stored,
        BATCH,
        batch_examples,
        {"task": "The task that events are for which name none."},
    ),
)
