"""What users' own tests are written with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import hitl
from hitl import Checkpoint, EscalationPolicy, Retry, Stop
from hitl.models import RunStatus
from hitl.testing import FakeClock, On, ScriptedReviewer, UnexpectedReview, approve, deny
from tests.runtime.stage import Cheque, always, line, opened, policy


def read(state: Cheque) -> Cheque:
    return {"amount": 43 if hitl.current().denials else 48}


def pay(state: Cheque) -> Cheque:
    return {"paid": f"EUR {state['amount']}"}


RULES = policy(always("read", on_deny=[Retry(3), Stop()]), always("pay", place="before"))


def test_a_script_answers_by_step_and_in_order(tmp_path: Path) -> None:
    reviewer = ScriptedReviewer(
        [On("read", deny("wrong digit"), approve()), On("pay", lambda r: "approve")], by="ana"
    )
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        run = app.start({})

        assert reviewer.drive(app, run) is RunStatus.DONE

        assert run.value["paid"] == "EUR 43"
        assert [(s.review.name.step, s.said.verdict.value) for s in reviewer.seen] == [
            ("read", "deny"),
            ("read", "approve"),
            ("pay", "approve"),
        ]
        assert reviewer.answered("read") == ["deny", "approve"]
        reviewer.check_done()
        first = app.queue.get(reviewer.seen[0].review.id)
        assert first.decision is not None
        assert (first.decision.by, first.decision.reasons) == ("ana", ("wrong digit",))


def test_a_review_without_a_rule_fails_loudly_and_stays(tmp_path: Path) -> None:
    reviewer = ScriptedReviewer([On("read", approve())])
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        run = app.start({})

        with pytest.raises(AssertionError, match=r"'pay' .*not expected: the script has no rule"):
            reviewer.drive(app, run)

        assert [r.name.step for r in run.reviews()] == ["pay"]


def test_a_review_too_many_fails_loudly(tmp_path: Path) -> None:
    reviewer = ScriptedReviewer([On("*", deny(), approve())])
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        run = app.start({})

        with pytest.raises(UnexpectedReview, match="answers for 0 and no more"):
            reviewer.drive(app, run)


def test_answers_nobody_asked_for_fail(tmp_path: Path) -> None:
    reviewer = ScriptedReviewer([On("read", approve()), On("pay", approve(), approve())])
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        reviewer.drive(app, app.start({}))

        with pytest.raises(UnexpectedReview, match="1 for 'pay'"):
            reviewer.check_done()


def test_spot_checks_are_left_alone_unless_the_rule_says_so(tmp_path: Path) -> None:
    rules = EscalationPolicy("p", spot_check=1.0)
    with opened(tmp_path, line(read=read), rules) as app:
        run = app.start({})
        silent = ScriptedReviewer([On("read", approve())])
        asked = ScriptedReviewer([On("read", approve(), spot_checks=True)])

        assert silent.decide(app) == []
        assert [s.review.run_id for s in asked.decide(app, run)] == [run.id]


def test_the_humans_own_answer_is_taken(tmp_path: Path) -> None:
    rules = policy(Checkpoint("read", always=True, on_deny=[hitl.Answer()]))
    reviewer = ScriptedReviewer([On("read", deny(answer={"amount": 7}))])
    with opened(tmp_path, line(read=read), rules) as app:
        run = app.start({})
        reviewer.drive(app, run)
        assert run.value["amount"] == 7


def test_a_clock_moves_only_by_hand(tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    rules = policy(always("read", on_deny=[Stop()], expires_in="3d"))
    with opened(tmp_path, line(read=read), rules, clock=clock) as app:
        run = app.start({})
        clock.advance(timedelta(days=2))
        assert run.wait(0.0) is RunStatus.WAITING

        assert clock.advance(timedelta(days=1)) == datetime(2026, 3, 4, 12, tzinfo=UTC)

        assert run.wait(0.0) is RunStatus.STOPPED
        assert run.record.updated_at == clock()


def test_a_clock_refuses_what_no_clock_does() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        FakeClock(datetime(2026, 3, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(ValueError, match="does not go back"):
        FakeClock().advance(timedelta(seconds=-1))


def test_a_rule_is_answers_or_one_function() -> None:
    with pytest.raises(ValueError, match="given 0"):
        On("read")
    with pytest.raises(ValueError, match="2, 1 of them functions"):
        On("read", approve(), lambda r: "deny")
