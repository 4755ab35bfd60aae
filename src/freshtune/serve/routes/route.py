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

Act = Callable[[Serving, Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        scope: the scope that a key needs; None only for what is public.
        words: what it does, one line for /docs.
        call: shape of its JSON body; None where it has none.
        reply: an example of its reply.
        query: query parameter → what it means.
    """

    method: Literal["GET", "POST"]
    path: str
    scope: Scope | None
    act: Act
    words: str
    call: type[BaseModel] | None = None
    reply: Json = None
    query: Mapping[str, str] | None = None

    def endpoint(self, serving: Serving) -> Callable[[Request], Awaitable[Response]]:
        """The act behind its scope."""

        async def guarded(request: Request) -> Response:
            exchange = exchange_of(request.scope)
            exchange.route = self.path
            if self.scope and serving.service.keys and not (exchange.key and exchange.key.opens(self.scope)):
                raise Refusal(403, "wrong_scope", f"This key does not have the scope {self.scope}.")
            return await self.act(serving, request)

        return guarded

    def responses(self) -> dict[int | str, dict[str, object]]:
        """Its documented reply."""
        example: dict[str, object] = {} if self.reply is None else {"application/json": {"example": self.reply}}
        return {200: {"description": "Done.", "content": example}}

    def openapi(self) -> dict[str, object]:
        """What FastAPI cannot see in an endpoint that takes the bare request."""
        parameters: list[dict[str, object]] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", self.path)
        ]
        parameters += [
            {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}
            for name, words in (self.query or {}).items()
        ]
        told: dict[str, object] = {"parameters": parameters}
        if self.scope:
            told["security"] = [{"key": []}]
            told["x-scope"] = self.scope
        if self.call:
            schema = {"$ref": f"#/components/schemas/{self.call.__name__}"}
            told["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        return told
