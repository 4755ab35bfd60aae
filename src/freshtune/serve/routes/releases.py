"""See releases, promote one, go back to the one before."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from freshtune.records import Json, Release
from freshtune.serve.calls import PromoteCall, read_call
from freshtune.serve.exchange import exchange_of
from freshtune.serve.refusals import DOCUMENTED, Refusal, json_reply
from freshtune.serve.release_shapes import Changed, ReleaseDetails, Releases, RolledBack
from freshtune.serve.replies import quarantined_by, release_details, release_line, release_standing
from freshtune.serve.routes.route import Route, body
from freshtune.serve.serving import Serving


def _who(request: Request) -> str:
    key = exchange_of(request.scope).key
    return f"{key.name} (key {key.id})" if key else "http without a key"


def _limit(request: Request) -> int:
    asked = request.query_params.get("limit", "100")
    if not asked.isdecimal() or not asked.isascii() or len(asked) > 5 or not 1 <= int(asked) <= 1_000:
        raise Refusal(
            422, "wrong_shape", "The list cannot be given.", "limit is a whole number from 1 to 1,000.", DOCUMENTED
        )
    return int(asked)


async def list_releases(serving: Serving, request: Request) -> Response:
    """The latest releases, newest first, of one task or of all."""
    asked = request.query_params.get("task")
    task = serving.known(asked) if asked else None
    found = await serving.store(partial(serving.service.registry.list, task, _limit(request)))
    return json_reply({"releases": [release_line(each) for each in found]})


async def show_release(serving: Serving, request: Request) -> Response:
    """Everything about a release but its files."""
    registry = serving.service.registry

    def act() -> dict[str, Json]:
        release = registry.get(request.path_params["release"])
        history = registry.history(release.task, release.id)
        return release_details(release) | release_standing(registry.summary(release.id), history)

    return json_reply(await serving.store(act))


async def _read(request: Request) -> PromoteCall:
    call = read_call(PromoteCall, await request.body())
    if call.force and not call.why.strip():
        words = "force overrules the gate, and why is kept with it."
        raise Refusal(422, "wrong_shape", "Nothing was changed.", words, "Say `why` beside `force`.")
    return call


def _expected(call: PromoteCall, live: str | None) -> str | None:
    """The release that the caller wants replaced: as said, else whatever is live as the call is understood."""
    return call.expected_live if "expected_live" in call.model_fields_set else live


async def promote(serving: Serving, request: Request) -> Response:
    """Make a release the live one, if the live one is still the expected one."""
    call = await _read(request)
    registry = serving.service.registry

    def act() -> Release:
        release = registry.get(request.path_params["release"])
        expected = _expected(call, registry.live_id(serving.known(release.task)))
        return registry.promote(release.id, expected, _who(request), call.why, call.force)

    return json_reply(_changed(serving, await serving.store(act)))


async def rollback(serving: Serving, request: Request) -> Response:
    """Make the release that was live before the live one again."""
    call = await _read(request)
    task = serving.known(request.path_params["task"])
    registry = serving.service.registry

    def act() -> tuple[Release, list[tuple[int, int]]]:
        expected = _expected(call, registry.live_id(task))
        if expected is None:
            raise Refusal(
                404,
                "no_release",
                "There is nothing to go back from.",
                f"No release of {task} is live.",
                "GET /v1/releases, with the scope read, lists what could be promoted.",
            )
        now = registry.rollback(task, expected, _who(request), call.why, call.force)
        return now, quarantined_by(expected, registry.consumed(task))

    now, quarantined = await serving.store(act)
    return json_reply(_changed(serving, now) | {"quarantined": quarantined})


def _changed(serving: Serving, release: Release) -> dict[str, object]:
    """The registry has changed; the server follows by itself, at once, and ``/v1/status`` tells when it has."""
    serving.live.wake()
    return {"live": release.id, "task": release.task}


_QUERY = {"task": "Only this task's.", "limit": "At most so many."}

ROUTES = (
    Route("GET", "/v1/releases", "read", list_releases, "Releases, newest first.", Releases, query=_QUERY),
    Route(
        "GET",
        "/v1/releases/{release}",
        "read",
        show_release,
        "One release: scores, verdict, history, digests of its files.",
        ReleaseDetails,
    ),
    Route(
        "POST",
        "/v1/releases/{release}/promote",
        "operate",
        promote,
        "Make it live.",
        Changed,
        PromoteCall,
        body({"why": "it is better on winter coats"}),
    ),
    Route(
        "POST",
        "/v1/rollback/{task}",
        "operate",
        rollback,
        "Go back to the release before; what the live one learned is quarantined.",
        RolledBack,
        PromoteCall,
        body({"why": "complaints since noon"}),
    ),
)
