from datetime import timedelta

import pytest

from hitl.errors import AlreadyDecided, ClaimLost, NotAllowed, NotFound, ReviewExpired
from hitl.models import Review
from tests.decisions.desk import NOON, Desk

LEASE = timedelta(minutes=5)


def test_a_claim_is_held_for_its_lease(desk: Desk) -> None:
    desk.open()

    held = desk.queue.claim("rev_1", by="ana", fence="tab-1")

    assert (held.holder, held.claim_fence, held.claimed_until) == ("ana", "tab-1", NOON + LEASE)
    assert desk.queue.get("rev_1") == held
    with pytest.raises(ClaimLost, match="held by ana"):
        desk.queue.claim("rev_1", by="ben", fence="tab-2")
    desk.clock.move(LEASE)
    assert desk.queue.claim("rev_1", by="ben", fence="tab-2").holder == "ben"


def test_activity_renews_it(desk: Desk) -> None:
    desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")
    desk.clock.move(timedelta(minutes=4))

    renewed = desk.queue.claim("rev_1", by="ana", fence="tab-1", lease=timedelta(minutes=1))

    assert renewed.claimed_until == NOON + LEASE


def test_a_second_tab_takes_over_and_the_first_one_loses(desk: Desk) -> None:
    review = desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")
    desk.queue.claim("rev_1", by="ana", fence="tab-2")

    with pytest.raises(ClaimLost):
        desk.queue.decide(
            "rev_1", "approve", by="ana", proposal_hash=review.proposal_hash, fence="tab-1"
        )
    desk.queue.decide(
        "rev_1", "approve", by="ana", proposal_hash=review.proposal_hash, fence="tab-2"
    )


def test_a_decision_after_the_lease_is_refused(desk: Desk) -> None:
    review = desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")
    desk.clock.move(LEASE)

    with pytest.raises(ClaimLost, match="no longer held by you"):
        desk.queue.decide(
            "rev_1", "approve", by="ana", proposal_hash=review.proposal_hash, fence="tab-1"
        )


def test_a_released_review_is_free(desk: Desk) -> None:
    desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")

    with pytest.raises(ClaimLost):
        desk.queue.release("rev_1", by="ben", fence="tab-1")
    with pytest.raises(ClaimLost):
        desk.queue.release("rev_1", by="ana", fence="tab-2")
    desk.queue.release("rev_1", by="ana", fence="tab-1")
    desk.queue.release("rev_1", by="ana", fence="tab-1")  # twice is fine

    assert desk.queue.get("rev_1").holder is None
    assert desk.queue.claim("rev_1", by="ben", fence="tab-3").holder == "ben"


def test_an_answer_that_can_be_undone_is_not_released(desk: Desk) -> None:
    review = desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")
    desk.queue.intend(
        "rev_1",
        "approve",
        by="ana",
        proposal_hash=review.proposal_hash,
        undo_window=timedelta(seconds=8),
        fence="tab-1",
    )

    with pytest.raises(ClaimLost):
        desk.queue.release("rev_1", by="ana", fence="tab-1")

    assert desk.queue.intent("rev_1") is not None


def test_the_next_is_the_first_due_that_is_free_and_allowed(desk: Desk) -> None:
    desk.open("rev_late", due_at=NOON + timedelta(hours=3))
    desk.open("rev_whenever")
    desk.open("rev_own", due_at=NOON + timedelta(hours=1), initiator="ana")
    desk.open("rev_soon", due_at=NOON + timedelta(hours=2))
    desk.open("rev_other", due_at=NOON, workflow="refunds")
    desk.queue.claim("rev_soon", by="ben", fence="tab-b")

    def take() -> Review | None:
        return desk.queue.claim_next(by="ana", fence="tab-a", workflow="payments")

    first = take()
    assert first is not None
    assert first.id == "rev_late"
    assert take() == first  # the same tab is shown what it holds
    desk.queue.decide("rev_late", "approve", by="ana", proposal_hash=first.proposal_hash)
    second = take()
    assert second is not None
    assert second.id == "rev_whenever"
    desk.queue.decide("rev_whenever", "approve", by="ana", proposal_hash=second.proposal_hash)
    assert take() is None


def test_a_second_tab_is_given_another_review(desk: Desk) -> None:
    desk.open("rev_1")
    desk.open("rev_2")

    first = desk.queue.claim_next(by="ana", fence="tab-1")
    second = desk.queue.claim_next(by="ana", fence="tab-2")

    assert first is not None
    assert second is not None
    assert {first.id, second.id} == {"rev_1", "rev_2"}


def test_many_held_reviews_do_not_hide_a_free_one(desk: Desk) -> None:
    for n in range(60):
        desk.open(f"rev_{n:02}")
        if n < 59:
            desk.queue.claim(f"rev_{n:02}", by="ben", fence="tab-b")

    got = desk.queue.claim_next(by="ana", fence="tab-a")

    assert got is not None
    assert got.id == "rev_59"


def test_what_cannot_be_decided_cannot_be_claimed(desk: Desk) -> None:
    review = desk.open("rev_1", expires_at=NOON + timedelta(hours=1))
    desk.open("rev_2")
    second = desk.queue.get("rev_2")
    desk.queue.decide("rev_2", "approve", by="ben", proposal_hash=second.proposal_hash)

    with pytest.raises(NotAllowed):
        desk.queue.claim("rev_1", by="ina", fence="tab")
    with pytest.raises(NotAllowed):
        desk.queue.claim("rev_1", by="agent:reader", fence="tab")
    with pytest.raises(AlreadyDecided, match="by ben"):
        desk.queue.claim("rev_2", by="ana", fence="tab")
    with pytest.raises(NotFound):
        desk.queue.claim("rev_9", by="ana", fence="tab")
    desk.clock.move(timedelta(hours=1))
    with pytest.raises(ReviewExpired):
        desk.queue.claim("rev_1", by="ana", fence="tab")
    assert desk.queue.get("rev_1") == review
