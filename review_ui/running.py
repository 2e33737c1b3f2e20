"""Runs over HTTP: start one, list them, tell one whole, stop it, let it go on."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import JsonValue

from hitl.client import ResumeBody, RunBody, RunDetail, RunPage, StopBody
from hitl.errors import UnknownWorkflow
from hitl.models import RunRecord, RunStatus
from hitl.reviews import ReviewQueue
from review_ui.acting import actor
from review_ui.admission import only_own
from review_ui.asking import IdempotencyKey, own_key
from review_ui.sentences import answer, body_of
from review_ui.site import reviewer_of
from review_ui.strict import parse, read_body

Limit = Annotated[int, Query(ge=1, le=1000)]
Body = Annotated[bytes, Depends(read_body)]
_MOST = 1000
"""Reviews of a run that are told with it."""


class Startable(Protocol):
    """A workflow whose runs this process advances."""

    name: str

    def start(
        self, inputs: JsonValue, *, key: str | None, by: str | None
    ) -> tuple[RunRecord, bool]:
        """Order a run; return it, and whether it is new."""
        ...

    def value(self, run: RunRecord) -> JsonValue:
        """Return what a run returned; None until it is done."""
        ...


def add_runs(v1: APIRouter, queue: ReviewQueue, owner: str, workflows: Sequence[Startable]) -> None:
    """Add the routes of runs.

    Args:
        v1: Lets nobody in without a key.
        queue: The queue that answers.
        owner: Who holds the token.
        workflows: What can be started here; none where a store is served alone.
    """
    known = {workflow.name: workflow for workflow in workflows}
    _add_telling(v1, queue, known)
    _add_stopping(v1, queue, owner)

    @v1.post(
        "/runs",
        response_model=RunDetail,
        status_code=201,
        responses={200: {"model": RunDetail}},
        openapi_extra=body_of(RunBody),
    )
    def start_run(request: Request, body: Body, idempotency_key: IdempotencyKey = None) -> Response:
        """Start a run: 201, or 200 when it was started before under this key; 404 no such workflow."""
        said = parse(RunBody, body)
        if said.workflow not in known:
            raise UnknownWorkflow(said.workflow, known)
        by = said.by if reviewer_of(request) is None else actor(request, said.by, owner)
        key = own_key(request, idempotency_key)
        run, is_new = known[said.workflow].start(said.inputs, key=key, by=by)
        return answer(_told(queue, run, known), status=201 if is_new else 200)


def _add_telling(v1: APIRouter, queue: ReviewQueue, known: dict[str, Startable]) -> None:
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
        return answer(RunPage(runs=tuple(found), next=following))

    @v1.get("/runs/{run_id:path}", response_model=RunDetail)
    def read_run(request: Request, run_id: str) -> Response:
        """Return one run: where it stands, how sure it is, its reviews, and its value once it is done."""
        run = queue.run(run_id)
        only_own(request, "run", run_id, run.initiator)
        return answer(_told(queue, run, known))


def _add_stopping(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    @v1.post("/runs/{run_id:path}/stop", response_model=RunRecord, openapi_extra=body_of(StopBody))
    def stop(request: Request, run_id: str, body: Body) -> Response:
        """Stop a run: at once, or before its next step; 409 when it has ended."""
        said = parse(StopBody, body)
        by = actor(request, said.by, owner)
        return answer(queue.stop(run_id, by=by, reason=said.reason))

    @v1.post(
        "/runs/{run_id:path}/resume", response_model=RunRecord, openapi_extra=body_of(ResumeBody)
    )
    def resume(request: Request, run_id: str, body: Body) -> Response:
        """Let a stopped run go on; 409 when the stop button did not stop it."""
        said = parse(ResumeBody, body)
        return answer(queue.resume(run_id, by=actor(request, said.by, owner)))


def _told(queue: ReviewQueue, run: RunRecord, known: dict[str, Startable]) -> RunDetail:
    reviews = queue.reviews(run_id=run.id, limit=_MOST)
    of = known.get(run.workflow)
    value = None if of is None else of.value(run)
    return RunDetail(**dict(run), reviews=tuple(reviews), value=value)
