"""The server's own documentation: OpenAPI, and a page of it that needs no script and no other host."""

from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from freshtune.serve.refusals import json_reply
from freshtune.serve.routes.route import Route
from freshtune.serve.serving import Serving

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{font:600 1rem ui-monospace,monospace;margin-top:2rem}pre{background:#8882;padding:.7rem;overflow:auto}"
    ":root{color-scheme:light dark}"
)


def _pretty(value: object) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    scope = operation.get("x-scope")
    parts = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('summary', ''))}"]
    parts.append(f" Scope: <code>{escape(scope)}</code>.</p>" if scope else " No key.</p>")
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            parts.append(
                f"<p><code>?{escape(parameter['name'])}=</code> {escape(parameter.get('description', ''))}</p>"
            )
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        parts.append(f"<p>Body, <code>{escape(media)}</code>:</p><pre>{_pretty(schemas.get(name, schema))}</pre>")
    for content in operation["responses"].get("200", {}).get("content", {}).values():
        if "example" in content:
            parts.append(f"<p>Reply:</p><pre>{_pretty(content['example'])}</pre>")
    return "".join(parts)


def page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    schemas = document.get("components", {}).get("schemas", {})
    body = "".join(
        _operation(method, path, operation, schemas)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>Keys go in <code>Authorization: Bearer KEY</code>. Every reply carries "
        f"<code>X-Request-Id</code>. The same as data: <a href=/openapi.json>/openapi.json</a>.</p>{body}</html>"
    )


async def openapi(_serving: Serving, request: Request) -> Response:
    """The OpenAPI document."""
    return json_reply(request.app.openapi())


async def docs(_serving: Serving, request: Request) -> Response:
    """The page."""
    return HTMLResponse(page(request.app.openapi()))


ROUTES = (
    Route("GET", "/openapi.json", "read", openapi, "This document."),
    Route("GET", "/docs", "read", docs, "This document as a page."),
)
