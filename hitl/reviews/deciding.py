"""The decision: one transaction, won by one, told to the others."""

from datetime import datetime

from hitl import spans
from hitl.audit import entry
from hitl.canonical import content_hash
from hitl.errors import AlreadyDecided, DecisionIdReused, ReviewClosed
from hitl.failpoints import reach
from hitl.lifecycle import not_allowed, refusal
from hitl.models import Decision, Intent, JsonObject, MailKind, Place, Review, RunStatus, Verdict
from hitl.ports import Transaction
from hitl.reviews.answers import Said, decision_from, misfit, same_answer
from hitl.reviews.opening import effect_fingerprint
from hitl.reviews.takeover import mark_by_hand
from hitl.reviews.users import barred


def decide(t: Transaction, review_id: str, said: Said, *, now: datetime) -> Decision:
    """Write the decision with its audit event and the run's wake-up, or refuse.

    The same decision id with the same content again returns the decision that was written.

    Raises:
        ReviewRefusal: It cannot win, is not allowed, or does not fit; nothing was written.
    """
    review = t.review(review_id)
    decision = decision_from(review, said, now=now)
    known = repeated(t, review, decision)
    if known is not None:
        return known
    intent = t.intent(review_id)
    refuse(review, decision, now=now, live_intent=intent, fence=said.fence)
    if intent is not None:
        end_intent(t, review, outcome=_outcome(intent, decision), at=now)
    commit(t, review, decision, judged_at=now, at=now)
    return decision


def repeated(t: Transaction, review: Review, decision: Decision) -> Decision | None:
    """Return the decision this one repeats, or None when its id is new.

    Raises:
        NotAllowed: The actor may not decide this review.
        AlreadyDecided: The id names the decision that stands, and it says something else.
        DecisionIdReused: The id names a decision on another review.
    """
    problem = not_allowed(review, decision.by) or barred(t, review, decision.by)
    if problem is not None:
        raise problem
    known = t.decision_by_id(decision.decision_id)
    if known is None or same_answer(known, decision):
        return known
    if known.review_id == review.id:
        raise AlreadyDecided(review.id, known.by, known.verdict)
    raise DecisionIdReused(review.id, decision.decision_id)


def refuse(
    review: Review,
    decision: Decision,
    *,
    now: datetime,
    live_intent: Intent | None,
    fence: str | None,
) -> None:
    """Raise what stands against this decision.

    Raises:
        ReviewRefusal: It cannot win, is not allowed, or does not fit.
    """
    problem = refusal(review, decision, now=now, live_intent=live_intent, fence=fence) or misfit(
        review, decision
    )
    if problem is not None:
        raise problem


def commit(
    t: Transaction, review: Review, decision: Decision, *, judged_at: datetime, at: datetime
) -> None:
    """Write a decision that passed every rule: first wins, bound to the hash.

    Args:
        t: The transaction.
        review: Pending when it was read.
        decision: What was decided.
        judged_at: The instant compared with the review's expiry.
        at: Now.

    Raises:
        ReviewRefusal: Another transaction won meanwhile.
    """
    if not t.decide_review(review, decision, judged_at=judged_at):
        lost = t.review(review.id)
        raise refusal(lost, decision, now=judged_at) or ReviewClosed(review.id, lost.status)
    if decision.verdict is Verdict.DENY and review.name.place is Place.BEFORE:
        t.deny_effect(review.run_id, effect_fingerprint(review.proposal))
    mark_by_hand(t, review, decision)
    reach("decide.after_update_before_audit")
    t.append_audit(review.run_id, decided_entry("review.decided", review, decision, at=at))
    wake(t, review, decision, at=at)
    reach("decide.before_commit")


def record_decision(t: Transaction, review: Review, decision: Decision, *, at: datetime) -> None:
    """Write what the policy decides as it opens a review; its run is running, and needs no waking."""
    if t.decide_review(review, decision, judged_at=at):
        t.append_audit(review.run_id, decided_entry("review.decided", review, decision, at=at))


def wake(t: Transaction, review: Review, decision: Decision, *, at: datetime) -> None:
    """Order the run to go on with this decision; a spot check's run went on long ago."""
    if review.by_request:
        approved = decision.verdict is Verdict.APPROVE
        end_request(t, review, RunStatus.DONE if approved else RunStatus.STOPPED, at=at)
    elif review.blocking:
        t.put_mail(
            review.run_id,
            MailKind.DECISION,
            key=f"decision:{review.id}",
            due_at=at,
            payload={
                "review_id": review.id,
                "decision_id": decision.decision_id,
                **spans.carried(),
            },
        )


def end_request(
    t: Transaction, review: Review, status: RunStatus, *, at: datetime, reason: str = ""
) -> None:
    """End the run that stands for a program's request: no graph goes on with it."""
    run = t.run(review.run_id)
    t.set_run(run.model_copy(update={"status": status, "reason": reason, "updated_at": at}))


def decided_entry(action: str, review: Review, decision: Decision, *, at: datetime) -> JsonObject:
    """Return the audit body of a decision.

    Note and answer may be personal, so they enter as one hash with the rest of the decision.
    """
    return entry(
        action,
        at=at,
        actor=decision.by,
        run_id=review.run_id,
        subject=review.id,
        decision_id=decision.decision_id,
        verdict=decision.verdict,
        remedy=decision.remedy,
        made_by=decision.made_by,
        answered_at=decision.decided_at.isoformat(),
        reasons=list(decision.reasons),
        has_answer=decision.has_answer,
        proposal_hash=decision.proposal_hash,
        surface=decision.surface,
        shown_ms=decision.shown_ms,
        decision_sha256=decision_digest(decision),
    )


def decision_digest(decision: Decision) -> str:
    """Return the SHA-256 over the canonical JSON of the whole decision."""
    return content_hash(decision.model_dump(mode="json"))


def end_intent(t: Transaction, review: Review, *, outcome: str, at: datetime) -> None:
    """End the review's live intent, if there is one, and say so on the trail.

    Args:
        t: The transaction.
        review: The review the intent is on.
        outcome: `"committed"`, `"undone"` or `"void"`.
        at: Now.
    """
    intent = t.intent(review.id)
    if intent is None:
        return
    t.end_intent(review.id, outcome=outcome)
    if outcome != "committed":
        body = entry(
            f"intent.{outcome}",
            at=at,
            actor=intent.decision.by,
            run_id=review.run_id,
            subject=review.id,
            decision_id=intent.decision.decision_id,
        )
        t.append_audit(review.run_id, body)


def _outcome(intent: Intent, decision: Decision) -> str:
    same = intent.decision.decision_id == decision.decision_id
    return "committed" if same else "void"
