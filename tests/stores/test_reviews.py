from operator import methodcaller
from typing import Any

import pytest

from hitl.errors import NotFound, ReviewClosed, StoreError
from hitl.models import Evidence, Place, Presentation, ReviewStatus, StepName, Verdict
from hitl.ports import Store, Transaction
from tests.stores.acts import add_reviews, decide
from tests.stores.records import MINUTE, NOON, PAY, make_decision, make_review


def test_a_review_comes_back_whole(store: Store) -> None:
    picture = Evidence(claim="the amount", image_png=b"\x89PNG\r\n\x1a\n\x00\xff")
    review = make_review(
        presentation=Presentation(title="Pay", evidence=(picture,)),
        due_at=NOON + MINUTE,
        expires_at=NOON + 9 * MINUTE,
        initiator="ina",
    )

    add_reviews(store, review)

    assert store.read(lambda r: r.review("rev_1")) == review


def test_an_unknown_review_is_said_so(store: Store) -> None:
    with pytest.raises(NotFound, match="No review with id 'rev_9'"):
        store.read(lambda r: r.review("rev_9"))
    with pytest.raises(NotFound, match="No review with id 'rev_9'"):
        store.write(lambda t: t.set_review(make_review("rev_9")))


def test_an_id_is_used_once(store: Store) -> None:
    add_reviews(store, make_review("rev_1"))

    with pytest.raises(StoreError, match="The review 'rev_1' is there already"):
        add_reviews(store, make_review("rev_1", run_id="other"))


def test_reviews_come_by_due_time_then_id_and_in_pages(store: Store) -> None:
    add_reviews(store, make_review("c", due_at=NOON + MINUTE))
    add_reviews(store, make_review("b", due_at=NOON))
    add_reviews(store, make_review("a", due_at=NOON + MINUTE))
    add_reviews(store, make_review("z"), make_review("y"))  # without a due time: last

    pages = [store.read(lambda r: r.reviews(limit=2))]
    while pages[-1]:
        after = pages[-1][-1].id
        pages.append(store.read(methodcaller("reviews", limit=2, after=after)))

    assert [[review.id for review in page] for page in pages] == [["b", "a"], ["c", "y"], ["z"], []]
    with pytest.raises(NotFound):
        store.read(lambda r: r.reviews(after="rev_9"))


def test_reviews_by_status_run_workflow_and_kind(store: Store) -> None:
    add_reviews(store, make_review("a"))
    add_reviews(store, make_review("b", run_id="run_2"))
    add_reviews(store, make_review("c", workflow="letters", blocking=False))
    add_reviews(store, make_review("d", status=ReviewStatus.CANCELLED))

    def ids(**wanted: Any) -> list[str]:
        return [review.id for review in store.read(lambda r: r.reviews(**wanted))]

    assert ids() == ["a", "b", "c", "d"]
    assert ids(status=[ReviewStatus.PENDING]) == ["a", "b", "c"]
    assert ids(status=[ReviewStatus.CANCELLED, ReviewStatus.EXPIRED]) == ["d"]
    assert ids(run_id="run_2") == ["b"]
    assert ids(workflow="letters") == ["c"]
    assert ids(blocking=False) == ["c"]
    assert ids(blocking=True, status=[ReviewStatus.PENDING]) == ["a", "b"]
    counts = {ReviewStatus.PENDING: 3, ReviewStatus.CANCELLED: 1}
    assert store.read(lambda r: r.count_reviews()) == counts


def test_the_counts_follow_every_way_a_review_moves(store: Store) -> None:
    assert store.read(lambda r: r.count_reviews()) == {}
    add_reviews(store, *(make_review(f"rev_{number}") for number in range(5)))
    decide(store, make_review("rev_0"), make_decision("rev_0"))
    decide(store, make_review("rev_1"), make_decision("rev_1", verdict=Verdict.DENY))
    decide(store, make_review("rev_1"), make_decision("rev_1"))  # loses
    for review_id, status in (("rev_0", ReviewStatus.EXECUTED), ("rev_2", ReviewStatus.CANCELLED)):
        moved = store.read(methodcaller("review", review_id)).model_copy(update={"status": status})
        store.write(methodcaller("set_review", moved))
    store.write(lambda t: t.set_review(make_review("rev_3", holder="ana")))

    def in_vain(t: Transaction) -> None:
        t.decide_review(make_review("rev_4"), make_decision("rev_4"), judged_at=NOON)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write(in_vain)

    counts = store.read(lambda r: r.count_reviews())
    assert counts == {
        ReviewStatus.PENDING: 2,
        ReviewStatus.EXECUTED: 1,
        ReviewStatus.DENIED: 1,
        ReviewStatus.CANCELLED: 1,
    }


def test_a_claim_replaces_the_record(store: Store) -> None:
    add_reviews(store, make_review("rev_1"))
    claimed = make_review(holder="ana", claim_fence="f1", claimed_until=NOON + MINUTE)

    store.write(lambda t: t.set_review(claimed))

    assert store.read(lambda r: r.review("rev_1")) == claimed


def test_a_closing_takes_it_out_of_the_queue(store: Store) -> None:
    add_reviews(store, make_review("rev_1"))

    closed = make_review(status=ReviewStatus.SUPERSEDED, closed_reason="the step ran again")
    store.write(lambda t: t.set_review(closed))

    assert store.read(lambda r: r.reviews(status=[ReviewStatus.PENDING])) == []
    assert store.read(lambda r: r.review("rev_1")) == closed


def test_a_record_read_before_the_decision_does_not_undo_it(store: Store) -> None:
    add_reviews(store, make_review("rev_1"))
    stale = store.read(lambda r: r.review("rev_1"))
    decide(store, stale, make_decision())

    with pytest.raises(ReviewClosed):
        store.write(lambda t: t.set_review(stale.model_copy(update={"holder": "bob"})))

    assert store.read(lambda r: r.review("rev_1")).status is ReviewStatus.APPROVED


@pytest.mark.parametrize("status", [ReviewStatus.APPROVED, ReviewStatus.DENIED])
def test_no_review_is_approved_or_denied_without_a_decision(
    store: Store, status: ReviewStatus
) -> None:
    add_reviews(store, make_review("rev_1"))

    with pytest.raises(StoreError, match="by a decision only"):
        store.write(lambda t: t.set_review(make_review(status=status)))

    assert store.read(lambda r: r.review("rev_1")).status is ReviewStatus.PENDING


def test_denials_of_a_visit_in_all_branches_oldest_first(store: Store) -> None:
    other_visit = StepName(step="pay", place=Place.BEFORE, visit=2)
    other_shard = StepName(step="pay", place=Place.BEFORE, visit=1, shard=1)
    add_reviews(
        store,
        make_review("first"),
        make_review("second"),
        make_review("approved"),
        make_review("open"),
    )
    add_reviews(store, make_review("other run", run_id="run_2"))
    add_reviews(
        store, make_review("visit 2", name=other_visit), make_review("shard 1", name=other_shard)
    )
    for review_id in ("second", "first", "other run", "visit 2", "shard 1"):
        denied = make_decision(review_id, verdict=Verdict.DENY, reasons=("wrong payee",))
        decide(store, make_review(review_id), denied)
    decide(store, make_review("approved"), make_decision("approved"))
    executed = store.read(lambda r: r.review("second"))
    executed = executed.model_copy(update={"status": ReviewStatus.EXECUTED})
    store.write(lambda t: t.set_review(executed))

    denials = store.read(lambda r: r.denials("run_1", PAY))

    assert [review.id for review, _ in denials] == ["second", "first"]
    assert denials[0][0].status is ReviewStatus.EXECUTED
    assert all(review.decision == decision for review, decision in denials)
    assert denials[0][1].reasons == ("wrong payee",)
