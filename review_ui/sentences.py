"""How the API answers: a record, or a `Problem` with the error's name, a sentence and its facts."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue

from hitl.client import Problem, ReviewDetail
from hitl.errors import HitlError, NotFound, RequestRefused, ReviewRefusal, RunRefusal, UserRefused
from hitl.models import Review
from review_ui.strict import BadBody


class Sentences(APIRoute):
    """Answers an error with its sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, its refusals answered."""
        handle = super().get_route_handler()

        async def handle_or_explain(request: Request) -> Response:
            try:
                return await handle(request)
            except (HitlError, BadBody, RequestValidationError) as problem:
                return _problem(problem)

        return handle_or_explain


class Unauthorized(BadBody):
    """The token or key is missing, wrong or revoked."""


class Forbidden(BadBody):
    """The key may not do this."""


def _problem(problem: HitlError | BadBody | RequestValidationError) -> Response:
    if isinstance(problem, RequestValidationError):
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        return _told(422, "BadRequest", f"{field!r}: {first['msg']}.")
    if isinstance(problem, BadBody):
        return _told(problem.status_code, type(problem).__name__, str(problem))
    status = 404 if isinstance(problem, NotFound) else 503
    if isinstance(problem, (RequestRefused, ReviewRefusal, RunRefusal, UserRefused)):
        status = problem.status_code
    return _told(status, type(problem).__name__, str(problem), vars(problem))


def problem(
    status: int, error: str, detail: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an answer that is not 2xx."""
    told = _told(status, error, detail)
    told.headers.update(headers or {})
    return told


def _told(
    status: int, error: str, detail: str, facts: dict[str, JsonValue] | None = None
) -> Response:
    told = answer(Problem(error=error, detail=detail, facts=facts or {}), status=status)
    if status == 401:
        told.headers["WWW-Authenticate"] = "Bearer"
    return told


def answer(record: BaseModel, *, status: int = 200) -> Response:
    """Return a record as JSON that nobody keeps."""
    return Response(
        record.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def detail(review: Review) -> ReviewDetail:
    """Return a review as the API tells it."""
    decisions = () if review.decision is None else (review.decision,)
    return ReviewDetail(**dict(review), decisions=decisions)


SENT_JSON = {"$ref": "#/components/schemas/SentJson"}
"""Any JSON value that can be sent; see `review_ui.document`."""


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return a route's body for the OpenAPI document."""
    whole = model.model_json_schema()
    schema = {"application/json": {"schema": _inlined(whole, whole.pop("$defs", {}))}}
    return {"requestBody": {"required": True, "content": schema}}


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema without references: those of a model lead nowhere in the whole document."""
    if isinstance(part, list):
        return [_inlined(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("$ref") == "#/$defs/JsonValue":
        return SENT_JSON
    if "$ref" in part:
        named = definitions[part["$ref"].removeprefix("#/$defs/")]
        part = {**named, **{k: v for k, v in part.items() if k != "$ref"}}
    return {key: _inlined(value, definitions) for key, value in part.items()}
