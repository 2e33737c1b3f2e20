"""Claims: one review, one person, for as long as the lease lives.

The fence names the tab, not the person: a second tab of the same person takes the claim over, and
the first one's answer is then refused.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from hitl.errors import ClaimLost
from hitl.lifecycle import claim_refusal, is_claimed, is_taken_over
from hitl.models import Review, ReviewStatus
from hitl.ports import Transaction
from hitl.reviews.passing import is_for, is_put_off
from hitl.reviews.users import barred

_PAGE = 50


def claim(
    t: Transaction, review_id: str, *, by: str, fence: str, now: datetime, lease: timedelta
) -> Review:
    """Take or renew the claim on a review.

    Raises:
        ReviewRefusal: Somebody else holds it, it is over, or this person may not decide it.
    """
    review = t.review(review_id)
    problem = claim_refusal(review, by=by, now=now, live_intent=t.intent(review_id)) or barred(
        t, review, by
    )
    if problem is not None:
        raise problem
    return _taken(t, review, by=by, fence=fence, now=now, lease=lease)


def claim_next(
    t: Transaction,
    *,
    by: str,
    fence: str,
    workflow: str | None,
    now: datetime,
    lease: timedelta,
) -> Review | None:
    """Take the first pending review this person may decide and nobody holds, or return None."""
    for listed in _pending(t, workflow=workflow):
        if not _is_free(listed, by=by, fence=fence, now=now):
            continue
        review = t.review(listed.id)  # as it is now that nobody else can change it
        if not _is_free(review, by=by, fence=fence, now=now):
            continue
        if t.intent(review.id) is None and not barred(t, review, by):
            return _taken(t, review, by=by, fence=fence, now=now, lease=lease)
    return None


def _is_free(review: Review, *, by: str, fence: str, now: datetime) -> bool:
    """Return whether this person may take it; nobody takes what somebody works on, not even they."""
    if is_taken_over(review, now=now):
        return False
    if is_claimed(review, now=now) and review.claim_fence != fence:
        return False
    if is_put_off(review, by=by, now=now) or not is_for(review, by):
        return False
    return claim_refusal(review, by=by, now=now, live_intent=None) is None


def release(t: Transaction, review_id: str, *, by: str, fence: str, now: datetime) -> None:
    """Give a claim up. Nothing happens when the lease is over and nobody took it since.

    Raises:
        ClaimLost: Somebody else, or another tab, holds it.
    """
    review = t.review(review_id)
    if is_taken_over(review, now=now) and review.holder == by:
        return  # a tab that closes does not give work back: that is said with `hand_back`
    if (review.holder, review.claim_fence) != (by, fence) or t.intent(review_id) is not None:
        if is_claimed(review, now=now):
            raise ClaimLost(review_id, review.holder)
        return
    free = {"holder": None, "claim_fence": None, "claimed_until": None}
    t.set_review(review.model_copy(update=free))


def _taken(
    t: Transaction, review: Review, *, by: str, fence: str, now: datetime, lease: timedelta
) -> Review:
    """Write the claim. One's own takeover goes on with it, and is never shortened."""
    until, since = now + lease, None
    if is_taken_over(review, now=now) and review.claimed_until is not None:
        until, since = max(until, review.claimed_until), review.taken_over_at
    known = {"holder": by, "claim_fence": fence, "claimed_until": until, "taken_over_at": since}
    taken = review.model_copy(update=known)
    t.set_review(taken)
    return taken


def _pending(t: Transaction, *, workflow: str | None) -> Iterator[Review]:
    after: str | None = None
    while page := t.reviews(
        status=(ReviewStatus.PENDING,), workflow=workflow, limit=_PAGE, after=after
    ):
        yield from page
        after = page[-1].id
