import threading
from datetime import timedelta

import pytest

from hitl.errors import NotFound, StoreError
from hitl.models import DecidedBy, RemedyKind, ReviewStatus, Verdict
from hitl.ports import Store
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
    store.write(lambda t: t.add_review(make_review()))

    won = store.write(lambda t: t.decide_review(make_review(), decision, judged_at=NOON))

    decided = make_review(status=ReviewStatus.DENIED, decision=decision)
    assert won
    assert store.read(lambda r: r.review("rev_1")) == decided
    assert store.read(lambda r: r.decision("rev_1")) == decision
    assert store.read(lambda r: r.decision_by_id(decision.decision_id)) == decision


def test_without_a_decision_there_is_none(store: Store) -> None:
    store.write(lambda t: t.add_review(make_review()))

    assert store.read(lambda r: r.decision("rev_1")) is None
    assert store.read(lambda r: r.decision_by_id("dec_9")) is None


def test_the_first_decision_stands(store: Store) -> None:
    store.write(lambda t: t.add_review(make_review()))
    store.write(lambda t: t.decide_review(make_review(), make_decision(), judged_at=NOON))

    second = make_decision(decision_id="dec_2", verdict=Verdict.DENY, by="bob")
    assert not store.write(lambda t: t.decide_review(make_review(), second, judged_at=NOON))

    assert store.read(lambda r: r.decision("rev_1")) == make_decision()
    assert store.read(lambda r: r.decision_by_id("dec_2")) is None


@pytest.mark.parametrize(
    "status",
    [ReviewStatus.CANCELLED, ReviewStatus.SUPERSEDED, ReviewStatus.EXPIRED, ReviewStatus.EXECUTED],
)
def test_a_closed_review_takes_no_decision(store: Store, status: ReviewStatus) -> None:
    closed = make_review(status=status)
    store.write(lambda t: t.add_review(closed))

    assert not store.write(lambda t: t.decide_review(closed, make_decision(), judged_at=NOON))
    assert store.read(lambda r: r.review("rev_1")) == closed


def test_a_changed_proposal_takes_no_decision_on_the_old_one(store: Store) -> None:
    store.write(lambda t: t.add_review(make_review()))
    store.write(lambda t: t.set_review(make_review(proposal_hash="amended")))

    seen = make_decision()
    assert not store.write(lambda t: t.decide_review(make_review(), seen, judged_at=NOON))

    again = make_decision(proposal_hash="amended")
    assert store.write(lambda t: t.decide_review(make_review(), again, judged_at=NOON))


@pytest.mark.parametrize(
    ("judged_at", "wins"),
    [
        (EXPIRES - timedelta(microseconds=1), True),
        (EXPIRES, False),
        (EXPIRES + MINUTE, False),
    ],
)
def test_a_decision_is_judged_at_its_instant(store: Store, judged_at, wins) -> None:  # type: ignore[no-untyped-def]  # plain parameters
    review = make_review(expires_at=EXPIRES)
    store.write(lambda t: t.add_review(review))

    assert (
        store.write(lambda t: t.decide_review(review, make_decision(), judged_at=judged_at)) is wins
    )


def test_the_policy_decides_at_expiry(store: Store) -> None:
    review = make_review(expires_at=EXPIRES)
    store.write(lambda t: t.add_review(review))
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
    for review_id in ("rev_1", "rev_2"):
        store.write(lambda t, id=review_id: t.add_review(make_review(id)))
    store.write(lambda t: t.decide_review(make_review(), make_decision(), judged_at=NOON))

    same_id = make_decision("rev_2", decision_id=make_decision().decision_id)
    with pytest.raises(StoreError, match="There is a decision with id"):
        store.write(lambda t: t.decide_review(make_review("rev_2"), same_id, judged_at=NOON))

    assert store.read(lambda r: r.review("rev_2")).status is ReviewStatus.PENDING


def test_an_intent_lives_until_it_ends(store: Store) -> None:
    store.write(lambda t: t.add_review(make_review()))
    assert store.read(lambda r: r.intent("rev_1")) is None

    store.write(lambda t: t.put_intent(make_intent()))
    assert store.read(lambda r: r.intent("rev_1")) == make_intent()

    store.write(lambda t: t.end_intent("rev_1", outcome="undone"))
    assert store.read(lambda r: r.intent("rev_1")) is None
    store.write(lambda t: t.end_intent("rev_1", outcome="void"))


def test_a_second_intent_replaces_the_first(store: Store) -> None:
    store.write(lambda t: t.add_review(make_review()))
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
    ids = [f"rev_{number:03}" for number in range(200)]
    store.write(lambda t: [t.add_review(make_review(id)) for id in ids])
    wins: dict[str, list[str]] = {id: [] for id in ids}
    start = threading.Barrier(16)

    def race(reviewer: str) -> None:
        verdict = Verdict.APPROVE if int(reviewer) % 2 else Verdict.DENY
        start.wait()
        for id in ids:
            mine = make_decision(
                id, decision_id=f"{id} by {reviewer}", verdict=verdict, by=reviewer
            )
            if store.write(
                lambda t, id=id, mine=mine: t.decide_review(make_review(id), mine, judged_at=NOON)
            ):
                wins[id].append(reviewer)

    racers = [threading.Thread(target=race, args=(str(number),)) for number in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert [len(winners) for winners in wins.values()] == [1] * 200
    for id, (winner,) in wins.items():
        kept = store.read(lambda r, id=id: r.review(id))
        assert kept.decision is not None
        assert kept.decision.by == winner
        assert kept.status.value == ("approved" if int(winner) % 2 else "denied")
