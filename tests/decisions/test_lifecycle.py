from datetime import datetime, timedelta

import pytest

from hitl.errors import (
    AlreadyDecided,
    ClaimLost,
    NotAllowed,
    ProposalChanged,
    ReviewClosed,
    ReviewExpired,
    ReviewRefusal,
)
from hitl.lifecycle import MOVES, moved, refusal
from hitl.models import DecidedBy, Decision, Intent, Review, ReviewStatus, Verdict
from tests.decisions.desk import NOON, make_review

LATER = NOON + timedelta(hours=1)


def said(review: Review, *, by: str = "ana", **changes: object) -> Decision:
    decision = Decision(
        decision_id="dec_1",
        review_id=review.id,
        verdict=Verdict.APPROVE,
        by=by,
        decided_at=NOON,
        proposal_hash=review.proposal_hash,
    )
    return decision.model_copy(update=changes)


def test_a_review_is_decided_once_and_executed_once() -> None:
    legal = {(a, b) for a, targets in MOVES.items() for b in targets}

    assert legal == {
        ("pending", "approved"),
        ("pending", "denied"),
        ("pending", "expired"),
        ("pending", "cancelled"),
        ("pending", "superseded"),
        ("approved", "executed"),
        ("denied", "executed"),
        ("expired", "executed"),
    }
    assert set(MOVES) == set(ReviewStatus)


@pytest.mark.parametrize("start", list(ReviewStatus))
@pytest.mark.parametrize("end", list(ReviewStatus))
def test_only_legal_moves_are_made(start: ReviewStatus, end: ReviewStatus) -> None:
    review = make_review(status=start, holder="ana", claim_fence="tab", claimed_until=LATER)

    if end in MOVES[start]:
        there = moved(review, end, reason="so it is")
        assert there.status is end
        assert there.closed_reason == "so it is"
        assert (there.holder, there.claim_fence, there.claimed_until) == (None, None, None)
    else:
        with pytest.raises(ReviewRefusal):
            moved(review, end)


def test_a_pending_review_may_be_decided() -> None:
    review = make_review()

    assert refusal(review, said(review), now=NOON) is None


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("ina", "who started a run"),  # the initiator
        ("agent:reader", "only people decide"),
        ("policy", "kept for decisions the policy makes"),
        ("", "name of a person"),
        ("   ", "name of a person"),
    ],
)
def test_who_may_not_decide_is_told_why(by: str, why: str) -> None:
    review = make_review()

    problem = refusal(review, said(review, by=by), now=NOON)

    assert isinstance(problem, NotAllowed)
    assert problem.status_code == 403
    assert why in str(problem)


def test_the_loser_is_told_who_won() -> None:
    review = make_review(status=ReviewStatus.DENIED)
    won = said(review, by="ben", verdict=Verdict.DENY)

    problem = refusal(review.model_copy(update={"decision": won}), said(review), now=NOON)

    assert isinstance(problem, AlreadyDecided)
    assert (problem.by, problem.verdict) == ("ben", "deny")
    assert "already decided by ben (deny)" in str(problem)


def test_the_winner_is_named_after_execution_too() -> None:
    review = make_review(status=ReviewStatus.EXECUTED)
    executed = review.model_copy(update={"decision": said(review, by="ben")})

    assert isinstance(refusal(executed, said(review), now=NOON), AlreadyDecided)


@pytest.mark.parametrize("status", [ReviewStatus.EXPIRED, ReviewStatus.EXECUTED])
def test_a_decision_by_policy_is_never_told_as_a_persons(status: ReviewStatus) -> None:
    review = make_review(status=status, expires_at=NOON)
    by_policy = said(review, by="policy", made_by=DecidedBy.POLICY, verdict=Verdict.DENY)

    problem = refusal(review.model_copy(update={"decision": by_policy}), said(review), now=LATER)

    assert isinstance(problem, ReviewExpired)
    assert problem.status_code == 410


@pytest.mark.parametrize("status", [ReviewStatus.CANCELLED, ReviewStatus.SUPERSEDED])
def test_a_closed_review_takes_no_decision(status: ReviewStatus) -> None:
    review = make_review(status=status)

    problem = refusal(review, said(review), now=NOON)

    assert isinstance(problem, ReviewClosed)
    assert status.value in str(problem)


def test_the_last_instant_is_before_the_expiry() -> None:
    review = make_review(expires_at=LATER)

    assert refusal(review, said(review), now=LATER - timedelta(microseconds=1)) is None
    assert isinstance(refusal(review, said(review), now=LATER), ReviewExpired)


def test_a_spot_check_never_expires() -> None:
    review = make_review(blocking=False, expires_at=NOON)

    assert refusal(review, said(review), now=LATER) is None


def test_another_hash_is_a_changed_proposal() -> None:
    review = make_review()

    problem = refusal(review, said(review, proposal_hash="0" * 64), now=NOON)

    assert isinstance(problem, ProposalChanged)
    assert problem.status_code == 412


def test_an_answer_that_can_still_be_undone_holds_the_review() -> None:
    review = make_review()
    intent = Intent(decision=said(review, by="ben"), commit_at=LATER)

    problem = refusal(review, said(review, by="ana"), now=NOON, live_intent=intent)

    assert isinstance(problem, ClaimLost)
    assert "held by ben" in str(problem)
    assert refusal(review, said(review, by="ben"), now=NOON, live_intent=intent) is None


@pytest.mark.parametrize(
    ("fence", "until", "is_refused"),
    [
        (None, LATER, False),  # decides without a claim
        ("tab-1", LATER, False),
        ("tab-2", LATER, True),  # another tab holds it
        ("tab-1", NOON, True),  # the lease is over at its end
    ],
)
def test_a_decision_from_a_claim_needs_the_live_claim(
    fence: str | None, until: datetime, is_refused: bool
) -> None:
    review = make_review(holder="ana", claim_fence="tab-1", claimed_until=until)

    problem = refusal(review, said(review), now=NOON, fence=fence)

    assert isinstance(problem, ClaimLost) is is_refused


def test_who_may_not_decide_learns_nothing_else() -> None:
    review = make_review(status=ReviewStatus.DENIED)
    decided = review.model_copy(update={"decision": said(review, by="ben")})

    assert isinstance(refusal(decided, said(review, by="agent:x"), now=NOON), NotAllowed)
