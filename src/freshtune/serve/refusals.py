"""How a request is told no: one exception, one shape of reply, nothing of the inside."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:  # the settings read this module, and need no web framework
    from starlette.responses import Response


AGAIN = {"Retry-After": "1"}
"""Header of a refusal that is over soon."""

DOCUMENTED = "GET /docs, which needs a key with the scope read, describes it."
"""Where a caller reads what is expected."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer other than the one that was asked for, on purpose.

    Args:
        status: HTTP status.
        reason: a stable word for programs.
        what: what could not be done, for people; never quotes the request.
        why: the cause.
        mend: what the caller can do.
        headers: extra reply headers.
    """

    def __init__(
        self, status: int, reason: str, what: str, why: str, mend: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{what} {why}")
        self.status, self.reason, self.what, self.why, self.mend = status, reason, what, why, mend
        self.headers = dict(headers or {})


def json_reply(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Response":
    """A JSON reply of plain values."""
    from starlette.responses import Response

    return Response(orjson.dumps(content), status, headers, "application/json")


def refused(refusal: Refusal, path: str) -> "Response":
    """The reply of a refusal; Open Inference paths have that protocol's shape, a bare string."""
    if path.startswith("/v2"):
        words = f"{refusal.what} {refusal.why} {refusal.mend}"
        return json_reply({"error": words}, refusal.status, refusal.headers)
    error = {"reason": refusal.reason, "what": refusal.what, "why": refusal.why, "mend": refusal.mend}
    return json_reply({"error": error}, refusal.status, refusal.headers)
