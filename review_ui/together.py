"""Several reviews of one shape, decided together: each is listed, looked at, and decided by itself.

Every safeguard holds on the server: at most 25, low risk only, one shape, each with the hash that was
shown and its own decision, which can be taken back as usual. What does not fit is left alone and told.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response

from hitl.errors import HitlError, ReviewRefusal
from hitl.ids import new_id
from hitl.models import Review, ReviewStatus, Verdict
from review_ui.doorway import signed_in
from review_ui.posted import Posted, PostedForm
from review_ui.shapes import ALONE, MOST, shape_of, why_alone
from review_ui.site import Site, site_of
from review_ui.templating import render
from review_ui.together_views import Told, sheet_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

SURFACE = "bulk"
"""What stands in a decision that was made together with others."""


@router.get("/queue/together", name="hitl:together")
def show(request: Request, review: Annotated[list[str], Query()]) -> Response:
    """List what was marked, each with all there is to see. Nothing is held yet."""
    site, now = site_of(request), site_of(request).clock()
    reviews = _reviews(site, review)
    shape = next((s for s in map(shape_of, reviews) if s), "")
    sheet = sheet_of(
        [r for r in reviews if shape and shape_of(r) == shape],
        left_out=[
            (r, _why_left_out(r, shape)) for r in reviews if shape_of(r) != shape or not shape
        ],
        ids={r.id: new_id("dec", now) for r in reviews},
        now=now,
    )
    return render(
        request, "together.html", {"tab": "queue", "sheet": sheet, "waiting": _waiting(site)}
    )


@router.post("/queue/together", name="hitl:decide_together")
def decide(request: Request, posted: Posted) -> Response:
    """Decide each by itself; say of each what became of it."""
    site = site_of(request)
    verdict = posted.one("verdict")
    if verdict not in set(Verdict):
        raise HTTPException(422, "Say whether to approve or to deny. Nothing was saved.")
    reviews = _reviews(site, posted.many("review"))
    shape = shape_of(reviews[0])
    told = [_decide_one(site, each, posted, verdict, shape) for each in reviews]
    return _results(request, told, verdict)


@router.post("/queue/together/undo", name="hitl:undo_together")
def take_back(request: Request, posted: Posted) -> Response:
    """Take back each that is not sent yet."""
    site = site_of(request)
    told = [_undo_one(site, each) for each in _reviews(site, posted.many("review"))]
    return _results(request, told, "undo")


def _decide_one(site: Site, review: Review, posted: PostedForm, verdict: str, shape: str) -> Told:
    why = _why_not(review, posted, shape)
    if review.handed_to not in (None, site.reviewer):
        why = f"it was handed to {review.handed_to}"
    if why:
        return Told(review.id, review.presentation.title, f"Left alone: {why}.", is_ok=False)
    try:
        _answer(site, review, posted, verdict)
    except ReviewRefusal as refusal:
        return Told(review.id, review.presentation.title, str(refusal), is_ok=False)
    said = "Approved" if verdict == Verdict.APPROVE else "Denied"
    return Told(review.id, review.presentation.title, said, is_ok=True)


def _why_not(review: Review, posted: PostedForm, shape: str) -> str:
    """Return why this one is not decided with the others, or an empty text."""
    if not shape or shape_of(review) != shape:
        return _why_left_out(review, shape)
    return "" if review.id in posted.many("looked") else "nobody ticked that it was looked at"


def _why_left_out(review: Review, shape: str) -> str:
    return why_alone(review) or ("it is of another shape" if shape else "nothing fits together")


def _answer(site: Site, review: Review, posted: PostedForm, verdict: str) -> None:
    """Hold it, and answer as on its own page; nothing stays held when it is refused."""
    fence, denying = f"{SURFACE}-{posted.one('fence')[:48]}", verdict == Verdict.DENY
    site.queue.claim(review.id, by=site.reviewer, fence=fence)
    try:
        site.queue.intend(
            review.id,
            verdict,
            by=site.reviewer,
            proposal_hash=posted.one(f"hash.{review.id}"),
            undo_window=window_of(site),
            decision_id=posted.one(f"decision.{review.id}") or None,
            reasons=posted.many("reasons") if denying else (),
            note=posted.one("note").strip() if denying else "",
            remedy=_remedy(review, posted) if denying else None,
            surface=SURFACE,
            shown_ms=_shown_ms(posted),
            fence=fence,
        )
    except ReviewRefusal:
        site.queue.release(review.id, by=site.reviewer, fence=fence)
        raise


def window_of(site: Site) -> timedelta:
    """Return how long what was decided together can be taken back: as for high risk."""
    return site.undo_windows["high"]


def _remedy(review: Review, posted: PostedForm) -> str | None:
    """Return the remedy that was picked, else the first that needs no answer of its own."""
    if not review.blocking:
        return None
    fitting = [rung.kind.value for rung in review.rungs if rung.kind not in ALONE]
    said = posted.one("remedy")
    return said if said in fitting else next(iter(fitting), said or None)


def _undo_one(site: Site, review: Review) -> Told:
    title = review.presentation.title
    try:
        back = site.queue.undo(review.id, by=site.reviewer)
        if back.claim_fence:
            site.queue.release(review.id, by=site.reviewer, fence=back.claim_fence)
    except HitlError as problem:
        return Told(review.id, title, str(problem), is_ok=False)
    return Told(review.id, title, "Taken back; nothing was sent", is_ok=True)


def _results(request: Request, told: Sequence[Told], verdict: str) -> Response:
    site, done = site_of(request), [each for each in told if each.is_ok]
    seconds = int(window_of(site).total_seconds()) if verdict != "undo" else 0
    context = {
        "tab": "queue",
        "told": told,
        "done": len(done),
        "verdict": verdict,
        "seconds": seconds if done else 0,
        "waiting": _waiting(site),
    }
    return render(request, "together_done.html", context)


def _reviews(site: Site, ids: Sequence[str]) -> list[Review]:
    """Return the reviews that were named, once each.

    Raises:
        HTTPException: 422, none or too many.
    """
    wanted = list(dict.fromkeys(ids))
    if not 1 <= len(wanted) <= MOST:
        said = f"{len(wanted)} reviews were marked; between 1 and {MOST} are decided together."
        raise HTTPException(422, f"{said} Nothing was saved.")
    return [site.queue.get(each) for each in wanted]


def _shown_ms(posted: PostedForm) -> int | None:
    text = posted.one("shown_ms")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _waiting(site: Site) -> int:
    return site.queue.counts().get(ReviewStatus.PENDING, 0)
