"""The pages that only read: the queue, a peek, the runs, one run, one picture."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hitl.errors import NotFound
from hitl.models import ReviewStatus, RunStatus
from review_ui.charts import sawtooth
from review_ui.doorway import signed_in
from review_ui.queue_query import ORDERS, QueueQuery
from review_ui.queue_views import PAGE, QueuePage, queue_page, run_row
from review_ui.review_views import review_page
from review_ui.run_views import run_page
from review_ui.site import Site, site_of
from review_ui.templating import is_partial, render
from review_ui.undo import undo_strip

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])


@router.get("/queue", name="hitl:queue")
def show_queue(
    request: Request, query: Annotated[QueueQuery, Query()], undo: str | None = None
) -> Response:
    """List what waits, or what is over."""
    site = site_of(request)
    page = _queue_page(site, query)
    context = {
        "tab": "queue",
        "page": page,
        "waiting": page.waiting,
        "runs": 0 if page.groups else _runs_under_way(site),
        "undo": undo_strip(site, undo),
        "polled": False,
        "orders": ORDERS,
    }
    return render(request, "queue.html", context)


@router.get("/queue/rows", name="hitl:queue_rows")
def show_rows(request: Request, query: Annotated[QueueQuery, Query()]) -> Response:
    """The rows and counts alone; polled by the page above."""
    site = site_of(request)
    page = _queue_page(site, query)
    runs = 0 if page.groups else _runs_under_way(site)
    return render(request, "_rows.html", {"page": page, "runs": runs, "polled": True})


@router.get("/reviews/{review_id}/peek", name="hitl:peek")
def peek(request: Request, review_id: str) -> Response:
    """Show what a review is about. Nobody holds it by that, and nothing is decided there."""
    site, now = site_of(request), site_of(request).clock()
    review = site.queue.get(review_id)
    page = review_page(review, reviewer=site.reviewer, now=now, decision_id="")
    name = "_peek.html" if is_partial(request) else "peek.html"
    context = {"tab": "queue", "page": page, "waiting": _waiting(site)}
    return render(request, name, context)


@router.get("/runs", name="hitl:runs")
def show_runs(
    request: Request, status: RunStatus | None = None, before: str | None = None
) -> Response:
    """List the runs, newest first."""
    site = site_of(request)
    found = site.queue.runs(status=(status,) if status else (), limit=PAGE + 1, before=before)
    context = {
        "tab": "runs",
        "rows": [run_row(run, site.clock()) for run in found[:PAGE]],
        "next_before": found[PAGE - 1].id if len(found) > PAGE else None,
        "status": status,
        "statuses": list(RunStatus),
        "waiting": _waiting(site),
    }
    return render(request, "runs.html", context)


@router.get("/runs/{run_id:path}", name="hitl:run")
def show_run(request: Request, run_id: str) -> Response:
    """Show what happened in one run."""
    site = site_of(request)
    page = run_page(site.queue.timeline(run_id), now=site.clock())
    chart = sawtooth(page.curve, id="run-curve", title="Reliability of this run, step by step")
    context = {"tab": "runs", "page": page, "curve": page.curve, "chart": chart}
    return render(request, "run.html", context | {"waiting": _waiting(site)})


@router.get("/reviews/{review_id}/evidence/{number}.png", name="hitl:evidence")
def show_picture(request: Request, review_id: str, number: int) -> Response:
    """Serve one picture of the evidence, as a PNG and nothing else."""
    evidence = site_of(request).queue.get(review_id).presentation.evidence
    picture = evidence[number].image_png if 0 <= number < len(evidence) else None
    if picture is None or not picture.startswith(b"\x89PNG\r\n\x1a\n"):
        raise NotFound("picture", f"{review_id}/{number}")
    return Response(picture, media_type="image/png")


def _queue_page(site: Site, query: QueueQuery) -> QueuePage:
    queue, now = site.queue, site.clock()
    wanted = query.search(reviewer=site.reviewer, now=now)
    return queue_page(
        queue.find(wanted, limit=PAGE + 1, after=query.after or None),
        queue.counts(),
        query=query,
        reviewer=site.reviewer,
        now=now,
    )


def _waiting(site: Site) -> int:
    return site.queue.counts().get(ReviewStatus.PENDING, 0)


def _runs_under_way(site: Site) -> int:
    return len(site.queue.runs(status=(RunStatus.RUNNING, RunStatus.WAITING), limit=100))
