"""The queue over HTTP: `/v1/...`, JSON in and out, behind a bearer token or users' keys.

Every answer that is not 2xx is a `Problem`: the error's name, a sentence, and its facts, such as who
won. The records are those of `hitl.client`.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from hitl.authority import May
from hitl.client import (
    AuditPage,
    CancelBody,
    DecisionBody,
    Problem,
    ReviewDetail,
    ReviewPage,
    TakeoverBody,
)
from hitl.models import Decision, ReviewStatus
from hitl.reviews import NO_ANSWER, ReviewQueue
from review_ui.acting import actor
from review_ui.admission import admission, only_own_or
from review_ui.asking import add_requests
from review_ui.document import add_document
from review_ui.probes import add_probes
from review_ui.running import Startable, add_runs
from review_ui.sentences import Sentences, answer, body_of, detail
from review_ui.strict import parse, read_body
from review_ui.users import add_users

MOST = 2**53 - 1
"""The largest number that every client reads as it is written."""
Limit = Annotated[int, Query(ge=1, le=1000)]
Body = Annotated[bytes, Depends(read_body)]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 409, 410, 412, 413, 422, 503)
}
"""For the OpenAPI document."""


def create_api(
    queue: ReviewQueue,
    *,
    token: str | None = None,
    owner: str = "operator",
    workflows: Sequence[Startable] = (),
) -> APIRouter:
    """Return the router of `/v1`, `/healthz` and `/readyz`.

    Args:
        queue: The queue that answers.
        token: What `Authorization: Bearer` must carry; at least 16 characters. None where the app it
            is mounted in says who is there: then everything is done in that name, and in no other.
        owner: Who holds the token: decisions that name nobody are recorded under this name.
        workflows: What can be started over HTTP, because this process advances it.

    Raises:
        ValueError: The token is too short to keep anybody out.
    """
    if token is not None and len(token) < 16:
        raise ValueError("The API's token has fewer than 16 characters; make one with `secrets`.")
    router = APIRouter(route_class=Sentences)
    add_probes(router, queue)
    v1 = APIRouter(
        prefix="/v1",
        route_class=Sentences,
        dependencies=[Depends(admission(queue, token))],
        responses=_PROBLEMS,
    )
    _add_reviews(v1, queue)
    add_requests(v1, queue)
    _add_decisions(v1, queue, owner)
    _add_takeovers(v1, queue, owner)
    add_runs(v1, queue, owner, workflows)
    _add_audit(v1, queue)
    add_users(v1, queue, owner)
    add_document(v1, router)
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
        return answer(ReviewPage(reviews=tuple(found), next=following))


def _add_decisions(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    @v1.post(
        "/reviews/{review_id}/decision",
        response_model=Decision,
        openapi_extra=body_of(DecisionBody),
    )
    def decide(request: Request, review_id: str, body: Body) -> Response:
        """Decide: 200, or 409 decided, 410 expired, 412 changed, 403 not allowed, 422 misfit."""
        said = parse(DecisionBody, body)
        decision = queue.decide(
            review_id,
            said.verdict,
            by=actor(request, said.by, owner),
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
        return answer(decision)

    @v1.post(
        "/reviews/{review_id}/cancel",
        response_model=ReviewDetail,
        openapi_extra=body_of(CancelBody),
    )
    def cancel(request: Request, review_id: str, body: Body) -> Response:
        """Close a pending review unanswered."""
        said = parse(CancelBody, body)
        by = actor(request, said.by, owner)
        only_own_or(request, May.WITHDRAW, queue.get(review_id).initiator)
        return answer(detail(queue.cancel(review_id, by=by, reason=said.reason)))


def _add_takeovers(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    @v1.post(
        "/reviews/{review_id}/takeover",
        response_model=ReviewDetail,
        openapi_extra=body_of(TakeoverBody),
    )
    def take_over(request: Request, review_id: str, body: Body) -> Response:
        """Take the work over: nobody else decides meanwhile. Hand it in with the decision."""
        by = actor(request, parse(TakeoverBody, body).by, owner)
        return answer(detail(queue.take_over(review_id, by=by)))

    @v1.post(
        "/reviews/{review_id}/handback",
        response_model=ReviewDetail,
        openapi_extra=body_of(TakeoverBody),
    )
    def hand_back(request: Request, review_id: str, body: Body) -> Response:
        """Give work back undone."""
        by = actor(request, parse(TakeoverBody, body).by, owner)
        return answer(detail(queue.hand_back(review_id, by=by)))


def _add_audit(v1: APIRouter, queue: ReviewQueue) -> None:
    @v1.get("/audit", response_model=AuditPage)
    def read_audit(after: Annotated[int, Query(ge=0, le=MOST)] = 0, limit: Limit = 100) -> Response:
        """Return events of the trail, oldest first."""
        found = queue.audit(after=after, limit=limit)
        following = found[-1].seq if len(found) == limit else None
        return answer(AuditPage(events=tuple(found), next=following))
