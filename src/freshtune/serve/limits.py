"""What a request may cost before it is understood: bytes and seconds. Nothing is unpacked on the way in."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from freshtune.serve.refusals import Refusal

if TYPE_CHECKING:  # the settings read this module, and need no web framework
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PACKED = Refusal(
    415,
    "encoding",
    "The body cannot be read.",
    "It is packed, and bodies are read as they are.",
    "Send it without Content-Encoding.",
)
_CUT_OFF = Refusal(
    400, "disconnected", "The body cannot be read.", "It did not come to its end.", "Send the whole of it again."
)


@dataclass(frozen=True)
class Limits:
    """``[serve.limits]``.

    Attributes:
        body_bytes: bytes of a request body.
        body_seconds: time in which the whole body must have come.
        texts: texts in one prediction call, over all its tasks.
        characters: characters of one text or pair.
        event_calls: calls to ``/v1/events`` that wait for the log's one writer; beyond it the answer is 503.
    """

    body_bytes: Annotated[int, Field(ge=1)] = 8_000_000
    body_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    texts: Annotated[int, Field(ge=1)] = 256
    characters: Annotated[int, Field(ge=1)] = 20_000
    event_calls: Annotated[int, Field(ge=1)] = 16


class BodyLimits:
    """ASGI: the body is read here, once, bounded in bytes and time, and handed on whole."""

    def __init__(self, app: "ASGIApp", limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise _PACKED
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = await self._read(headers.get(b"content-length"), receive)
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, declared: bytes | None, receive: "Receive") -> bytes:
        limit = self._limits.body_bytes
        too_long = Refusal(
            413, "too_long", "The body is too long.", f"A body has {limit:,} bytes at most.", "Send it in parts."
        )
        if declared is not None and (not declared.isdigit() or len(declared) > 18 or int(declared) > limit):
            raise too_long
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _CUT_OFF
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > limit:
                        raise too_long
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            words = f"It took over {self._limits.body_seconds:g} s."
            raise Refusal(408, "too_slow", "The body came too slowly.", words, "Send it in smaller parts.") from None


def _replayed(body: bytes, receive: "Receive") -> "Receive":
    pending = [body]

    async def replay() -> "Message":
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay
