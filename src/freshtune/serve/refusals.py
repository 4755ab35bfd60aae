"""How a request is told no: one exception, one shape of reply, nothing of the inside."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:  # the settings read this module, and need no web framework
    from starlette.responses import Response


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer other than the one that was asked for, on purpose.

    Args:
        status: HTTP status.
        reason: a stable word for programs.
        detail: what is wrong, for people; never quotes the request.
        mend: what the caller can do.
        headers: extra reply headers.
    """

    def __init__(
        self, status: int, reason: str, detail: str, mend: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.mend = status, reason, detail, mend
        self.headers = dict(headers or {})


def json_reply(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Response":
    """A JSON reply of plain values."""
    from starlette.responses import Response

    return Response(orjson.dumps(content), status, headers, "application/json")


def refused(refusal: Refusal, path: str) -> "Response":
    """The reply of a refusal; Open Inference paths have that protocol's shape, a bare string."""
    if path.startswith("/v2"):
        words = " ".join(part for part in (refusal.detail, refusal.mend) if part)
        return json_reply({"error": words}, refusal.status, refusal.headers)
    error = {"reason": refusal.reason, "detail": refusal.detail}
    if refusal.mend:
        error["mend"] = refusal.mend
    return json_reply({"error": error}, refusal.status, refusal.headers)
