"""How programs ask a person over HTTP: open a review, wait for its answer, change what is asked."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from hitl.client import ReviewDetail
from hitl.models import Amendment, Review, ReviewRequest, ReviewStatus
from hitl.reviews import LONGEST_KEY, ReviewQueue
from review_ui.acting import actor
from review_ui.admission import is_revoked, only_own
from review_ui.sentences import Unauthorized, answer, body_of, detail
from review_ui.site import reviewer_of
from review_ui.strict import parse, read_body

MAX_WAIT = 60.0
"""Seconds a request may wait for an answer."""
_LOOK = 0.2
"""Seconds between two looks at the store."""
_HEARTBEAT = 15.0

Said = TypeVar("Said", ReviewRequest, Amendment)
Body = Annotated[bytes, Depends(read_body)]
IdempotencyKey = Annotated[
    str | None, Header(json_schema_extra={"minLength": 1, "maxLength": LONGEST_KEY})
]
Over = Callable[[], Awaitable[bool]]


def add_requests(v1: APIRouter, queue: ReviewQueue) -> None:
    """Add the routes that programs use; `v1` lets nobody in without a key."""

    @v1.post(
        "/reviews",
        response_model=ReviewDetail,
        status_code=201,
        responses={200: {"model": ReviewDetail}},
        openapi_extra=body_of(ReviewRequest),
    )
    def request_review(
        request: Request, body: Body, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Put an action before a person: 201, or 200 when it was asked before under this key."""
        said = _in_their_name(request, parse(ReviewRequest, body))
        review, is_new = queue.request(said, key=own_key(request, idempotency_key))
        return answer(detail(review), status=201 if is_new else 200)

    @v1.patch("/reviews/{review_id}", response_model=ReviewDetail, openapi_extra=body_of(Amendment))
    def amend(request: Request, review_id: str, body: Body) -> Response:
        """Change what a program asked; its hash changes, and what was answered is void."""
        said = _in_their_name(request, parse(Amendment, body))
        only_own(request, "review", review_id, queue.get(review_id).initiator)
        return answer(detail(queue.amend(review_id, said)))

    @v1.get("/reviews/{review_id}", response_model=ReviewDetail)
    async def read_review(
        request: Request, review_id: str, wait: Annotated[float, Query(ge=0, le=MAX_WAIT)] = 0.0
    ) -> Response:
        """Return a review; with `wait`, once it is not pending any more or that many seconds passed."""
        first = await _read(queue, review_id)
        only_own(request, "review", review_id, first.initiator)
        return answer(detail(await _decided(queue, first, wait, _over(request, queue))))

    @v1.get("/reviews/{review_id}/events", response_class=StreamingResponse)
    async def follow_review(request: Request, review_id: str) -> Response:
        """Follow a review as server-sent events: `review` now and at each change, until it ends."""
        first = await _read(queue, review_id)
        only_own(request, "review", review_id, first.initiator)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            _events(queue, first, _over(request, queue)),
            media_type="text/event-stream",
            headers=headers,
        )


def _in_their_name(request: Request, said: Said) -> Said:
    """Return a body that names who is signed in; as it is where a token lets in."""
    signed_in = reviewer_of(request)
    if signed_in is None:
        return said
    return said.model_copy(update={"by": actor(request, said.by, signed_in)})


def own_key(request: Request, key: str | None) -> str | None:
    """Return an idempotency key that is apart from everybody else's."""
    signed_in = reviewer_of(request)
    if signed_in is None or key is None or not 1 <= len(key) <= LONGEST_KEY:
        return key  # one that cannot be used is refused where it is looked at
    return hashlib.sha256(f"{signed_in}\0{key}".encode()).hexdigest()


def _over(request: Request, queue: ReviewQueue) -> Over:
    """Return what tells whether to keep somebody waiting no longer.

    The process that serves goes down, or, as a refusal, the key was revoked meanwhile.
    """
    is_ending: Callable[[], bool] = getattr(request.app.state, "is_ending", lambda: False)

    async def over() -> bool:
        if await is_revoked(request, queue):
            raise Unauthorized(401, "The key was revoked.")
        return is_ending()

    return over


async def _has_ended(over: Over) -> bool:
    """Return `over`; a stream that is under way is cut, because it has no status to refuse with."""
    try:
        return await over()
    except Unauthorized:
        return True


async def _read(queue: ReviewQueue, review_id: str) -> Review:
    read: Callable[[str], Review] = queue.get
    return await run_in_threadpool(read, review_id)


async def _decided(queue: ReviewQueue, review: Review, wait: float, over: Over) -> Review:
    ends = time.monotonic() + wait
    while True:
        left = ends - time.monotonic()
        if review.status is not ReviewStatus.PENDING or left <= 0 or await over():
            return review
        await asyncio.sleep(min(_LOOK, left))
        review = await _read(queue, review.id)


async def _events(queue: ReviewQueue, review: Review, over: Over) -> AsyncIterator[str]:
    said = ""
    quiet = time.monotonic()
    while True:
        state = f"{review.status} {review.proposal_hash}"
        if state != said:
            said, quiet = state, time.monotonic()
            data = detail(review).model_dump_json()
            yield f"event: review\nid: {review.status}-{review.proposal_hash[:12]}\ndata: {data}\n\n"
        if review.status is not ReviewStatus.PENDING or await _has_ended(over):
            return
        if time.monotonic() - quiet >= _HEARTBEAT:
            quiet = time.monotonic()
            yield ": still waiting\n\n"
        await asyncio.sleep(_LOOK)
        review = await _read(queue, review.id)
