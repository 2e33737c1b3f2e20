"""The workspace of a takeover: take the work, hand it in with the decision, or hand it back."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from hitl.errors import InvalidAnswer
from hitl.ids import new_id
from hitl.models import Decision, Review, ReviewStatus
from review_ui.doorway import signed_in
from review_ui.posted import Posted
from review_ui.site import site_of
from review_ui.templating import is_partial, path_for, render
from review_ui.verdict_views import Typed
from review_ui.workspace_views import work_of, workspace_page

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])


@router.get("/reviews/{review_id}/takeover", name="hitl:workspace")
def show(request: Request, review_id: str) -> Response:
    """Show the workspace. Looking takes nothing over."""
    return workspace(request, site_of(request).queue.get(review_id))


@router.post("/reviews/{review_id}/takeover", name="hitl:take_over")
def take(request: Request, review_id: str, posted: Posted) -> Response:
    """Take the work over, and go to the workspace."""
    site = site_of(request)
    site.queue.take_over(review_id, by=site.reviewer, fence=posted.one("fence")[:64] or None)
    return RedirectResponse(path_for(request, "workspace", review_id=review_id), status_code=303)


@router.post("/reviews/{review_id}/handback", name="hitl:hand_back")
def give_back(request: Request, review_id: str) -> Response:
    """Hand the work back undone, and go to the review."""
    site = site_of(request)
    site.queue.hand_back(review_id, by=site.reviewer)
    return RedirectResponse(path_for(request, "review", review_id=review_id), status_code=303)


def begin(request: Request, review: Review, typed: Typed, *, fence: str) -> Response:
    """Take over with a no that hands nothing in yet; what was ticked and noted comes along.

    Raises:
        ReviewRefusal: Somebody else has it, or it is over.
    """
    site = site_of(request)
    taken = site.queue.take_over(review.id, by=site.reviewer, fence=fence)
    kept = Typed(reasons=typed.reasons, note=typed.note)
    return workspace(request, taken, typed=kept, push=True)


def taken_back(request: Request, review: Review, decision: Decision) -> Response:
    """Show the workspace after an undo, as it was filled in."""
    work = review.presentation.workspace
    typed = work_of(decision, work) if work is not None else None
    notice = "Taken back. Nothing was sent."
    return workspace(request, review, typed=typed, notice=notice, push=True)


def workspace(
    request: Request,
    review: Review,
    *,
    typed: Typed | None = None,
    notice: str = "",
    status: int = 200,
    push: bool = False,
) -> Response:
    """Return the workspace; the review's own page when there is nothing to work on.

    Args:
        request: The request.
        review: As it stands.
        typed: What was entered before.
        notice: A sentence to show on top.
        status: Of the answer.
        push: Whether the address bar follows.

    Raises:
        InvalidAnswer: The policy lets nobody take over here.
    """
    site, work = site_of(request), review.presentation.workspace
    if work is None:
        raise InvalidAnswer(review.id, "The policy lets nobody take over here.")
    if review.status is not ReviewStatus.PENDING or site.queue.intent(review.id) is not None:
        return RedirectResponse(path_for(request, "review", review_id=review.id), status_code=303)
    now = site.clock()
    page = workspace_page(
        review,
        work,
        reviewer=site.reviewer,
        now=now,
        decision_id=new_id("dec", now),
        typed=typed,
        notice=notice,
    )
    partial = is_partial(request)
    address = path_for(request, "workspace", review_id=review.id)
    context = {
        "tab": "queue",
        "page": page,
        "waiting": site.queue.counts().get(ReviewStatus.PENDING, 0),
    }
    return render(
        request,
        "_workspace.html" if partial else "workspace.html",
        context,
        status=status,
        headers={"HX-Push-Url": address} if partial and push else {},
    )
