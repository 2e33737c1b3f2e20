from datetime import timedelta
from typing import Any

import pytest

from hitl.errors import (
    AlreadyDecided,
    ClaimLost,
    InvalidAnswer,
    NotAllowed,
    ReviewClosed,
    TooLateToUndo,
)
from hitl.models import Intent, Review, ReviewStatus
from hitl.reviews import ReviewQueue, supersede
from hitl.stores import open_store
from tests.decisions.desk import NOON, Desk, HandClock

WINDOW = timedelta(seconds=8)


def intend(desk: Desk, review: Review, verdict: str = "deny", **said: Any) -> Intent:
    facts: dict[str, Any] = {
        "by": "ana",
        "proposal_hash": review.proposal_hash,
        "undo_window": WINDOW,
    }
    return desk.queue.intend(review.id, verdict, **(facts | said))


def test_an_intent_decides_nothing_yet_and_holds_the_review(desk: Desk) -> None:
    review = desk.open()

    intent = intend(desk, review)

    waiting = desk.queue.get("rev_1")
    assert waiting.status is ReviewStatus.PENDING
    assert waiting.decision is None
    assert (waiting.holder, waiting.claimed_until) == ("ana", NOON + WINDOW)
    assert intent.commit_at == NOON + WINDOW
    assert desk.queue.intent("rev_1") == intent
    assert desk.queue.claim_next(by="ben", fence="tab") is None
    with pytest.raises(ClaimLost, match="held by ana"):
        desk.queue.decide("rev_1", "approve", by="ben", proposal_hash=review.proposal_hash)
    with pytest.raises(ClaimLost, match="held by ana"):
        desk.queue.claim("rev_1", by="ben", fence="tab")


def test_the_sweep_turns_it_into_the_decision_once(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, decision_id="click-1", reasons=["wrong payee"])

    desk.clock.move(WINDOW - timedelta(microseconds=1))
    assert desk.queue.sweep() == 0
    desk.clock.move(timedelta(seconds=2))
    assert desk.queue.sweep() == 1
    assert desk.queue.sweep() == 0

    decided = desk.queue.get("rev_1")
    assert decided.status is ReviewStatus.DENIED
    assert decided.decision is not None
    assert decided.decision.decision_id == "click-1"
    assert decided.decision.decided_at == NOON  # when it was answered
    assert decided.decision.reasons == ("wrong payee",)
    assert desk.queue.intent("rev_1") is None
    assert desk.mail_keys() == ["decision:rev_1"]
    assert desk.actions() == ["review.opened", "intent.put", "review.decided"]


def test_it_is_judged_when_it_was_answered(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(seconds=5))
    intend(desk, review, "approve")

    desk.clock.move(timedelta(seconds=6))  # expired, and can still be undone
    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING
    desk.clock.move(timedelta(seconds=2))
    assert desk.queue.sweep() == 1

    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED


def test_both_timers_due_at_once_send_the_answer(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(seconds=5))
    intend(desk, review, "approve")

    desk.clock.move(timedelta(hours=1))
    assert desk.queue.sweep() == 1

    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED
    assert "review.expired" not in desk.actions()


def test_an_answer_undone_after_the_expiry_lets_the_review_expire(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(seconds=5))
    intend(desk, review, "approve")
    desk.clock.move(timedelta(seconds=6))
    desk.queue.sweep()
    desk.queue.undo("rev_1", by="ana")

    desk.clock.move(timedelta(seconds=2))
    assert desk.queue.sweep() == 1

    assert desk.queue.get("rev_1").status is ReviewStatus.EXPIRED
    assert desk.actions().count("review.expired") == 1


def test_undo_gives_the_review_back_to_the_same_person(desk: Desk) -> None:
    review = desk.open()
    desk.queue.claim("rev_1", by="ana", fence="tab-1")
    intend(desk, review, fence="tab-1")

    back = desk.queue.undo("rev_1", by="ana")
    again = desk.queue.undo("rev_1", by="ana")

    assert back == again
    assert (back.holder, back.claim_fence) == ("ana", "tab-1")
    assert back.claimed_until is not None
    assert back.claimed_until > NOON
    assert desk.queue.intent("rev_1") is None
    desk.clock.move(timedelta(minutes=1))
    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING
    assert desk.actions() == ["review.opened", "intent.put", "intent.undone"]


def test_nobody_undoes_another_persons_answer(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review)

    with pytest.raises(ClaimLost):
        desk.queue.undo("rev_1", by="ben")

    assert desk.queue.intent("rev_1") is not None


@pytest.mark.parametrize("swept", [True, False])
def test_at_the_end_of_the_window_it_is_too_late(desk: Desk, swept: bool) -> None:
    review = desk.open()
    intend(desk, review)
    desk.clock.move(WINDOW)
    if swept:
        desk.queue.sweep()

    with pytest.raises(TooLateToUndo, match="it stands"):
        desk.queue.undo("rev_1", by="ana")


def test_the_same_click_sent_again_is_the_same_intent(desk: Desk) -> None:
    review = desk.open()
    first = intend(desk, review, decision_id="click-1")
    desk.clock.move(timedelta(seconds=1))

    assert intend(desk, review, decision_id="click-1") == first

    desk.clock.move(WINDOW)
    desk.queue.sweep()
    late = intend(desk, review, decision_id="click-1")
    assert late.decision == desk.queue.get("rev_1").decision
    assert desk.actions() == ["review.opened", "intent.put", "review.decided"]


def test_the_same_click_with_other_content_is_refused(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, "deny", decision_id="click-1")

    with pytest.raises(AlreadyDecided):
        intend(desk, review, "approve", decision_id="click-1")


def test_another_answer_of_the_same_person_replaces_the_first(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, "deny")
    desk.clock.move(timedelta(seconds=4))
    intend(desk, review, "approve")

    desk.clock.move(timedelta(seconds=5))  # the first one's window is over
    assert desk.queue.sweep() == 0
    desk.clock.move(timedelta(seconds=4))
    assert desk.queue.sweep() == 1

    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED


def test_answering_undoing_and_answering_again_with_one_id_is_sent(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, decision_id="click-1")
    desk.queue.undo("rev_1", by="ana")
    intend(desk, review, decision_id="click-1")

    desk.clock.move(WINDOW)
    assert desk.queue.sweep() == 1
    assert desk.queue.get("rev_1").status is ReviewStatus.DENIED


def test_deciding_ones_own_answer_at_once_sends_it_now(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, "deny")

    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    assert desk.queue.intent("rev_1") is None
    desk.clock.move(WINDOW)
    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED
    assert desk.actions()[-2:] == ["intent.void", "review.decided"]


def test_a_cancel_voids_it(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, "approve")

    desk.queue.cancel("rev_1", by="ben", reason="asked twice")

    desk.clock.move(WINDOW)
    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.CANCELLED
    assert desk.queue.intent("rev_1") is None
    with pytest.raises(TooLateToUndo):
        desk.queue.undo("rev_1", by="ana")


def test_a_superseded_review_voids_it(desk: Desk) -> None:
    review = desk.open()
    intend(desk, review, "approve")

    desk.store.write(lambda t: supersede(t, "run_1", reason="the state changed", now=desk.clock()))

    desk.clock.move(WINDOW)
    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.SUPERSEDED
    assert "intent.void" in desk.actions()


def test_what_decide_refuses_intend_refuses(desk: Desk) -> None:
    review = desk.open()
    desk.open("rev_2")
    desk.queue.cancel("rev_2", by="ben", reason="asked twice")

    with pytest.raises(NotAllowed):
        intend(desk, review, by="ina")
    with pytest.raises(InvalidAnswer):
        intend(desk, review, remedy="takeover")
    with pytest.raises(ReviewClosed):
        intend(desk, desk.queue.get("rev_2"))
    with pytest.raises(ClaimLost):
        intend(desk, review, fence="a claim nobody made")
    with pytest.raises(ValueError, match="negative"):
        intend(desk, review, undo_window=-WINDOW)

    assert desk.queue.intent("rev_1") is None
    assert desk.queue.get("rev_1") == review


def test_an_intent_survives_a_restart(url: str) -> None:
    clock = HandClock()
    first = open_store(url)
    desk = Desk(first, clock, ReviewQueue(first, clock=clock))
    intend(desk, desk.open(), "approve")
    first.close()

    clock.move(timedelta(days=1))
    second = open_store(url)
    queue = ReviewQueue(second, clock=clock)
    assert queue.sweep() == 1
    assert queue.get("rev_1").status is ReviewStatus.APPROVED
    second.close()
