"""The legal moves of a review, and every reason to refuse a decision.

Pure: `now` is passed in. The store's conditional UPDATE decides who wins; these rules say why the
others did not, and refuse early what can never win.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

from hitl.errors import (
    AlreadyDecided,
    ClaimLost,
    NotAllowed,
    ProposalChanged,
    ReviewClosed,
    ReviewExpired,
    ReviewRefusal,
)
from hitl.models import DecidedBy, Decision, Intent, Review, ReviewStatus

POLICY_ACTOR = "policy"
"""Who made a decision that no person made."""

AGENT_PREFIX = "agent:"
"""Names of agents' keys start so; agents never decide."""


class NoAnswer(Enum):
    """The type of `NO_ANSWER`: an answer may be any JSON value, null included."""

    NO_ANSWER = "no answer"


NO_ANSWER: Final = NoAnswer.NO_ANSWER
"""No answer was given."""

_DECIDED = frozenset({ReviewStatus.APPROVED, ReviewStatus.DENIED, ReviewStatus.EXPIRED})

MOVES: Mapping[ReviewStatus, frozenset[ReviewStatus]] = MappingProxyType(
    {
        ReviewStatus.PENDING: _DECIDED | {ReviewStatus.CANCELLED, ReviewStatus.SUPERSEDED},
        ReviewStatus.APPROVED: frozenset({ReviewStatus.EXECUTED}),
        ReviewStatus.DENIED: frozenset({ReviewStatus.EXECUTED}),
        ReviewStatus.EXPIRED: frozenset({ReviewStatus.EXECUTED}),
        ReviewStatus.EXECUTED: frozenset(),
        ReviewStatus.CANCELLED: frozenset(),
        ReviewStatus.SUPERSEDED: frozenset(),
    }
)
"""From each status, where a review may go."""


def moved(review: Review, status: ReviewStatus, *, reason: str = "") -> Review:
    """Return `review` in `status`, its claim let go.

    Args:
        review: As it stands.
        status: Where it goes.
        reason: Why it was closed; empty keeps what is there.

    Raises:
        ReviewRefusal: The move is not legal; says how the review ended.
    """
    if status not in MOVES[review.status]:
        raise closed(review) or ReviewClosed(review.id, review.status)
    return review.model_copy(
        update={
            "status": status,
            "closed_reason": reason or review.closed_reason,
            "holder": None,
            "claim_fence": None,
            "claimed_until": None,
        }
    )


def refusal(
    review: Review,
    decision: Decision,
    *,
    now: datetime,
    live_intent: Intent | None = None,
    fence: str | None = None,
) -> ReviewRefusal | None:
    """Return why this decision cannot win, or None when it may.

    Who may not decide is told that first, so that they learn nothing else.

    Args:
        review: As it stands, its decision filled in.
        decision: What somebody wants to decide.
        now: The instant the decision is judged at: for an intent, when it was answered.
        live_intent: The intent that holds the review, if any.
        fence: The claim's fence, when the caller decides from a claim; None decides without one.
    """
    return (
        not_allowed(review, decision.by)
        or closed(review)
        or expired(review, now=now)
        or _changed(review, decision)
        or held(review, by=decision.by, live_intent=live_intent)
        or _in_other_hands(review, by=decision.by, now=now)
        or _claim_lost(review, fence=fence, now=now)
    )


def not_allowed(review: Review, actor: str) -> NotAllowed | None:
    """Return why this actor may never decide this review, or None."""
    if not actor.strip():
        return NotAllowed(review.id, actor, "a decision needs the name of a person.")
    if actor == POLICY_ACTOR:
        return NotAllowed(review.id, actor, "this name is kept for decisions the policy makes.")
    if actor.startswith(AGENT_PREFIX):
        return NotAllowed(review.id, actor, "agents propose; only people decide.")
    if actor == review.initiator:
        return NotAllowed(review.id, actor, "who started a run may not decide its reviews.")
    return None


def closed(review: Review) -> ReviewRefusal | None:
    """Return how the review ended, as a refusal, or None while it is pending."""
    if review.status is ReviewStatus.PENDING:
        return None
    if review.decision is not None and review.decision.made_by is DecidedBy.PERSON:
        return AlreadyDecided(review.id, review.decision.by, review.decision.verdict)
    if review.status is ReviewStatus.EXPIRED or review.decision is not None:
        return ReviewExpired(review.id, _expiry_text(review))
    return ReviewClosed(review.id, review.status)


def expired(review: Review, *, now: datetime) -> ReviewExpired | None:
    """Return a refusal when the review's time is over at `now`, or None. Never for a spot check."""
    if not review.blocking or review.expires_at is None or now < review.expires_at:
        return None
    return ReviewExpired(review.id, _expiry_text(review))


def held(review: Review, *, by: str, live_intent: Intent | None) -> ClaimLost | None:
    """Return a refusal when somebody else's answer can still be undone, or None."""
    if live_intent is None or live_intent.decision.by == by:
        return None
    return ClaimLost(review.id, live_intent.decision.by)


def is_claimed(review: Review, *, now: datetime) -> bool:
    """Whether a live claim stands on the review."""
    return review.claimed_until is not None and now < review.claimed_until


def is_taken_over(review: Review, *, now: datetime) -> bool:
    """Whether somebody does the work by hand just now."""
    return review.taken_over_at is not None and is_claimed(review, now=now)


def claim_refusal(
    review: Review, *, by: str, now: datetime, live_intent: Intent | None
) -> ReviewRefusal | None:
    """Return why this person cannot claim the review, or None.

    A person's own live claim may move to another fence (a second tab); the first tab then loses it.
    """
    refused = (
        not_allowed(review, by)
        or closed(review)
        or expired(review, now=now)
        or held(review, by=by, live_intent=live_intent)
    )
    if refused is None and is_claimed(review, now=now) and review.holder != by:
        return ClaimLost(review.id, review.holder)
    return refused


def _changed(review: Review, decision: Decision) -> ProposalChanged | None:
    return None if decision.proposal_hash == review.proposal_hash else ProposalChanged(review.id)


def _in_other_hands(review: Review, *, by: str, now: datetime) -> ClaimLost | None:
    taken = is_taken_over(review, now=now) and review.holder != by
    return ClaimLost(review.id, review.holder) if taken else None


def _claim_lost(review: Review, *, fence: str | None, now: datetime) -> ClaimLost | None:
    if fence is None or (is_claimed(review, now=now) and review.claim_fence == fence):
        return None
    return ClaimLost(review.id, review.holder if is_claimed(review, now=now) else None)


def _expiry_text(review: Review) -> str:
    at = review.expires_at or (review.decision and review.decision.decided_at)
    return at.isoformat(timespec="seconds") if at else "its deadline"
