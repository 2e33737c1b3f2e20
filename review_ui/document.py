"""The OpenAPI document of the API, for those who have a key."""

from importlib import metadata
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from review_ui.sentences import SENT_JSON

_SAFE = 2**53 - 1
"""Beyond it, a number is not read by everybody as it is written, and no hash of it is the same."""
_SENT_JSON = {
    "title": "SentJson",
    "description": "Any JSON value; numbers up to 2**53 - 1.",
    "anyOf": [
        {"type": ["null", "boolean", "string"]},
        {"type": "number", "minimum": -_SAFE, "maximum": _SAFE},
        {"type": "array", "items": SENT_JSON},
        {"type": "object", "additionalProperties": SENT_JSON},
    ],
}


def add_document(v1: APIRouter, router: APIRouter) -> None:
    """Add `GET /v1/openapi.json`, which describes every route of `router`."""

    @v1.get("/openapi.json", include_in_schema=False)
    def read_document() -> JSONResponse:
        """Return the document."""
        return JSONResponse(document(router))


def document(router: APIRouter) -> dict[str, Any]:
    """Return the OpenAPI document of a router."""
    try:
        version = metadata.version("hitl-framework")
    except metadata.PackageNotFoundError:
        version = "0"  # it runs from its source
    told = get_openapi(title="hitl", version=version, routes=router.routes)
    told["components"]["schemas"]["SentJson"] = _SENT_JSON
    return told
