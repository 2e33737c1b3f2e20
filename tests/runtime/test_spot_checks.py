"""Random labels where nobody would look: the coin, its rate, and that the run does not notice."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Checkpoint, Rollback, Stop
from hitl.errors import InvalidAnswer
from hitl.models import ReviewStatus, RunStatus
from hitl.policy import run_coin
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    rows,
    settle,
)


def sure(confidence: float, **update: Any) -> Body:
    def body(state: Cheque) -> Any:
        hitl.report(confidence=confidence)
        return update

    return body


def test_a_spot_check_does_not_stop_the_run(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=sure(0.9, payee="x")), policy(spot_check=1.0)) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.DONE
        review = only(run)
        assert (review.blocking, review.status) == (False, ReviewStatus.PENDING)
        assert review.presentation.why == (
            "Spot check: 1 of the steps nobody asks about are looked at.",
        )
        assert review.proposal.arguments == {"update": {"payee": "x"}}
        assert (review.rungs, review.expires_at) == ((), None)


def test_the_row_says_how_likely_the_label_was(tmp_path: Path) -> None:
    rules = policy(Checkpoint("read", spot_check=1.0), always("pay"), spot_check=0.25)
    graph = line(plan=sure(0.9), read=sure(0.9), pay=sure(0.9))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        plan, read, pay = (row(app, run, name) for name in ("plan", "read", "pay"))
        assert (plan.coin_rate, plan.propensity_label) == (0.25, 0.25)
        assert plan.coin_u is not None
        assert plan.spot_check is (plan.coin_u < 0.25)
        assert (read.coin_rate, read.propensity_label, read.spot_check) == (1.0, 1.0, True)
        assert (pay.coin_rate, pay.propensity_label, pay.action) == (0.25, 1.0, "ask")
        assert (plan.propensity_ask, read.propensity_ask, pay.propensity_ask) == (0.0, 0.0, 1.0)


def test_the_share_drawn_is_the_rate(tmp_path: Path) -> None:
    graph = line(**{f"n{i}": sure(1.0) for i in range(20)})
    with opened(tmp_path, graph, policy(spot_check=0.3)) as app:
        drawn = [
            each.spot_check
            for number in range(15)
            for each in rows(app, app.start({"amount": 1}, run_id=f"run_{number}"))
        ]
        assert len(drawn) == 300
        assert 0.3 - 4 * 0.0265 < sum(drawn) / 300 < 0.3 + 4 * 0.0265
        assert app.queue.counts()[ReviewStatus.PENDING] == sum(drawn)


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_its_answer_is_a_label_and_does_not_touch_the_run(tmp_path: Path, verdict: str) -> None:
    with opened(tmp_path, line(read=sure(0.9, payee="x")), policy(spot_check=1.0)) as app:
        run = app.start({"amount": 1})
        before = run.record
        review = only(run)
        app.queue.decide(review.id, verdict, by="ana", proposal_hash=review.proposal_hash)
        go_on(run)

        assert run.record == before
        assert run.value["payee"] == "x"
        labels = app.store.read(lambda r: r.label_counts(app.name, "read"))
        assert labels == (int(verdict == "approve"), 1)
        assert not row(app, run, "read").verified
        assert run.reliability == pytest.approx(0.9)


def test_a_spot_check_takes_no_remedy(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=sure(0.9)), policy(spot_check=1.0)) as app:
        run = app.start({"amount": 1})
        with pytest.raises(InvalidAnswer, match="A spot check takes no remedy"):
            deny(app, only(run), "stop")


def test_a_denied_spot_check_is_no_attempt_of_the_step(tmp_path: Path) -> None:
    rules = policy(Checkpoint("plan", spot_check=1.0), always("pay", on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, line(plan=sure(0.9), pay=sure(0.9)), rules) as app:
        run = app.start({"amount": 1})
        spot = next(r for r in run.reviews() if not r.blocking)
        deny(app, spot, reasons=["bad plan"])
        deny(app, only(run), "rollback", reasons=["bad"])
        go_on(run)

        plans = rows(app, run, "plan")
        assert [r.attempt for r in plans] == [1, 1]
        assert [r.undone_at is not None for r in plans] == [True, False]


def test_what_waits_for_a_spot_check_outlives_new_input_and_rollback(tmp_path: Path) -> None:
    rules = policy(spot_check=1.0)
    with opened(tmp_path, line(read=sure(0.9)), rules) as app:
        run = app.start({"amount": 1})
        app.start({"amount": 2}, run_id=run.id)
        assert [r.status for r in run.reviews(pending=False)] == [ReviewStatus.PENDING] * 2


def test_a_drawn_run_is_looked_at_in_every_step(tmp_path: Path) -> None:
    graph = line(plan=sure(0.9), child=line(one=sure(0.9), two=sure(0.9)).compile())
    with opened(tmp_path, graph, policy(spot_check_runs=0.5)) as app:
        secret = bytes.fromhex(str(app.store.read(lambda r: r.setting("coin.secret"))))
        seen = set()
        for number in range(12):
            run = app.start({"amount": 1}, run_id=f"run_{number}")
            whole = run_coin(secret, run.id) < 0.5
            seen.add(whole)
            assert run.record.full_spot_check is whole
            found = rows(app, run)
            assert len(run.reviews()) == (len(found) if whole else 0)
            assert {r.propensity_label for r in found} == {1.0 if whole else 0.0}
        assert seen == {True, False}


def test_a_label_of_a_spot_check_counts_as_any_other(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path, line(read=sure(0.5)), policy(spot_check=1.0), clock=clock) as app:
        for _ in range(30):
            approve(app, only(app.start({"amount": 1})))
        assert app.store.read(lambda r: r.label_counts(app.name, "read")) == (30, 30)


def test_first_contact_spot_checks_two_in_a_hundred_and_gates_effects(tmp_path: Path) -> None:
    graph = line(read=sure(0.9))
    graph.add_node("pay", sure(0.9, paid="yes"), metadata={"effect": True})
    graph.add_edge("read", "pay")
    with closing(hitl.wrap(graph, store=f"sqlite:///{tmp_path / 'hitl.db'}")) as app:
        run = app.start({"amount": 1})
        assert {r.coin_rate for r in rows(app, run)} == {0.02}
        blocking = [r for r in run.reviews() if r.blocking]
        assert [(r.name.step, r.name.place) for r in blocking] == [("pay", "before")]
        settle(app, run)
        assert run.value["paid"] == "yes"
