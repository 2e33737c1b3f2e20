"""The strip that offers to take the last answer back."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from hitl.errors import NotFound
from hitl.models import Intent
from review_ui.phrases import moment
from review_ui.site import Site
from review_ui.verdict_views import verdict_words


@dataclass(frozen=True, slots=True)
class UndoStrip:
    """An answer that is not sent yet."""

    review_id: str
    title: str
    verdict: str
    seconds: int
    until: str


def strip_of(intent: Intent, title: str, *, now: datetime) -> UndoStrip | None:
    """Return the strip for an intent; None when its window is over."""
    left = (intent.commit_at - now).total_seconds()
    if left <= 0:
        return None
    decision = intent.decision
    return UndoStrip(
        review_id=decision.review_id,
        title=title,
        verdict=verdict_words(decision),
        seconds=ceil(left),
        until=moment(intent.commit_at),
    )


def undo_strip(site: Site, review_id: str | None) -> UndoStrip | None:
    """Return the strip for the reviewer's answer on a review, if it can still be undone."""
    if review_id is None:
        return None
    try:
        review, intent = site.queue.get(review_id), site.queue.intent(review_id)
    except NotFound:
        return None
    if intent is None or intent.decision.by != site.reviewer:
        return None
    return strip_of(intent, review.presentation.title, now=site.clock())
