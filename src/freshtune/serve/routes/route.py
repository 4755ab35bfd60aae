"""What a route is: where it answers, whom it opens to, and the act."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from freshtune.records import Json
from freshtune.serve.auth import Scope
from freshtune.serve.exchange import exchange_of
from freshtune.serve.refusals import Refusal
from freshtune.serve.serving import Serving
from freshtune.tasks import Task

JSON = "application/json"

Act = Callable[[Serving, Request], Awaitable[Response]]
Bodies = Callable[[Mapping[str, Task]], Mapping[str, Mapping[str, Json]]]
"""From a workspace's tasks to bodies that its service takes: media type → name → body."""


def body(example: Json) -> Bodies:
    """One JSON body that every workspace takes."""
    return lambda _: {JSON: {"example": example}}


def one_or_two(text: Json, pair: Json) -> Bodies:
    """A body for tasks that read one text and one for those that read two; whichever a workspace has."""
    bodies = {False: ("one text", text), True: ("two texts", pair)}
    return lambda tasks: {JSON: dict(bodies[pairs] for pairs in sorted({task.pairs for task in tasks.values()}))}


def _no_bodies(_: Mapping[str, Task]) -> Mapping[str, Mapping[str, Json]]:
    return {}


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        scope: the scope that a key needs; None only for what is public.
        words: what it does, one line for /docs.
        reply: shape of its JSON reply; the media type of a reply that is none.
        call: shape of its body, or the name of a schema that the intake gives; None where it has none.
        bodies: examples of it.
        query: query parameter → what it means.
    """

    method: Literal["GET", "POST"]
    path: str
    scope: Scope | None
    act: Act
    words: str
    reply: type[BaseModel] | str
    call: type[BaseModel] | str | None = None
    bodies: Bodies = _no_bodies
    query: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """A name that no other route has."""
        return f"{self.act.__module__.rpartition('.')[2]}_{self.act.__name__}"

    def endpoint(self, serving: Serving) -> Callable[[Request], Awaitable[Response]]:
        """The act behind its scope."""

        async def guarded(request: Request) -> Response:
            exchange = exchange_of(request.scope)
            exchange.route = self.path
            if self.scope and serving.service.keys and not (exchange.key and exchange.key.opens(self.scope)):
                raise self._closed(exchange.key.scopes if exchange.key else frozenset())
            return await self.act(serving, request)

        return guarded

    def _closed(self, scopes: frozenset[str]) -> Refusal:
        return Refusal(
            403,
            "wrong_scope",
            "This key may not do this.",
            f"It opens {', '.join(sorted(scopes))}; {self.method} {self.path} needs the scope {self.scope}.",
            f"Make a key that may: `freshtune keys create NAME --scope {self.scope}`.",
        )

    def parameters(self, tasks: Mapping[str, Task]) -> list[dict[str, object]]:
        """The parameters of its path and query, for the document."""
        shapes: Mapping[str, dict[str, object]] = {
            "task": {"type": "string", "enum": list(tasks)},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100},
        }
        words = {"task": "A task of the workspace.", "release": "A release's id, or the beginning of one."}
        found: list[dict[str, object]] = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": words[name],
                "schema": shapes.get(name, {"type": "string"}),
            }
            for name in re.findall(r"{(\w+)}", self.path)
        ]
        return found + [
            {"name": name, "in": "query", "description": told, "schema": shapes.get(name, {"type": "string"})}
            for name, told in (self.query or {}).items()
        ]
