"""Racing threads: exactly one wins, and every other is told the truth."""

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import pytest

from hitl.errors import AlreadyDecided, ClaimLost, ReviewClosed, ReviewExpired, ReviewRefusal
from hitl.models import DecidedBy, Decision, Review, ReviewStatus
from hitl.reviews import supersede
from hitl.reviews.deciding import decision_digest
from tests.decisions.desk import NOON, Desk, together

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(each_desk: Desk) -> Desk:
    """Each race is run on each store."""
    return each_desk


def test_two_reviewers_with_opposite_answers_make_one_decision(desk: Desk) -> None:
    reviews = [desk.open(f"rev_{n:03}", run_id=f"run_{n % 10}") for n in range(60)]

    def decider(review: Review, by: str, verdict: str) -> Callable[[], Decision]:
        return lambda: desk.queue.decide(
            review.id, verdict, by=by, proposal_hash=review.proposal_hash
        )

    for review in reviews:
        results = together(decider(review, "ana", "approve"), decider(review, "ben", "deny"))
        winners = [r for r in results if isinstance(r, Decision)]
        losers = [r for r in results if isinstance(r, AlreadyDecided)]
        assert (len(winners), len(losers)) == (1, 1)
        assert (losers[0].by, losers[0].verdict) == (winners[0].by, winners[0].verdict)
        assert desk.queue.get(review.id).decision == winners[0]

    decided = [e.told for e in desk.queue.audit(limit=1000) if e.body["action"] == "review.decided"]
    digests = {decision_digest(r.decision) for r in desk.queue.reviews(limit=500) if r.decision}
    assert len(decided) == 60
    assert {body["decision_sha256"] for body in decided} == digests
    assert sum(len(desk.mail_keys(f"run_{n}")) for n in range(10)) == 60
    assert desk.queue.verify() is None


def test_twenty_tabs_and_a_double_click_decide_once(desk: Desk) -> None:
    review = desk.open()

    def click() -> Decision:
        return desk.queue.decide(
            "rev_1", "approve", by="ana", proposal_hash=review.proposal_hash, decision_id="click-1"
        )

    results = together(*[click] * 20)

    assert {r.decision_id for r in results if isinstance(r, Decision)} == {"click-1"}
    assert all(r == results[0] for r in results)
    assert desk.actions() == ["review.opened", "review.decided"]
    assert desk.mail_keys() == ["decision:rev_1"]


def ending(desk: Desk, kind: str) -> Callable[[Review], Callable[[], object]]:
    """Return how one of the ways to end a review is tried."""
    queue = desk.queue
    return {
        "decide": lambda review: (
            lambda: queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        ),
        # the deadline is reached while the others act
        "expire": lambda _: lambda: queue.sweep(NOON + HOUR),
        "cancel": lambda review: lambda: queue.cancel(review.id, by="ben", reason="not needed"),
        # the state was changed under the review
        "supersede": lambda review: (
            lambda: desk.store.write(
                lambda t: supersede(t, review.run_id, reason="the state was changed", now=NOON)
            )
        ),
        "intend": lambda review: (
            lambda: queue.intend(
                review.id,
                "deny",
                by="eve",
                proposal_hash=review.proposal_hash,
                undo_window=timedelta(0),
            )
        ),
    }[kind]


@pytest.mark.parametrize(
    "kinds", list(combinations(["decide", "expire", "cancel", "supersede", "intend"], 2))
)
def test_of_two_ways_to_end_a_review_one_happens(desk: Desk, kinds: tuple[str, str]) -> None:
    for n in range(12):
        run_id = f"run_{n}"
        review = desk.open(f"rev_{n}", run_id=run_id, expires_at=NOON + HOUR)

        results = together(*[ending(desk, kind)(review) for kind in kinds])
        desk.queue.sweep(NOON + HOUR)

        ended = desk.queue.get(review.id)
        endings = [
            a for a in desk.actions(run_id) if a.startswith("review.") and a != "review.opened"
        ]
        assert len(endings) == 1
        assert (ended.decision is not None) == (endings[0] in ("review.decided", "review.expired"))
        assert ended.status is not ReviewStatus.PENDING
        for error in [r for r in results if isinstance(r, Exception)]:
            assert isinstance(error, (AlreadyDecided, ClaimLost, ReviewClosed, ReviewExpired))
            if isinstance(error, AlreadyDecided):
                assert ended.decision is not None
                assert error.by == ended.decision.by != "policy"
        wakes = {
            "decision": ended.decision is not None,
            "cancelled": ended.status is ReviewStatus.CANCELLED,
        }
        expected = [f"{kind}:{review.id}" for kind, happens in wakes.items() if happens]
        assert [k for k in desk.mail_keys(run_id) if k.split(":")[0] in wakes] == expected
    assert desk.queue.verify() is None


def test_all_ways_at_once_end_a_review_once(desk: Desk) -> None:
    kinds = ["decide", "expire", "cancel", "supersede", "intend", "decide"]
    for n in range(12):
        review = desk.open(f"rev_{n}", run_id=f"run_{n}", expires_at=NOON + HOUR)

        results = together(*[ending(desk, kind)(review) for kind in kinds])
        desk.queue.sweep(NOON + HOUR)

        ended = desk.queue.get(review.id)
        refused = [r for r in results if isinstance(r, Exception)]
        assert all(isinstance(error, ReviewRefusal) for error in refused)
        assert ended.status is not ReviewStatus.PENDING
        by_policy = ended.decision is not None and ended.decision.made_by is DecidedBy.POLICY
        assert (ended.status is ReviewStatus.EXPIRED) == by_policy


def test_of_many_claimants_one_gets_the_review(desk: Desk) -> None:
    desk.open()

    def claimant(n: int) -> Callable[[], object]:
        return lambda: desk.queue.claim("rev_1", by=f"reviewer {n}", fence=f"tab {n}")

    results = together(*[claimant(n) for n in range(10)])

    winners = [r for r in results if isinstance(r, Review)]
    assert len(winners) == 1
    losers = [r for r in results if isinstance(r, ClaimLost)]
    assert len(losers) == 9
    assert {loser.holder for loser in losers} == {winners[0].holder}


def test_many_who_take_the_next_get_different_reviews(desk: Desk) -> None:
    for n in range(10):
        desk.open(f"rev_{n}")

    def taker(n: int) -> Callable[[], object]:
        return lambda: desk.queue.claim_next(by=f"reviewer {n}", fence=f"tab {n}")

    results = together(*[taker(n) for n in range(12)])

    got = [r.id for r in results if isinstance(r, Review)]
    assert len(got) == len(set(got)) == 10
    assert sum(r is None for r in results) == 2
