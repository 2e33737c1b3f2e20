"""How a review ends without a person's verdict: expired, cancelled, superseded."""

from datetime import datetime

from hitl.audit import entry
from hitl.errors import NotAllowed, NotFound
from hitl.failpoints import reach
from hitl.ids import new_id
from hitl.lifecycle import AGENT_PREFIX, POLICY_ACTOR, closed, expired, moved
from hitl.models import (
    DecidedBy,
    Decision,
    Mail,
    MailKind,
    Outcome,
    Review,
    ReviewStatus,
    RunStatus,
    Verdict,
)
from hitl.ports import Transaction
from hitl.reviews.deciding import decided_entry, end_intent, end_request, wake
from hitl.reviews.intents import commit_due
from hitl.reviews.opening import arm_expiry

_PAGE = 200


def fire(t: Transaction, timer: Mail, *, now: datetime) -> bool:
    """Carry out a due timer and mark it done; True when it changed something.

    What it orders is judged by the rows as they stand, so that a timer seen twice acts once.
    """
    t.finish_mail([timer.id])
    try:
        review = t.review(str(timer.payload["review_id"]))
    except NotFound:
        return False
    act = commit_due if timer.kind is MailKind.COMMIT else _expire
    changed = act(t, review, now=now)
    reach("timer.fired_before_mark")
    return changed


def cancel(t: Transaction, review_id: str, *, by: str, reason: str, now: datetime) -> Review:
    """Close a pending review unanswered; wake its run, which then says what it waits for.

    Who started the run may cancel; an agent may not, because it would choose what is looked at.

    Raises:
        ReviewRefusal: It is not pending, its time is over, or an agent asks.
    """
    review = t.review(review_id)
    problem = _may_not_cancel(review, by) or closed(review) or expired(review, now=now)
    if problem is not None:
        raise problem
    _close(t, review, ReviewStatus.CANCELLED, actor=by, reason=reason, now=now)
    if review.by_request:
        end_request(t, review, RunStatus.STOPPED, at=now, reason=f"{by} cancelled the request")
    elif review.blocking:
        t.put_mail(review.run_id, MailKind.WAKE, key=f"cancelled:{review.id}", due_at=now)
    return t.review(review_id)


def supersede(t: Transaction, run_id: str, *, reason: str, now: datetime) -> list[str]:
    """Close every pending blocking review of a run, and return their ids.

    Args:
        t: The caller's transaction.
        run_id: The run.
        reason: Why what they ask no longer stands, e.g. `"the state was changed"`.
        now: The time now.
    """
    gone: list[str] = []
    while page := t.reviews(
        status=(ReviewStatus.PENDING,), run_id=run_id, blocking=True, limit=_PAGE
    ):
        for review in page:
            _close(t, review, ReviewStatus.SUPERSEDED, actor="engine", reason=reason, now=now)
            gone.append(review.id)
    return gone


def withdraw(t: Transaction, review_id: str, *, reason: str, now: datetime) -> None:
    """Close one question that its step does not ask any more; an answer nobody used is marked so.

    Args:
        t: The caller's transaction.
        review_id: The review.
        reason: Why it no longer stands.
        now: The time now.
    """
    review = t.review(review_id)
    if review.status is ReviewStatus.PENDING:
        _close(t, review, ReviewStatus.SUPERSEDED, actor="engine", reason=reason, now=now)
    elif review.status is ReviewStatus.APPROVED:
        t.set_review(review.model_copy(update={"closed_reason": reason}))
        body = entry(
            "answer.unused",
            at=now,
            actor="engine",
            run_id=review.run_id,
            subject=review.id,
            reason=reason,
        )
        t.append_audit(review.run_id, body)


def add_outcome(t: Transaction, outcome: Outcome, *, by: str) -> Outcome:
    """Write a delayed label of a run, and who gave it on the trail.

    Raises:
        NotFound: There is no such run.
    """
    run = t.run(outcome.run_id)
    t.add_outcome(outcome)
    body = entry(
        "run.outcome",
        at=outcome.known_at,
        actor=by,
        run_id=run.id,
        subject=outcome.id,
        step=outcome.step,
        good=outcome.good,
    )
    t.append_audit(run.id, body)
    reach("feedback.before_commit")
    return outcome


def _close(
    t: Transaction,
    review: Review,
    status: ReviewStatus,
    *,
    actor: str,
    reason: str,
    now: datetime,
) -> None:
    end_intent(t, review, outcome="void", at=now)
    t.set_review(moved(review, status, reason=reason))
    body = entry(
        f"review.{status}",
        at=now,
        actor=actor,
        run_id=review.run_id,
        subject=review.id,
        reason=reason,
    )
    t.append_audit(review.run_id, body)


def _expire(t: Transaction, review: Review, *, now: datetime) -> bool:
    if review.status is not ReviewStatus.PENDING or expired(review, now=now) is None:
        return False
    intent = t.intent(review.id)
    if intent is not None:
        # Answered in time: it is sent, or, if it is undone, the review expires after the window.
        if commit_due(t, review, now=now):
            return True
        arm_expiry(t, review, again_at=intent.commit_at)
        return False
    return _decide_by_policy(t, review, now=now)


def _decide_by_policy(t: Transaction, review: Review, *, now: datetime) -> bool:
    decision = Decision(
        decision_id=new_id("dec", now),
        review_id=review.id,
        verdict=Verdict.DENY,
        by=POLICY_ACTOR,
        made_by=DecidedBy.POLICY,
        decided_at=now,
        reasons=("expired",),
        remedy=review.on_expiry,
        proposal_hash=review.proposal_hash,
        surface=POLICY_ACTOR,
    )
    if not t.decide_review(review, decision, judged_at=now, expires=False):
        return False
    t.set_review(moved(review, ReviewStatus.EXPIRED, reason="its time ran out"))
    t.append_audit(review.run_id, decided_entry("review.expired", review, decision, at=now))
    wake(t, review, decision, at=now)
    return True


def _may_not_cancel(review: Review, by: str) -> NotAllowed | None:
    if not by.strip() or by == POLICY_ACTOR:
        return NotAllowed(review.id, by, "closing it needs the name of a person.")
    if by.startswith(AGENT_PREFIX):
        return NotAllowed(review.id, by, "agents propose; only people close reviews.")
    return None
