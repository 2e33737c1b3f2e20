"""How a review comes to be: the hash that binds it, and the rows written with it.

Everything here runs inside the caller's transaction, next to the writes of the graph.
"""

from datetime import datetime

from hitl.audit import entry
from hitl.canonical import content_hash
from hitl.errors import NotFound, ProposalRefused
from hitl.models import GateRow, JsonObject, MailKind, Proposal, Review, StoredProposal
from hitl.ports import Transaction


def proposal_hash(proposal: Proposal) -> str:
    """Return the SHA-256 that a decision names: what acts, with what, where, under which policy.

    Over the canonical JSON (RFC 8785) of action, arguments, target, policy_hash, review_id and
    blob_sha256.

    Raises:
        ValueError: The arguments have no canonical form.
    """
    return content_hash(
        {
            "action": proposal.action,
            "arguments": proposal.arguments,
            "target": proposal.target,
            "policy_hash": proposal.policy_hash,
            "review_id": proposal.review_id,
            "blob_sha256": proposal.blob_sha256,
        }
    )


def effect_fingerprint(proposal: Proposal) -> str:
    """Return the SHA-256 by which a denied effect is known again in its run.

    Over action, arguments and target: the same act, whatever review or attempt it comes from.
    """
    return content_hash(
        {
            "action": proposal.action,
            "arguments": proposal.arguments,
            "target": proposal.target,
        }
    )


def open_review(
    t: Transaction,
    review: Review,
    proposal: StoredProposal,
    gate: GateRow,
    *,
    now: datetime,
) -> Review:
    """Write a review with its proposal, gate row, audit event and timer; return the stored review.

    The first writer of a proposal key wins: a step that is executed again gets the review that was
    opened the first time, and nothing is written. A spot check gets no expiry.

    Raises:
        ProposalRefused: The review and the proposal carry different hashes.
    """
    if review.proposal_hash != proposal.proposal_hash:
        raise ProposalRefused(review.name.step, "what is shown and what is stored differ in hash.")
    stored = t.add_proposal(proposal)
    known = _find(t, stored.review_id)
    if known is not None:
        return known
    opened = review if review.blocking else review.model_copy(update={"expires_at": None})
    t.add_review(opened)
    t.put_gate(gate.model_copy(update={"review_id": review.id}))
    t.append_audit(review.run_id, _opened(opened, now=now))
    arm_expiry(t, opened)
    return opened


def arm_expiry(t: Transaction, review: Review, *, again_at: datetime | None = None) -> None:
    """Order the review's expiry: at `expires_at`, or once more at `again_at`."""
    if not review.blocking or review.expires_at is None:
        return
    suffix = f":{again_at.isoformat()}" if again_at else ""
    t.put_mail(
        review.run_id,
        MailKind.EXPIRY,
        key=f"expiry:{review.id}{suffix}",
        due_at=again_at or review.expires_at,
        payload={"review_id": review.id},
    )


def _find(t: Transaction, review_id: str) -> Review | None:
    try:
        return t.review(review_id)
    except NotFound:
        return None


def _opened(review: Review, *, now: datetime) -> JsonObject:
    return entry(
        "review.opened",
        at=now,
        actor="engine",
        run_id=review.run_id,
        subject=review.id,
        step=review.name.step,
        place=review.name.place,
        attempt=review.attempt,
        blocking=review.blocking,
        proposal_hash=review.proposal_hash,
        policy_hash=review.proposal.policy_hash,
    )
