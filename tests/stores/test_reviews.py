import pytest

from hitl.errors import NotFound, ReviewClosed, StoreError
from hitl.models import Evidence, Place, Presentation, ReviewStatus, StepName, Verdict
from hitl.ports import Store
from tests.stores.records import MINUTE, NOON, PAY, make_decision, make_review


def _add(store: Store, *reviews: object, **changes: object) -> None:
    for review in reviews:
        made = make_review(review, **changes) if isinstance(review, str) else review
        store.write(lambda t, made=made: t.add_review(made))


def test_a_review_comes_back_whole(store: Store) -> None:
    picture = Evidence(claim="the amount", image_png=b"\x89PNG\r\n\x1a\n\x00\xff")
    review = make_review(
        presentation=Presentation(title="Pay", evidence=(picture,)),
        due_at=NOON + MINUTE,
        expires_at=NOON + 9 * MINUTE,
        initiator="ina",
    )

    _add(store, review)

    assert store.read(lambda r: r.review("rev_1")) == review


def test_an_unknown_review_is_said_so(store: Store) -> None:
    with pytest.raises(NotFound, match="No review with id 'rev_9'"):
        store.read(lambda r: r.review("rev_9"))
    with pytest.raises(NotFound, match="No review with id 'rev_9'"):
        store.write(lambda t: t.set_review(make_review("rev_9")))


def test_an_id_is_used_once(store: Store) -> None:
    _add(store, "rev_1")

    with pytest.raises(StoreError, match="There is a review with id 'rev_1' already"):
        _add(store, make_review("rev_1", run_id="other"))


def test_reviews_come_by_due_time_then_id_and_in_pages(store: Store) -> None:
    _add(store, make_review("c", due_at=NOON + MINUTE))
    _add(store, make_review("b", due_at=NOON))
    _add(store, make_review("a", due_at=NOON + MINUTE))
    _add(store, "z", "y")  # without a due time: last

    seen: list[str] = []
    after = None
    while page := store.read(lambda r, after=after: r.reviews(limit=2, after=after)):
        seen += [review.id for review in page]
        after = page[-1].id

    assert seen == ["b", "a", "c", "y", "z"]
    with pytest.raises(NotFound):
        store.read(lambda r: r.reviews(after="rev_9"))


def test_reviews_by_status_run_workflow_and_kind(store: Store) -> None:
    _add(store, make_review("a"))
    _add(store, make_review("b", run_id="run_2"))
    _add(store, make_review("c", workflow="letters", blocking=False))
    _add(store, make_review("d", status=ReviewStatus.CANCELLED))

    def ids(**wanted: object) -> list[str]:
        return [review.id for review in store.read(lambda r: r.reviews(**wanted))]  # type: ignore[arg-type]  # the wanted fields vary by row

    assert ids() == ["a", "b", "c", "d"]
    assert ids(status=[ReviewStatus.PENDING]) == ["a", "b", "c"]
    assert ids(status=[ReviewStatus.CANCELLED, ReviewStatus.EXPIRED]) == ["d"]
    assert ids(run_id="run_2") == ["b"]
    assert ids(workflow="letters") == ["c"]
    assert ids(blocking=False) == ["c"]
    assert ids(blocking=True, status=[ReviewStatus.PENDING]) == ["a", "b"]
    counts = {ReviewStatus.PENDING: 3, ReviewStatus.CANCELLED: 1}
    assert store.read(lambda r: r.count_reviews()) == counts


def test_a_claim_replaces_the_record(store: Store) -> None:
    _add(store, "rev_1")
    claimed = make_review(holder="ana", claim_fence="f1", claimed_until=NOON + MINUTE)

    store.write(lambda t: t.set_review(claimed))

    assert store.read(lambda r: r.review("rev_1")) == claimed


def test_a_closing_takes_it_out_of_the_queue(store: Store) -> None:
    _add(store, "rev_1")

    closed = make_review(status=ReviewStatus.SUPERSEDED, closed_reason="the step ran again")
    store.write(lambda t: t.set_review(closed))

    assert store.read(lambda r: r.reviews(status=[ReviewStatus.PENDING])) == []
    assert store.read(lambda r: r.review("rev_1")) == closed


def test_a_record_read_before_the_decision_does_not_undo_it(store: Store) -> None:
    _add(store, "rev_1")
    stale = store.read(lambda r: r.review("rev_1"))
    store.write(lambda t: t.decide_review(stale, make_decision(), judged_at=NOON))

    with pytest.raises(ReviewClosed):
        store.write(lambda t: t.set_review(stale.model_copy(update={"holder": "bob"})))

    assert store.read(lambda r: r.review("rev_1")).status is ReviewStatus.APPROVED


@pytest.mark.parametrize("status", [ReviewStatus.APPROVED, ReviewStatus.DENIED])
def test_no_review_is_approved_or_denied_without_a_decision(
    store: Store, status: ReviewStatus
) -> None:
    _add(store, "rev_1")

    with pytest.raises(StoreError, match="by a decision only"):
        store.write(lambda t: t.set_review(make_review(status=status)))

    assert store.read(lambda r: r.review("rev_1")).status is ReviewStatus.PENDING


def test_denials_of_a_visit_in_all_branches_oldest_first(store: Store) -> None:
    other_visit = StepName(step="pay", place=Place.BEFORE, visit=2)
    other_shard = StepName(step="pay", place=Place.BEFORE, visit=1, shard=1)
    _add(store, "first", "second", "approved", "open")
    _add(store, make_review("other run", run_id="run_2"))
    _add(store, make_review("visit 2", name=other_visit), make_review("shard 1", name=other_shard))
    for review_id in ("second", "first", "other run", "visit 2", "shard 1"):
        denied = make_decision(review_id, verdict=Verdict.DENY, reasons=("wrong payee",))
        store.write(
            lambda t, d=denied: t.decide_review(make_review(d.review_id), d, judged_at=NOON)
        )
    store.write(
        lambda t: t.decide_review(
            make_review("approved"), make_decision("approved"), judged_at=NOON
        )
    )
    executed = store.read(lambda r: r.review("second"))
    executed = executed.model_copy(update={"status": ReviewStatus.EXECUTED})
    store.write(lambda t: t.set_review(executed))

    denials = store.read(lambda r: r.denials("run_1", PAY))

    assert [review.id for review, _ in denials] == ["second", "first"]
    assert denials[0][0].status is ReviewStatus.EXECUTED
    assert all(review.decision == decision for review, decision in denials)
    assert denials[0][1].reasons == ("wrong payee",)
