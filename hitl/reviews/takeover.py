"""A person who does the work themselves: takes it over, hands it in with the decision, or hands it back.

Taking over is a claim that lives long: the review still waits, and its run with it, but nobody else
may decide it meanwhile. What is handed in is an ordinary decision, so whoever is quick needs only that.
"""

from datetime import datetime, timedelta

from hitl.audit import entry
from hitl.errors import ClaimLost, InvalidAnswer
from hitl.lifecycle import claim_refusal, is_taken_over
from hitl.models import Decision, JsonObject, RemedyKind, Review
from hitl.ports import Transaction
from hitl.reviews.users import barred

TAKEN_FOR = timedelta(hours=8)
"""How long work stays with who took it over without a sign of life; then others may take it."""


def take_over(
    t: Transaction, review_id: str, *, by: str, fence: str, now: datetime, lease: timedelta
) -> Review:
    """Put a review into a person's hands; again by the same person: renew it.

    Raises:
        ReviewRefusal: Somebody else holds it, it is over, this person may not decide it, or the
            policy lets nobody take it over.
    """
    review = t.review(review_id)
    problem = claim_refusal(review, by=by, now=now, live_intent=t.intent(review_id)) or barred(
        t, review, by
    )
    if problem is not None:
        raise problem
    if review.takeover is None:
        raise InvalidAnswer(
            review_id, "The policy lets nobody take over here; choose another remedy."
        )
    is_new = not is_taken_over(review, now=now)
    taken = review.model_copy(
        update={
            "holder": by,
            "claim_fence": fence,
            "claimed_until": now + lease,
            "taken_over_at": now if is_new else review.taken_over_at,
        }
    )
    t.set_review(taken)
    if is_new:
        t.append_audit(review.run_id, _entry("review.taken_over", review, by, now))
    return taken


def hand_back(t: Transaction, review_id: str, *, by: str, now: datetime) -> Review:
    """Give the work back undone: the review waits for anybody again. Twice is fine.

    Raises:
        ClaimLost: Somebody else took it over.
    """
    review = t.review(review_id)
    if not is_taken_over(review, now=now):
        return review
    if review.holder != by:
        raise ClaimLost(review_id, review.holder)
    free = {"holder": None, "claim_fence": None, "claimed_until": None, "taken_over_at": None}
    back = review.model_copy(update=free)
    t.set_review(back)
    t.append_audit(review.run_id, _entry("review.handed_back", review, by, now))
    return back


def mark_by_hand(t: Transaction, review: Review, decision: Decision) -> None:
    """Write into the gate log that a person does the work, if this decision says so.

    Taking over says nothing of whether the step was wrong; a reason does.
    """
    stored = t.proposal_of(review.id) if decision.remedy is RemedyKind.TAKEOVER else None
    if stored is None:
        return
    known = {"done_by": "person", "is_label": bool(decision.reasons)}
    t.put_gate(t.gate(stored.gate_id).model_copy(update=known))


def _entry(action: str, review: Review, by: str, now: datetime) -> JsonObject:
    return entry(
        action,
        at=now,
        actor=by,
        run_id=review.run_id,
        subject=review.id,
        step=review.name.step,
    )
