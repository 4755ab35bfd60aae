"""What a request may cost before it is understood: bytes and seconds. Nothing is unpacked on the way in."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freshtune.serve.refusals import Refusal

if TYPE_CHECKING:  # the settings read this module, and need no web framework
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


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

    body_bytes: int = 8_000_000
    body_seconds: float = 20.0
    texts: int = 256
    characters: int = 20_000
    event_calls: int = 16


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
            raise Refusal(415, "encoding", "Bodies are read as they are.", "Send it without Content-Encoding.")
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = await self._read(headers.get(b"content-length"), receive)
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, declared: bytes | None, receive: "Receive") -> bytes:
        limit = self._limits.body_bytes
        too_long = Refusal(413, "too_long", f"A body has {limit:,} bytes at most.", "Send it in parts.")
        if declared is not None and (not declared.isdigit() or len(declared) > 18 or int(declared) > limit):
            raise too_long
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "disconnected", "The body did not come to its end.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > limit:
                        raise too_long
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise Refusal(408, "too_slow", f"The body took over {self._limits.body_seconds:g} s.") from None


def _replayed(body: bytes, receive: "Receive") -> "Receive":
    pending = [body]

    async def replay() -> "Message":
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay
