import threading
from datetime import datetime, timedelta
from operator import methodcaller

import pytest

from hitl.errors import NotFound, StoreError
from hitl.models import DecidedBy, RemedyKind, ReviewStatus, Verdict
from hitl.ports import Store
from tests.stores.acts import add_reviews, decide
from tests.stores.records import MINUTE, NOON, make_decision, make_intent, make_review

EXPIRES = NOON + MINUTE


def test_the_decision_and_the_status_are_one(store: Store) -> None:
    decision = make_decision(
        verdict=Verdict.DENY,
        reasons=("wrong payee", "wrong amount"),
        note="Alba SL, not Alba SA",
        remedy=RemedyKind.RETRY,
        answer={"amount": 1200},
        has_answer=True,
        shown_ms=5300,
    )
    add_reviews(store, make_review())

    won = decide(store, make_review(), decision)

    decided = make_review(status=ReviewStatus.DENIED, decision=decision)
    assert won
    assert store.read(lambda r: r.review("rev_1")) == decided
    assert store.read(lambda r: r.decision("rev_1")) == decision
    assert store.read(lambda r: r.decision_by_id(decision.decision_id)) == decision


def test_without_a_decision_there_is_none(store: Store) -> None:
    add_reviews(store, make_review())

    assert store.read(lambda r: r.decision("rev_1")) is None
    assert store.read(lambda r: r.decision_by_id("dec_9")) is None


def test_the_first_decision_stands(store: Store) -> None:
    add_reviews(store, make_review())
    decide(store, make_review(), make_decision())

    second = make_decision(decision_id="dec_2", verdict=Verdict.DENY, by="bob")
    assert not decide(store, make_review(), second)

    assert store.read(lambda r: r.decision("rev_1")) == make_decision()
    assert store.read(lambda r: r.decision_by_id("dec_2")) is None


@pytest.mark.parametrize(
    "status",
    [ReviewStatus.CANCELLED, ReviewStatus.SUPERSEDED, ReviewStatus.EXPIRED, ReviewStatus.EXECUTED],
)
def test_a_closed_review_takes_no_decision(store: Store, status: ReviewStatus) -> None:
    closed = make_review(status=status)
    add_reviews(store, closed)

    assert not decide(store, closed, make_decision())
    assert store.read(lambda r: r.review("rev_1")) == closed


def test_a_changed_proposal_takes_no_decision_on_the_old_one(store: Store) -> None:
    add_reviews(store, make_review())
    store.write(lambda t: t.set_review(make_review(proposal_hash="amended")))

    seen = make_decision()
    assert not decide(store, make_review(), seen)

    again = make_decision(proposal_hash="amended")
    assert decide(store, make_review(), again)


@pytest.mark.parametrize(
    ("judged_at", "wins"),
    [
        (EXPIRES - timedelta(microseconds=1), True),
        (EXPIRES, False),
        (EXPIRES + MINUTE, False),
    ],
)
def test_a_decision_is_judged_at_its_instant(store: Store, judged_at: datetime, wins: bool) -> None:
    review = make_review(expires_at=EXPIRES)
    add_reviews(store, review)

    assert decide(store, review, make_decision(), judged_at=judged_at) is wins


def test_the_policy_decides_at_expiry(store: Store) -> None:
    review = make_review(expires_at=EXPIRES)
    add_reviews(store, review)
    by_policy = make_decision(verdict=Verdict.DENY, by="policy", made_by=DecidedBy.POLICY)

    won = store.write(
        lambda t: t.decide_review(review, by_policy, judged_at=EXPIRES, expires=False)
    )
    expired = review.model_copy(update={"status": ReviewStatus.EXPIRED})
    store.write(lambda t: t.set_review(expired))

    assert won
    kept = store.read(lambda r: r.review("rev_1"))
    assert kept == expired.model_copy(update={"decision": by_policy})


def test_a_decision_id_names_one_decision(store: Store) -> None:
    add_reviews(store, make_review("rev_1"), make_review("rev_2"))
    decide(store, make_review(), make_decision())

    same_id = make_decision("rev_2", decision_id=make_decision().decision_id)
    with pytest.raises(StoreError, match=r"The decision .* is there already"):
        decide(store, make_review("rev_2"), same_id)

    assert store.read(lambda r: r.review("rev_2")).status is ReviewStatus.PENDING


def test_an_intent_lives_until_it_ends(store: Store) -> None:
    add_reviews(store, make_review())
    assert store.read(lambda r: r.intent("rev_1")) is None

    store.write(lambda t: t.put_intent(make_intent()))
    assert store.read(lambda r: r.intent("rev_1")) == make_intent()

    store.write(lambda t: t.end_intent("rev_1", outcome="undone"))
    assert store.read(lambda r: r.intent("rev_1")) is None
    store.write(lambda t: t.end_intent("rev_1", outcome="void"))


def test_a_second_intent_replaces_the_first(store: Store) -> None:
    add_reviews(store, make_review())
    store.write(lambda t: t.put_intent(make_intent()))

    later = make_intent(commit_at=NOON + 2 * MINUTE)
    store.write(lambda t: t.put_intent(later))

    assert store.read(lambda r: r.intent("rev_1")) == later
    store.write(lambda t: t.end_intent("rev_1", outcome="committed"))
    assert store.read(lambda r: r.intent("rev_1")) is None


def test_an_intent_on_an_unknown_review_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        store.write(lambda t: t.put_intent(make_intent("rev_9")))


def test_of_sixteen_racing_reviewers_exactly_one_wins_each_review(store: Store) -> None:
    ids = [f"rev_{number:03}" for number in range(60)]
    add_reviews(store, *map(make_review, ids))
    wins: dict[str, list[str]] = {id: [] for id in ids}
    start = threading.Barrier(16)

    def race(reviewer: str) -> None:
        verdict = Verdict.APPROVE if int(reviewer) % 2 else Verdict.DENY
        start.wait()
        for id in ids:
            mine = make_decision(
                id, decision_id=f"{id} by {reviewer}", verdict=verdict, by=reviewer
            )
            if decide(store, make_review(id), mine):
                wins[id].append(reviewer)

    racers = [threading.Thread(target=race, args=(str(number),)) for number in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert [len(winners) for winners in wins.values()] == [1] * 60
    for id, (winner,) in wins.items():
        kept = store.read(methodcaller("review", id))
        assert kept.decision is not None
        assert kept.decision.by == winner
        assert kept.status.value == ("approved" if int(winner) % 2 else "denied")
