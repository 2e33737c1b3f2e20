"""Not me, or not now: skip a review, put it off, hand it to a colleague; then go on to the next."""

from datetime import timedelta

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from review_ui.doorway import signed_in
from review_ui.posted import Posted, PostedForm
from review_ui.site import site_of
from review_ui.templating import path_for

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

_HOURS = {"1": 1, "4": 4, "12": 12, "24": 24, "72": 72}


@router.post("/reviews/{review_id}/putoff", name="hitl:put_off")
def put_off(request: Request, review_id: str, posted: Posted) -> Response:
    """Leave it out of one's next reviews for some hours. Others still get it."""
    hours = _HOURS.get(posted.one("hours"))
    if hours is None:
        raise HTTPException(422, f"Choose one of {', '.join(_HOURS)} hours. Nothing was saved.")
    site = site_of(request)
    site.queue.put_off(review_id, by=site.reviewer, until=site.clock() + timedelta(hours=hours))
    return _next(request, posted)


@router.post("/reviews/{review_id}/handover", name="hitl:hand_over")
def hand_over(request: Request, review_id: str, posted: Posted) -> Response:
    """Give it to a colleague."""
    site = site_of(request)
    site.queue.hand_over(review_id, by=site.reviewer, to=posted.one("to"))
    return _next(request, posted)


def _next(request: Request, posted: PostedForm) -> Response:
    site = site_of(request)
    fence = posted.one("fence")[:64] or f"{site.reviewer} goes on"
    following = site.queue.claim_next(by=site.reviewer, fence=fence)
    path = path_for(request, "queue")
    if following is not None:
        path = path_for(request, "review", review_id=following.id)
    return RedirectResponse(path, status_code=303)
