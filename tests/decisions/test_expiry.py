from datetime import timedelta
from functools import partial

import pytest

from hitl.errors import ReviewExpired
from hitl.models import DecidedBy, MailKind, RemedyKind, ReviewStatus
from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from tests.decisions.desk import NOON, Desk, HandClock, make_run, together

HOUR = timedelta(hours=1)


def test_an_expiry_is_a_decision_of_the_policy_and_wakes_the_run(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + HOUR, on_expiry=RemedyKind.ROLLBACK)
    desk.clock.move(HOUR)

    assert desk.queue.sweep() == 1

    ended = desk.queue.get("rev_1")
    assert ended.status is ReviewStatus.EXPIRED
    decision = ended.decision
    assert decision is not None
    assert (decision.made_by, decision.by, decision.surface) == ("policy", "policy", "policy")
    assert (decision.verdict, decision.remedy) == ("deny", "rollback")
    assert decision.reasons == ("expired",)
    assert decision.proposal_hash == review.proposal_hash
    assert desk.mail_keys() == ["decision:rev_1"]
    event = desk.queue.audit(run_id="run_1")[-1].body
    assert (event["action"], event["actor"], event["made_by"]) == (
        "review.expired",
        "policy",
        "policy",
    )


def test_it_does_not_expire_before_its_time(desk: Desk) -> None:
    desk.open(expires_at=NOON + HOUR)
    desk.clock.move(HOUR - timedelta(microseconds=1))

    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING


def test_an_expiry_is_no_label(desk: Desk) -> None:
    desk.open(expires_at=NOON + HOUR)

    desk.queue.sweep(NOON + HOUR)

    assert desk.store.read(lambda r: r.label_counts("payments", "read_amount")) == (0, 0)
    assert desk.store.read(lambda r: r.denied_effects("run_1")) == set()


def test_a_spot_check_never_expires(desk: Desk) -> None:
    review = desk.open(blocking=False, expires_at=NOON + HOUR)
    desk.clock.move(timedelta(days=365))

    assert desk.queue.sweep() == 0

    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)
    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED


def test_an_expiry_fires_once_however_often_it_is_swept(desk: Desk) -> None:
    desk.open(expires_at=NOON + HOUR)
    desk.clock.move(2 * HOUR)

    fired = together(*[desk.queue.sweep] * 8)

    assert sorted(fired) == [0] * 7 + [1]  # type: ignore[type-var]  # all are ints
    assert desk.queue.sweep() == 0
    assert desk.actions() == ["review.opened", "review.expired"]


def test_a_decided_review_does_not_expire(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + HOUR)
    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)
    desk.clock.move(2 * HOUR)

    assert desk.queue.sweep() == 0
    assert desk.queue.get("rev_1").status is ReviewStatus.APPROVED


def test_clock_jumps_neither_lose_nor_repeat_an_expiry(desk: Desk) -> None:
    desk.open(expires_at=NOON + HOUR)

    desk.clock.move(-timedelta(days=2))
    assert desk.queue.sweep() == 0
    desk.clock.move(timedelta(days=30))
    assert desk.queue.sweep() == 1
    desk.clock.move(-timedelta(days=30))
    assert desk.queue.sweep() == 0
    desk.clock.move(timedelta(days=60))
    assert desk.queue.sweep() == 0
    assert desk.actions() == ["review.opened", "review.expired"]


def test_an_expiry_due_while_nothing_ran_fires_once_after_the_restart(url: str) -> None:
    clock = HandClock()
    first = open_store(url)
    Desk(first, clock, ReviewQueue(first, clock=clock)).open(expires_at=NOON + HOUR)
    first.close()

    clock.move(2 * HOUR)
    second = open_store(url)
    assert ReviewQueue(second, clock=clock).sweep() == 1
    second.close()

    third = open_store(url)
    queue = ReviewQueue(third, clock=clock)
    assert queue.sweep() == 0
    decision = queue.get("rev_1").decision
    assert decision is not None
    assert decision.made_by is DecidedBy.POLICY
    third.close()


def test_timers_of_unknown_reviews_do_not_hide_the_others(desk: Desk) -> None:
    # a timer whose review is unknown, due first, in more than one batch
    desk.store.write(lambda t: t.add_run(make_run("run_x"), None))
    for n in range(150):
        desk.store.write(
            partial(
                lambda t, n: t.put_mail(
                    "run_x",
                    MailKind.EXPIRY,
                    key=f"expiry:gone_{n}",
                    due_at=NOON,
                    payload={"review_id": f"gone_{n}"},
                ),
                n=n,
            )
        )
    desk.open(expires_at=NOON + HOUR)
    desk.clock.move(HOUR)

    assert desk.queue.sweep() == 1
    assert desk.queue.get("rev_1").status is ReviewStatus.EXPIRED


def test_a_timer_that_cannot_be_fired_does_not_stop_the_others(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.run("run_x")
    desk.store.write(
        lambda t: t.put_mail("run_x", MailKind.EXPIRY, key="broken", due_at=NOON, payload={})
    )
    desk.open(expires_at=NOON + HOUR)
    desk.clock.move(HOUR)

    assert desk.queue.sweep() == 1
    assert "a timer could not be fired" in caplog.text


def test_the_late_reviewer_is_told_that_time_ran_out(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + HOUR)
    desk.clock.move(HOUR)
    desk.queue.sweep()

    with pytest.raises(ReviewExpired):
        desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)
