"""FastAPI, with the bodies that our endpoints read themselves in its OpenAPI document."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema


class DocumentedApp(FastAPI):
    """An application that documents ``calls``, the shapes of its routes' bodies."""

    calls: list[type[BaseModel]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.calls = []

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if not self.openapi_schema:
            document = get_openapi(title=self.title, version=self.version, routes=self.routes)
            mode: JsonSchemaMode = "validation"
            shapes = models_json_schema(
                [(call, mode) for call in self.calls], ref_template="#/components/schemas/{model}"
            )[1]
            components = document.setdefault("components", {})
            components.setdefault("schemas", {}).update(shapes.get("$defs", {}))
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            self.openapi_schema = document
        return self.openapi_schema
