"""Decisions that can still be undone: they hold the claim until they are sent."""

from datetime import datetime, timedelta

from hitl.audit import entry
from hitl.errors import AlreadyDecided, ReviewRefusal, TooLateToUndo
from hitl.lifecycle import held
from hitl.models import Decision, Intent, MailKind, Review, ReviewStatus
from hitl.ports import Transaction
from hitl.reviews.answers import Said, decision_from, same_answer
from hitl.reviews.deciding import commit, end_intent, refuse, repeated
from hitl.reviews.takeover import TAKEN_FOR

HELD_AFTER_UNDO = timedelta(minutes=5)
"""How long an undone review stays with its reviewer."""


def intend(
    t: Transaction, review_id: str, said: Said, *, now: datetime, undo_window: timedelta
) -> Intent:
    """Write an intent that `commit_due` turns into the decision after `undo_window`.

    The same decision id with the same content again returns the intent that stands, or, once sent,
    the decision as an intent that is over. Another answer of the same person replaces theirs.

    Raises:
        ReviewRefusal: The decision would be refused; nothing was written.
    """
    review = t.review(review_id)
    decision = decision_from(review, said, now=now)
    known = repeated(t, review, decision)
    if known is not None:
        return Intent(decision=known, commit_at=known.decided_at)
    live = t.intent(review_id)
    if live is not None and live.decision.decision_id == decision.decision_id:
        return _same_intent(review, live, decision)
    refuse(review, decision, now=now, live_intent=live, fence=said.fence)
    end_intent(t, review, outcome="void", at=now)
    intent = Intent(decision=decision, commit_at=now + undo_window)
    _put(t, review, intent, fence=said.fence)
    return intent


def undo(t: Transaction, review_id: str, *, by: str, now: datetime) -> Review:
    """Take an intent back before it is sent; the review stays held by the same person.

    Undoing twice is fine.

    Raises:
        TooLateToUndo: The window is over.
        ClaimLost: The intent is somebody else's.
    """
    review = t.review(review_id)
    intent = t.intent(review_id)
    if intent is None:
        if review.status is not ReviewStatus.PENDING:
            raise TooLateToUndo(review_id)
        return review
    problem: ReviewRefusal | None = held(review, by=by, live_intent=intent)
    if problem is not None:
        raise problem
    if now >= intent.commit_at:
        raise TooLateToUndo(review_id)
    end_intent(t, review, outcome="undone", at=now)
    lease = HELD_AFTER_UNDO if review.taken_over_at is None else TAKEN_FOR
    back = review.model_copy(update={"claimed_until": now + lease})
    t.set_review(back)
    return back


def commit_due(t: Transaction, review: Review, *, now: datetime) -> bool:
    """Send the review's intent if its window is over; True when this call sent it.

    It is judged at the instant it was answered: an expiry since then does not void it.
    """
    intent = t.intent(review.id)
    if intent is None or now < intent.commit_at:
        return False
    if review.status is not ReviewStatus.PENDING:
        end_intent(t, review, outcome="void", at=now)
        return False
    end_intent(t, review, outcome="committed", at=now)
    commit(t, review, intent.decision, judged_at=intent.decision.decided_at, at=now)
    return True


def _same_intent(review: Review, live: Intent, decision: Decision) -> Intent:
    if same_answer(live.decision, decision):
        return live
    raise AlreadyDecided(review.id, live.decision.by, live.decision.verdict)


def _put(t: Transaction, review: Review, intent: Intent, *, fence: str | None) -> None:
    decision = intent.decision
    t.put_intent(intent)
    t.set_review(
        review.model_copy(
            update={
                "holder": decision.by,
                "claim_fence": fence or review.claim_fence,
                "claimed_until": intent.commit_at,
            }
        )
    )
    t.put_mail(
        review.run_id,
        MailKind.COMMIT,
        key=f"commit:{decision.decision_id}:{intent.commit_at.isoformat()}",
        due_at=intent.commit_at,
        payload={"review_id": review.id, "decision_id": decision.decision_id},
    )
    body = entry(
        "intent.put",
        at=decision.decided_at,
        actor=decision.by,
        run_id=review.run_id,
        subject=review.id,
        decision_id=decision.decision_id,
        commit_at=intent.commit_at.isoformat(),
    )
    t.append_audit(review.run_id, body)
