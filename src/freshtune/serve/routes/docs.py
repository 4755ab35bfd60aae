"""The server's own documentation: OpenAPI, and a page of it that needs no script and no other host."""

from collections.abc import Mapping
from html import escape
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from freshtune.serve.refusals import json_reply
from freshtune.serve.routes.route import JSON, Route
from freshtune.serve.serving import Serving

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{font:600 1rem ui-monospace,monospace;margin-top:2rem}pre{background:#8882;padding:.7rem;overflow:auto}"
    ":root{color-scheme:light dark}"
)


def _pretty(value: object) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    scope = operation.get("x-scope")
    parts = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation.get('summary', ''))}"]
    parts.append(f" Scope: <code>{escape(scope)}</code>.</p>" if scope else " No key.</p>")
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            parts.append(
                f"<p><code>?{escape(parameter['name'])}=</code> {escape(parameter.get('description', ''))}</p>"
            )
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, <code>{escape(media)}</code>{_linked(content['schema'])}:</p>")
        for example in content["examples"].values():
            value = example["value"]
            parts.append(f"<pre>{escape(value) if isinstance(value, str) else _pretty(value)}</pre>")
    for media, content in operation["responses"]["200"]["content"].items():
        parts.append(f"<p>Reply, <code>{escape(media)}</code>{_linked(content['schema'])}</p>")
        if "example" in content:
            parts.append(f"<pre>{_pretty(content['example'])}</pre>")
    return "".join(parts)


def _linked(schema: Mapping[str, Any]) -> str:
    name = escape(schema.get("$ref", "").rpartition("/")[2])
    return f", <a href=#{name}>{name}</a>" if name else ""


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    words = schema.get("description", "")
    rest = {key: value for key, value in schema.items() if key not in ("description", "title")}
    return f"<h2 id={escape(name)}>{escape(name)}</h2><p>{escape(words)}</p><pre>{_pretty(rest)}</pre>"


def page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    body = "".join(
        _operation(method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    shapes = "".join(_shape(name, schema) for name, schema in document["components"]["schemas"].items())
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>{escape(document['info']['description'])} Every reply carries <code>X-Request-Id</code>. "
        f"The same as data: <a href=/openapi.json>/openapi.json</a>.</p>{body}<h1>Shapes</h1>{shapes}</html>"
    )


async def openapi(_serving: Serving, request: Request) -> Response:
    """The OpenAPI document."""
    return json_reply(request.app.openapi())


async def docs(_serving: Serving, request: Request) -> Response:
    """The page."""
    return HTMLResponse(page(request.app.openapi()))


ROUTES = (
    Route("GET", "/openapi.json", "read", openapi, "This document.", JSON),
    Route("GET", "/docs", "read", docs, "This document as a page.", "text/html"),
)
