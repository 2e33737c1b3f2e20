"""The queue over HTTP: `/v1/...`, JSON in and out, one bearer token.

Every answer that is not 2xx is a `Problem`: the error's name, a sentence, and its facts, such as who
won. The records are those of `hitl.client`.
"""

import hmac
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, JsonValue

from hitl.client import (
    AuditPage,
    CancelBody,
    DecisionBody,
    Problem,
    ResumeBody,
    ReviewDetail,
    ReviewPage,
    RunPage,
    StopBody,
)
from hitl.errors import HitlError, NotFound, ReviewRefusal, RunRefusal
from hitl.models import Decision, Review, ReviewStatus, RunRecord, RunStatus
from hitl.reviews import NO_ANSWER, ReviewQueue
from review_ui.strict import BadBody, parse, read_body

Limit = Annotated[int, Query(ge=1, le=1000)]
Body = Annotated[bytes, Depends(read_body)]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 403, 404, 409, 410, 412, 413, 422)
}
"""For the OpenAPI document."""


def create_api(queue: ReviewQueue, *, token: str, owner: str = "operator") -> APIRouter:
    """Return the router of `/v1` and `/healthz`.

    Args:
        queue: The queue that answers.
        token: What `Authorization: Bearer` must carry; at least 16 characters.
        owner: Who holds the token: decisions that name nobody are recorded under this name.

    Raises:
        ValueError: The token is too short to keep anybody out.
    """
    if len(token) < 16:
        raise ValueError("The API's token has fewer than 16 characters; make one with `secrets`.")
    router = APIRouter(route_class=_Sentences)
    router.add_api_route("/healthz", _alive, methods=["GET"])
    v1 = APIRouter(
        prefix="/v1",
        route_class=_Sentences,
        dependencies=[Depends(_bearer(token))],
        responses=_PROBLEMS,
    )
    _add_reviews(v1, queue)
    _add_decisions(v1, queue, owner)
    _add_runs(v1, queue, owner)
    router.include_router(v1)
    return router


def _add_reviews(v1: APIRouter, queue: ReviewQueue) -> None:
    @v1.get("/reviews", response_model=ReviewPage)
    def list_reviews(
        status: Annotated[list[ReviewStatus] | None, Query()] = None,
        run_id: str | None = None,
        workflow: str | None = None,
        blocking: bool | None = None,  # noqa: FBT001  a query parameter
        limit: Limit = 50,
        after: str | None = None,
    ) -> Response:
        """Return reviews, those due first."""
        found = queue.reviews(
            status=status or (),
            run_id=run_id,
            workflow=workflow,
            blocking=blocking,
            limit=limit,
            after=after,
        )
        following = found[-1].id if len(found) == limit else None
        return _answer(ReviewPage(reviews=tuple(found), next=following))

    @v1.get("/reviews/{review_id}", response_model=ReviewDetail)
    def read_review(review_id: str) -> Response:
        """Return a review with what is proposed, its hash, its status and its decisions."""
        return _answer(_detail(queue.get(review_id)))


def _add_decisions(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    @v1.post(
        "/reviews/{review_id}/decision",
        response_model=Decision,
        openapi_extra=_body_of(DecisionBody),
    )
    def decide(review_id: str, body: Body) -> Response:
        """Decide: 200, or 409 decided, 410 expired, 412 changed, 403 not allowed, 422 misfit."""
        said = parse(DecisionBody, body)
        decision = queue.decide(
            review_id,
            said.verdict,
            by=owner if said.by is None else said.by,
            proposal_hash=said.proposal_hash,
            decision_id=said.decision_id,
            reasons=said.reasons,
            note=said.note,
            remedy=said.remedy,
            answer=said.answer if "answer" in said.model_fields_set else NO_ANSWER,
            surface=said.surface,
            shown_ms=said.shown_ms,
            fence=said.fence,
        )
        return _answer(decision)

    @v1.post(
        "/reviews/{review_id}/cancel",
        response_model=ReviewDetail,
        openapi_extra=_body_of(CancelBody),
    )
    def cancel(review_id: str, body: Body) -> Response:
        """Close a pending review unanswered."""
        said = parse(CancelBody, body)
        by = owner if said.by is None else said.by
        return _answer(_detail(queue.cancel(review_id, by=by, reason=said.reason)))


def _add_runs(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    @v1.get("/runs", response_model=RunPage)
    def list_runs(
        status: Annotated[list[RunStatus] | None, Query()] = None,
        workflow: str | None = None,
        limit: Limit = 50,
        before: str | None = None,
    ) -> Response:
        """Return runs, newest first."""
        found = queue.runs(status=status or (), workflow=workflow, limit=limit, before=before)
        following = found[-1].id if len(found) == limit else None
        return _answer(RunPage(runs=tuple(found), next=following))

    @v1.post("/runs/{run_id:path}/stop", response_model=RunRecord, openapi_extra=_body_of(StopBody))
    def stop(run_id: str, body: Body) -> Response:
        """Stop a run: at once, or before its next step; 409 when it has ended."""
        said = parse(StopBody, body)
        by = owner if said.by is None else said.by
        return _answer(queue.stop(run_id, by=by, reason=said.reason))

    @v1.post(
        "/runs/{run_id:path}/resume", response_model=RunRecord, openapi_extra=_body_of(ResumeBody)
    )
    def resume(run_id: str, body: Body) -> Response:
        """Let a stopped run go on; 409 when the stop button did not stop it."""
        said = parse(ResumeBody, body)
        return _answer(queue.resume(run_id, by=owner if said.by is None else said.by))

    @v1.get("/runs/{run_id:path}", response_model=RunRecord)
    def read_run(run_id: str) -> Response:
        """Return one run."""
        return _answer(queue.run(run_id))

    @v1.get("/audit", response_model=AuditPage)
    def read_audit(after: Annotated[int, Query(ge=0)] = 0, limit: Limit = 100) -> Response:
        """Return events of the trail, oldest first."""
        found = queue.audit(after=after, limit=limit)
        following = found[-1].seq if len(found) == limit else None
        return _answer(AuditPage(events=tuple(found), next=following))


class _Sentences(APIRoute):
    """Answers an error with its sentence."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_explain(request: Request) -> Response:
            try:
                return await handle(request)
            except (HitlError, BadBody, RequestValidationError) as problem:
                return _problem(problem)

        return handle_or_explain


class _Unauthorized(BadBody):
    """The token is missing or wrong."""


def _bearer(token: str) -> Callable[[Request], None]:
    expected = f"Bearer {token}".encode()

    def check(request: Request) -> None:
        given = request.headers.getlist("authorization")
        if len(given) != 1 or not hmac.compare_digest(given[0].encode(), expected):
            raise _Unauthorized(401, "Send the server's token as `Authorization: Bearer ...`.")

    return check


def _problem(problem: HitlError | BadBody | RequestValidationError) -> Response:
    if isinstance(problem, RequestValidationError):
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        return _told(422, "BadRequest", f"{field!r}: {first['msg']}.")
    if isinstance(problem, BadBody):
        name = "Unauthorized" if isinstance(problem, _Unauthorized) else "BadBody"
        return _told(problem.status_code, name, str(problem))
    status = 404 if isinstance(problem, NotFound) else 503
    if isinstance(problem, (ReviewRefusal, RunRefusal)):
        status = problem.status_code
    return _told(status, type(problem).__name__, str(problem), vars(problem))


def _told(
    status: int, error: str, detail: str, facts: dict[str, JsonValue] | None = None
) -> Response:
    answer = _answer(Problem(error=error, detail=detail, facts=facts or {}), status=status)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _answer(record: BaseModel, *, status: int = 200) -> Response:
    return Response(
        record.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _detail(review: Review) -> ReviewDetail:
    decisions = () if review.decision is None else (review.decision,)
    return ReviewDetail(**dict(review), decisions=decisions)


def _body_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": schema}}


async def _alive() -> dict[str, str]:
    """Return that the process is alive."""
    return {"status": "alive"}
