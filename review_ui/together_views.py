"""What the sheet of several reviews shows. Pure: records in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hitl.models import Review
from review_ui.review_views import ReviewPage, review_page
from review_ui.shapes import ALONE
from review_ui.verdict_views import Reason, Rung, Typed, reason_chips, rungs_of


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one review."""

    id: str
    title: str
    said: str
    is_ok: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """Reviews of one shape, and what was marked but is decided alone."""

    items: tuple[ReviewPage, ...]
    left_out: tuple[Told, ...]
    reasons: tuple[Reason, ...]
    rungs: tuple[Rung, ...]
    may_deny: bool
    """Whether a remedy is allowed that needs no answer for each."""
    if_approved: str
    if_denied: str


def sheet_of(
    reviews: Sequence[Review],
    *,
    left_out: Sequence[tuple[Review, str]],
    ids: Mapping[str, str],
    now: datetime,
) -> Sheet:
    """Return the sheet.

    Args:
        reviews: Of one shape.
        left_out: What was marked and does not fit, with why.
        ids: The id of each review's decision.
        now: The instant it is shown.
    """
    pages = tuple(review_page(r, reviewer="", now=now, decision_id=ids[r.id]) for r in reviews)
    first = reviews[0] if reviews else None
    rungs = _rungs(first)
    return Sheet(
        items=pages,
        left_out=tuple(
            Told(r.id, r.presentation.title, f"Left out: {why}.", is_ok=False)
            for r, why in left_out
        ),
        reasons=reason_chips(first.presentation.reasons, Typed()) if first else (),
        rungs=rungs,
        may_deny=bool(rungs) or (first is not None and not first.blocking),
        if_approved=pages[0].bar.if_approved if pages else "",
        if_denied=pages[0].bar.if_denied if pages else "",
    )


def _rungs(review: Review | None) -> tuple[Rung, ...]:
    if review is None or not review.blocking:
        return ()
    fitting = tuple(rung for rung in review.rungs if rung.kind not in ALONE)
    return rungs_of(review.model_copy(update={"rungs": fitting}), Typed())
