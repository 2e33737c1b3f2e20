from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hitl.canonical import content_hash
from hitl.errors import ProposalRefused
from hitl.models import Place, Review
from hitl.reviews import effect_fingerprint, open_review, proposal_hash
from tests.decisions.desk import NOON, Desk, make_gate, make_proposal, make_review, together


def test_the_hash_covers_what_acts_and_where_and_under_which_policy() -> None:
    proposal = make_review().proposal

    assert proposal_hash(proposal) == content_hash(
        {
            "action": "read_amount",
            "arguments": {"update": {"amount": 1200}},
            "target": "payments/read_amount",
            "policy_hash": "p" * 64,
            "review_id": "rev_1",
            "blob_sha256": proposal.blob_sha256,
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        {"action": "pay"},
        {"arguments": {"update": {"amount": 1201}}},
        {"target": "payments/pay"},
        {"policy_hash": "q" * 64},
        {"review_id": "rev_2"},
        {"blob_sha256": "0" * 64},
    ],
)
def test_any_difference_changes_the_hash(change: dict[str, Any]) -> None:
    proposal = make_review().proposal

    assert proposal_hash(proposal.model_copy(update=change)) != proposal_hash(proposal)


def test_the_order_of_keys_does_not_change_the_hash() -> None:
    one = make_review(arguments={"a": 1, "b": [1, {"x": 1, "y": 2}]}).proposal
    two = make_review(arguments={"b": [1, {"y": 2, "x": 1}], "a": 1}).proposal

    assert proposal_hash(one) == proposal_hash(two)


def test_an_effect_is_the_same_whatever_review_asks_for_it() -> None:
    first = make_review("rev_1", place=Place.BEFORE, step="pay").proposal
    again = make_review("rev_2", place=Place.BEFORE, step="pay").proposal
    other = make_review("rev_3", place=Place.BEFORE, step="pay", arguments={"to": "x"}).proposal

    assert effect_fingerprint(first) == effect_fingerprint(again) != effect_fingerprint(other)


def test_an_opened_review_is_there_with_its_proposal_gate_event_and_timer(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(hours=2))

    assert desk.queue.get("rev_1") == review
    assert desk.queue.pending() == [review]
    stored = desk.store.read(lambda r: r.proposal_of("rev_1"))
    assert stored is not None
    assert stored.blob == make_proposal(review).blob
    assert desk.store.read(lambda r: r.gate("gate_rev_1")).review_id == "rev_1"
    assert desk.actions() == ["review.opened"]
    timers = desk.store.read(lambda r: r.due_timers(now=NOON + timedelta(hours=2)))
    assert [(t.kind, t.key) for t in timers] == [("expiry", "expiry:rev_1")]


def test_a_step_that_runs_again_gets_the_review_it_opened_first(desk: Desk) -> None:
    first = desk.open("rev_1")
    second = make_review("rev_2", task_id=first.task_id)

    got = desk.store.write(
        lambda t: open_review(t, second, make_proposal(second), make_gate(second), now=NOON)
    )
    same = desk.store.write(
        lambda t: open_review(t, first, make_proposal(first), make_gate(first), now=NOON)
    )

    assert got == same == first
    assert [r.id for r in desk.queue.pending()] == ["rev_1"]
    assert desk.actions() == ["review.opened"]
    assert [g.id for g in desk.store.read(lambda r: r.gates("run_1"))] == ["gate_rev_1"]


def test_of_many_openers_of_one_step_one_review_comes_out(desk: Desk) -> None:
    desk.run()
    many = [make_review(f"rev_{n}", task_id="task_1") for n in range(8)]

    def opener(review: Review) -> Callable[[], Review]:
        return lambda: desk.store.write(
            lambda t: open_review(t, review, make_proposal(review), make_gate(review), now=NOON)
        )

    got = together(*[opener(review) for review in many])

    assert len({review.id for review in got if isinstance(review, Review)}) == 1
    assert all(isinstance(review, Review) for review in got)
    assert len(desk.queue.reviews()) == 1


def test_a_spot_check_gets_no_expiry(desk: Desk) -> None:
    review = desk.open(blocking=False, expires_at=NOON + timedelta(hours=2))

    assert review.expires_at is None
    assert desk.store.read(lambda r: r.due_timers(now=NOON + timedelta(days=9))) == []


def test_a_review_and_a_proposal_with_different_hashes_are_refused(desk: Desk) -> None:
    desk.run()
    review = make_review()
    forged = make_proposal(review).model_copy(update={"proposal_hash": "0" * 64})

    with pytest.raises(ProposalRefused):
        desk.store.write(lambda t: open_review(t, review, forged, make_gate(review), now=NOON))

    assert desk.queue.reviews() == []
