from datetime import timedelta

import pytest

from hitl.errors import AlreadyDecided, NotAllowed, NotFound, ReviewClosed, ReviewExpired
from hitl.models import ReviewStatus
from hitl.reviews import supersede
from tests.decisions.desk import NOON, Desk


def test_a_cancelled_review_commits_nothing_and_wakes_its_run(desk: Desk) -> None:
    desk.open()

    closed = desk.queue.cancel("rev_1", by="ina", reason="asked twice")  # its initiator may

    assert closed.status is ReviewStatus.CANCELLED
    assert closed.closed_reason == "asked twice"
    assert closed.decision is None
    assert desk.actions() == ["review.opened", "review.cancelled"]
    personal = desk.queue.audit(run_id="run_1")[-1].personal  # what may be erased stands apart
    assert personal is not None
    assert personal["reason"] == "asked twice"
    assert desk.mail_keys() == ["cancelled:rev_1"]


def test_a_cancelled_spot_check_wakes_nobody(desk: Desk) -> None:
    desk.open(blocking=False)

    desk.queue.cancel("rev_1", by="ana", reason="asked twice")

    assert desk.mail_keys() == []


@pytest.mark.parametrize("by", ["agent:reader", "policy", ""])
def test_agents_do_not_choose_what_is_looked_at(desk: Desk, by: str) -> None:
    desk.open()

    with pytest.raises(NotAllowed):
        desk.queue.cancel("rev_1", by=by, reason="inconvenient")

    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING


def test_what_is_over_is_not_cancelled(desk: Desk) -> None:
    first, _ = desk.open("rev_1"), desk.open("rev_2", expires_at=NOON + timedelta(hours=1))
    desk.open("rev_3")
    desk.queue.decide("rev_1", "approve", by="ben", proposal_hash=first.proposal_hash)
    desk.queue.cancel("rev_3", by="ana", reason="asked twice")
    desk.clock.move(timedelta(hours=1))

    with pytest.raises(AlreadyDecided, match="by ben"):
        desk.queue.cancel("rev_1", by="ana", reason="late")
    with pytest.raises(ReviewExpired):
        desk.queue.cancel("rev_2", by="ana", reason="late")
    with pytest.raises(ReviewClosed, match="cancelled"):
        desk.queue.cancel("rev_3", by="ana", reason="late")


def test_supersede_closes_the_runs_pending_blocking_reviews_only(desk: Desk) -> None:
    decided = desk.open("rev_decided")
    desk.queue.decide("rev_decided", "approve", by="ana", proposal_hash=decided.proposal_hash)
    desk.open("rev_1")
    desk.open("rev_2")
    desk.open("rev_spot", blocking=False)
    desk.open("rev_other", run_id="run_2")

    gone = desk.store.write(
        lambda t: supersede(t, "run_1", reason="the state was changed", now=desk.clock())
    )

    assert sorted(gone) == ["rev_1", "rev_2"]
    by_status = {r.id: r.status.value for r in desk.queue.reviews()}
    assert by_status == {
        "rev_decided": "approved",
        "rev_1": "superseded",
        "rev_2": "superseded",
        "rev_spot": "pending",
        "rev_other": "pending",
    }
    assert desk.actions().count("review.superseded") == 2
    assert desk.queue.get("rev_1").closed_reason == "the state was changed"


def test_an_outcome_is_kept_and_on_the_trail(desk: Desk) -> None:
    desk.run()

    outcome = desk.queue.outcome("run_1", good=False, step="pay", note="bounced", by="ana")

    assert desk.store.read(lambda r: r.outcomes("run_1")) == [outcome]
    assert (outcome.good, outcome.step, outcome.known_at) == (False, "pay", NOON)
    event = desk.queue.audit(run_id="run_1")[-1].body
    assert (event["action"], event["actor"], event["good"]) == ("run.outcome", "ana", False)


def test_an_outcome_of_no_run_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.queue.outcome("run_9", good=True)
