"""The OpenAPI document, made of the table of routes, and FastAPI with nothing between a request and its endpoint."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from freshtune import __version__
from freshtune.records import Json
from freshtune.serve.infer_shapes import InferError
from freshtune.serve.reply_shapes import ErrorReply
from freshtune.serve.routes.route import JSON, Route
from freshtune.serve.service import Service

_REF = "#/components/schemas/{model}"
_WORDS = (
    "Keys go in `Authorization: Bearer KEY`. Each route names the scope that opens it: predict asks models, ingest "
    "sends events, read sees the rest, operate promotes and rolls back, admin opens all. Statuses of refusals: "
    "400 no JSON, 401 no key, 403 another scope, 404 nothing of that name, 408 too slow a body, 409 not as expected, "
    "413 too much, 415 packed, 422 another shape, 503 not now."
)


class BareRoute(APIRoute):
    """A route that hands the request to its endpoint: solving arguments that it has not costs 0.05 ms a request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


class DocumentedApp(FastAPI):
    """An application whose document is given to it."""

    def __init__(self, document: dict[str, Any], **settings: Any) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, **settings)
        self.router.route_class = BareRoute
        self._document = document

    def openapi(self) -> dict[str, Any]:
        """The document that it was given."""
        return self._document


def document(routes: Iterable[Route], service: Service) -> dict[str, Any]:
    """What a service answers to whom, as OpenAPI 3.1."""
    listed = list(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, service)
    return {
        "openapi": "3.1.0",
        "info": {"title": "freshtune", "version": __version__, "description": _WORDS},
        "paths": paths,
        "components": {
            "schemas": {**_schemas(listed), **service.accept.schemas()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    shapes: dict[str, type[BaseModel]] = {shape.__name__: shape for shape in (ErrorReply, InferError)}
    for route in routes:
        shapes |= {shape.__name__: shape for shape in (route.call, route.reply) if not isinstance(shape, str | None)}
    mode: JsonSchemaMode = "validation"
    made = models_json_schema([(shape, mode) for _, shape in sorted(shapes.items())], ref_template=_REF)[1]
    return dict(made["$defs"])


def _operation(route: Route, service: Service) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": route.words,
        "operationId": route.name,
        "parameters": route.parameters(service.tasks),
        "responses": {"200": _reply(route.reply, "Done.")},
    }
    if route.scope:
        told |= {"security": [{"key": []}], "x-scope": route.scope}
        error = InferError if route.path.startswith("/v2") else ErrorReply
        told["responses"]["default"] = _reply(error, "Refused.")
    if route.call:
        told["requestBody"] = {"required": True, "content": _bodies(route.call, route.bodies(service.tasks))}
    return told


def _reply(shape: type[BaseModel] | str, words: str) -> dict[str, Any]:
    if isinstance(shape, str):
        return {"description": words, "content": {shape: {"schema": {"type": "string"}}}}
    content: dict[str, Any] = {"schema": _ref(shape), "example": example_of(shape)}
    return {"description": words, "content": {JSON: content}}


def _bodies(shape: type[BaseModel] | str, bodies: Mapping[str, Mapping[str, Json]]) -> dict[str, Any]:
    """By media type: the shape, and examples that are taken as they are."""
    found: dict[str, Any] = {}
    for media, examples in bodies.items():
        schema = _ref(shape) if media == JSON else {"type": "string", "description": "One of them a line."}
        found[media] = {"schema": schema, "examples": {name: {"value": body} for name, body in examples.items()}}
    return found


def _ref(shape: type[BaseModel] | str) -> Mapping[str, str]:
    return {"$ref": _REF.format(model=shape if isinstance(shape, str) else shape.__name__)}


def example_of(shape: type[BaseModel]) -> object:
    """The example that a shape brings along."""
    extra = shape.model_config["json_schema_extra"]
    assert isinstance(extra, dict)  # noqa: S101
    examples = extra["examples"]
    assert isinstance(examples, list)  # noqa: S101
    return examples[0]
