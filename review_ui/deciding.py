"""One review: look, hold, decide, undo. A decision answers with the next review, already held."""

import secrets
from dataclasses import dataclass
from typing import TypedDict

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import JsonValue

from hitl.errors import InvalidAnswer, ReviewRefusal
from hitl.ids import new_id
from hitl.models import Intent, Place, RemedyKind, Review, ReviewStatus, Verdict
from hitl.reviews import NO_ANSWER, NoAnswer
from review_ui import taking_over
from review_ui.charts import Curve, sawtooth
from review_ui.choice_views import choice_read, chosen_before
from review_ui.curves import curve_of
from review_ui.doorway import signed_in
from review_ui.forms import Reading, form_of, read
from review_ui.posted import Posted, PostedForm
from review_ui.review_views import hold_of, review_page
from review_ui.site import Site, site_of
from review_ui.templating import is_partial, path_for, render
from review_ui.undo import UndoStrip, strip_of, undo_strip
from review_ui.verdict_views import Typed, typed_from
from review_ui.workspace_views import FORM, in_whose_hands, work_read

router = APIRouter(include_in_schema=False, dependencies=[Depends(signed_in)])

_LONGEST_FENCE = 64
_MOST_SHOWN_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one review is shown this time."""

    fence: str = ""
    """The tab; it names the claim."""
    typed: Typed | None = None
    notice: str = ""
    undo: UndoStrip | None = None
    status: int = 200
    push: bool = False
    """Whether the address bar follows."""


@router.post("/queue/next", name="hitl:next")
def start(request: Request, posted: Posted) -> Response:
    """Hold the most pressing review and go to it."""
    site = site_of(request)
    review = site.queue.claim_next(by=site.reviewer, fence=_fence(posted))
    path = (
        path_for(request, "review", review_id=review.id) if review else path_for(request, "queue")
    )
    return RedirectResponse(path, status_code=303)


@router.get("/reviews/{review_id}", name="hitl:review")
def show(request: Request, review_id: str, undo: str | None = None) -> Response:
    """Show one review. Looking changes nothing."""
    site = site_of(request)
    return _show(request, site.queue.get(review_id), Look(undo=undo_strip(site, undo)))


@router.post("/reviews/{review_id}/claim", name="hitl:claim")
def hold(request: Request, review_id: str, posted: Posted) -> Response:
    """Take or renew the hold; answers with the line that says so."""
    site, fence, problem = site_of(request), _fence(posted), ""
    try:
        review = site.queue.claim(review_id, by=site.reviewer, fence=fence)
    except ReviewRefusal as refusal:
        review, problem = site.queue.get(review_id), str(refusal)
    if not is_partial(request):
        return RedirectResponse(path_for(request, "review", review_id=review_id), status_code=303)
    held = hold_of(review, reviewer=site.reviewer, fence=fence, now=site.clock())
    context = {"hold": held, "problem": problem, "review_id": review_id, "fence": fence}
    return render(request, "_hold.html", context, status=409 if problem else 200)


@router.post("/reviews/{review_id}/release", name="hitl:release")
def let_go(request: Request, review_id: str, posted: Posted) -> Response:
    """Give the hold up, so that others can take the review."""
    site = site_of(request)
    try:
        site.queue.release(review_id, by=site.reviewer, fence=_fence(posted))
    except ReviewRefusal:
        # Somebody took it over meanwhile: there is nothing left to give up.
        return Response(status_code=204)
    return Response(status_code=204)


@router.post("/reviews/{review_id}/decision", name="hitl:decide")
def decide(request: Request, review_id: str, posted: Posted) -> Response:
    """Record a verdict that can be undone for a moment, and go on to the next review."""
    site = site_of(request)
    review = site.queue.get(review_id)
    typed = _typed(posted)
    try:
        if typed.denying and typed.remedy == RemedyKind.TAKEOVER and not _handed_in(posted):
            return taking_over.begin(request, review, typed, fence=_fence(posted))
        intent = _intend(site, review, posted, typed)
    except (ReviewRefusal, _Unreadable) as refusal:
        return _refused(request, review_id, posted, typed, refusal)
    return _go_on(request, review, intent, _fence(posted))


@router.post("/reviews/{review_id}/undo", name="hitl:undo")
def take_back(request: Request, review_id: str, posted: Posted) -> Response:
    """Take an answer back; the review comes back as it was filled in."""
    site = site_of(request)
    intent = site.queue.intent(review_id)
    try:
        review = site.queue.undo(review_id, by=site.reviewer)
    except ReviewRefusal as refusal:
        look = Look(notice=str(refusal), status=refusal.status_code, push=True)
        return _show(request, site.queue.get(review_id), look)
    typed = typed_from(intent.decision) if intent else None
    if typed is not None and intent is not None:
        typed = chosen_before(review, intent.decision, typed)
    if intent is not None and intent.decision.remedy is RemedyKind.TAKEOVER:
        return taking_over.taken_back(request, review, intent.decision)
    look = Look(
        fence=review.claim_fence or _fence(posted),
        typed=typed,
        notice="Taken back. Nothing was sent.",
        push=True,
    )
    return _show(request, review, look)


class _Said(TypedDict):
    by: str
    proposal_hash: str
    decision_id: str | None
    reasons: tuple[str, ...]
    note: str
    remedy: str | None
    answer: JsonValue | NoAnswer
    surface: str
    shown_ms: int | None
    fence: str


class _Unreadable(Exception):
    """Parts of the answer could not be read; `problems` says which."""

    status_code = 422

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("A part of your answer could not be read. Nothing was saved.")


def _intend(site: Site, review: Review, posted: PostedForm, typed: Typed) -> Intent:
    """Answer with what was posted; a page that holds nothing yet takes the hold first."""
    fence, held = _fence(posted), posted.one("held") == "1"
    if not held and review.status is ReviewStatus.PENDING:
        site.queue.claim(review.id, by=site.reviewer, fence=fence)
    window = site.undo_windows[review.risk]
    said: _Said = {
        "by": site.reviewer,
        "proposal_hash": posted.one("proposal_hash"),
        "decision_id": posted.one("decision_id") or None,
        "reasons": typed.reasons,
        "note": typed.note,
        "remedy": typed.remedy if typed.denying and review.blocking and typed.remedy else None,
        "answer": _answer(review, typed),
        "surface": "page",
        "shown_ms": _shown_ms(posted.one("shown_ms")),
        "fence": fence,
    }
    verdict = posted.one("verdict")
    if window:
        return site.queue.intend(review.id, verdict, undo_window=window, **said)
    decision = site.queue.decide(review.id, verdict, **said)
    return Intent(decision=decision, commit_at=decision.decided_at)


def _handed_in(posted: PostedForm) -> bool:
    return posted.one("handed_in") == "1"


def _typed(posted: PostedForm) -> Typed:
    return Typed(
        reasons=posted.many("reasons"),
        note=posted.one("note").replace("\r\n", "\n").strip(),
        remedy=posted.one("remedy"),
        answer=posted.below(FORM if _handed_in(posted) else "answer"),
        denying=posted.one("verdict") == Verdict.DENY,
    )


def _answer(review: Review, typed: Typed) -> JsonValue | NoAnswer:
    work = review.presentation.workspace
    if typed.denying and typed.remedy == RemedyKind.TAKEOVER and work is not None:
        return _readable(work_read(work, typed))
    if review.presentation.choices and not typed.denying:
        return choice_read(review, typed)
    question = review.name.place is Place.QUESTION
    given = any(v.strip() for values in typed.answer.values() for v in values)
    if question and (typed.denying or not given):
        return NO_ANSWER
    if not question and not (typed.denying and typed.remedy == RemedyKind.ANSWER):
        return NO_ANSWER
    return _readable(
        read(form_of(review.presentation.answer_schema or {}, free=question), typed.answer)
    )


def _readable(reading: Reading) -> JsonValue:
    if reading.problems:
        raise _Unreadable(dict(reading.problems))
    return reading.answer


def _refused(
    request: Request,
    review_id: str,
    posted: PostedForm,
    typed: Typed,
    refusal: ReviewRefusal | _Unreadable,
) -> Response:
    """Show the review again, with the sentence and everything that was typed."""
    problems = refusal.problems if isinstance(refusal, _Unreadable) else {}
    if isinstance(refusal, InvalidAnswer) and typed.remedy == RemedyKind.ANSWER:
        problems = {"answer": str(refusal)}
    kept = Typed(
        reasons=typed.reasons,
        note=typed.note,
        remedy=typed.remedy,
        answer=typed.answer,
        problems=problems,
        denying=typed.denying,
    )
    review = site_of(request).queue.get(review_id)
    if _handed_in(posted) and review.status is ReviewStatus.PENDING:
        said, status = str(refusal), refusal.status_code
        return taking_over.workspace(request, review, typed=kept, notice=said, status=status)
    look = Look(fence=_fence(posted), typed=kept, notice=str(refusal), status=refusal.status_code)
    return _show(request, review, look)


def _go_on(request: Request, review: Review, intent: Intent, fence: str) -> Response:
    site = site_of(request)
    following = site.queue.claim_next(by=site.reviewer, fence=fence)
    if not is_partial(request):
        target = (
            path_for(request, "review", review_id=following.id)
            if following
            else path_for(request, "queue")
        )
        return RedirectResponse(f"{target}?undo={review.id}", status_code=303)
    strip = strip_of(intent, review.presentation.title, now=site.clock())
    if following is not None:
        return _show(request, following, Look(fence=fence, undo=strip, push=True))
    context = {"undo": strip, "waiting": _waiting(site), "fence": fence}
    return render(
        request, "_caught_up.html", context, headers={"HX-Push-Url": path_for(request, "queue")}
    )


def _show(request: Request, review: Review, look: Look) -> Response:
    site, now = site_of(request), site_of(request).clock()
    fence = look.fence or secrets.token_urlsafe(12)
    page = review_page(
        review,
        reviewer=site.reviewer,
        now=now,
        decision_id=new_id("dec", now),
        fence=fence,
        intent=site.queue.intent(review.id),
        typed=look.typed,
        notice=look.notice,
    )
    curve = _curve(site, review)
    context = {
        "tab": "queue",
        "page": page,
        "hold": page.hold,
        "taken": in_whose_hands(review, reviewer=site.reviewer, now=now),
        "review_id": review.id,
        "fence": fence,
        "problem": "",
        "undo": look.undo,
        "curve": curve,
        "chart": sawtooth(curve, id="review-curve", title="The run so far", compact=True),
        "waiting": _waiting(site),
    }
    partial = is_partial(request)
    name = "_review.html" if partial else "review.html"
    headers = (
        {"HX-Push-Url": path_for(request, "review", review_id=review.id)}
        if partial and look.push
        else {}
    )
    return render(request, name, context, status=look.status, headers=headers)


def _curve(site: Site, review: Review) -> Curve:
    timeline = site.queue.timeline(review.run_id)
    return curve_of(timeline, floor=review.presentation.reliability_floor, review_id=review.id)


def _waiting(site: Site) -> int:
    return site.queue.counts().get(ReviewStatus.PENDING, 0)


def _fence(posted: PostedForm) -> str:
    return posted.one("fence")[:_LONGEST_FENCE] or secrets.token_urlsafe(12)


def _shown_ms(text: str) -> int | None:
    value = int(text) if text.isdecimal() and len(text) < 12 else None
    return value if value is not None and value <= _MOST_SHOWN_MS else None
