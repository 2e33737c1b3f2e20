"""The stop button: at the next gate, recorded, reversible."""

import threading
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import hitl
from hitl import Stop
from hitl.errors import RunRefusal
from hitl.models import ReviewStatus, RunStatus
from hitl.testing import On, ScriptedReviewer, approve
from review_ui.api import create_api
from tests.runtime.stage import Cheque, always, line, opened, policy


def pay(state: Cheque) -> Cheque:
    return {"paid": f"EUR {state.get('amount')}"}


def read(state: Cheque) -> Cheque:
    return {"amount": 43}


RULES = policy(always("read"), always("pay", place="before"))


def actions(app: hitl.Workflow, run: hitl.Run) -> list[tuple[str, str]]:
    return [
        (e.body["actor"], e.body["action"])
        for e in app.queue.audit(run_id=run.id)
        if e.body["action"].startswith("run.")
    ]


def test_a_parked_run_is_stopped_at_once_and_resumed_in_new_reviews(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        run = app.start({})
        (old,) = run.reviews()

        assert [r.id for r in app.stop(run.id, by="ana", reason="wrong customer")] == [run.id]

        assert run.status is RunStatus.STOPPED
        assert run.reason == "ana stopped it (wrong customer)."
        assert app.queue.get(old.id).status is ReviewStatus.SUPERSEDED
        assert run.wait(0.0) is RunStatus.STOPPED

        app.resume(run.id, by="ben")

        (new,) = run.reviews()
        assert new.id != old.id
        reviewer = ScriptedReviewer([On("read", approve()), On("pay", approve())])
        assert reviewer.drive(app, run) is RunStatus.DONE
        assert run.value["paid"] == "EUR 43"
        assert actions(app, run) == [
            ("engine", "run.started"),
            ("engine", "run.waiting"),
            ("ana", "run.stop_asked"),
            ("ana", "run.stopped"),
            ("ben", "run.resumed"),
            ("engine", "run.waiting"),
            ("engine", "run.done"),
        ]
        assert app.queue.verify(run.id) is None


def test_a_decision_that_was_not_carried_out_survives_stop_and_resume(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        run = app.start({})
        (review,) = run.reviews()
        app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        app.stop(run.id, by="ana")

        app.resume(run.id, by="ana")

        assert [r.name.step for r in run.reviews()] == ["pay"]
        assert app.queue.get(review.id).status is ReviewStatus.EXECUTED


def test_a_run_under_way_stops_before_its_next_step(tmp_path: Path) -> None:
    began, go, paid = threading.Event(), threading.Event(), list[str]()

    def slow(state: Cheque) -> Cheque:
        began.set()
        go.wait(10)
        time.sleep(0.25)
        return {"amount": 43}

    def never(state: Cheque) -> Cheque:
        paid.append("paid")
        return {}

    with opened(tmp_path, line(read=slow, pay=never), policy()) as app:
        thread = threading.Thread(target=app.start, args=({},), kwargs={"run_id": "r1"})
        thread.start()
        began.wait(10)

        app.stop("r1", by="ana")
        assert app.run("r1").status is RunStatus.RUNNING
        with pytest.raises(RunRefusal, match="step under way ends first"):
            app.resume("r1", by="ana")
        go.set()
        thread.join(10)

        run = app.run("r1")
        assert (run.status, run.reason, paid) == (
            RunStatus.STOPPED,
            "ana stopped it (no reason given).",
            [],
        )
        app.resume("r1", by="ana")
        assert (run.status, paid) == (RunStatus.DONE, ["paid"])


def test_a_stop_that_comes_while_a_step_goes_to_its_gate_does_not_leave_a_review(
    tmp_path: Path,
) -> None:
    apps: list[hitl.Workflow] = []

    def asks(state: Cheque) -> Cheque:
        apps[0].stop("r1", by="ana")
        return {"amount": 43}

    with opened(tmp_path, line(read=asks), policy(always("read"))) as app:
        apps.append(app)
        run = app.start({}, run_id="r1")
        assert run.status is RunStatus.STOPPED
        assert run.reviews() == []


def test_all_runs_of_a_workflow_are_stopped_and_new_input_starts_afresh(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read, pay=pay), RULES) as app:
        runs = [app.start({}), app.start({})]

        assert {r.id for r in app.stop(by="ana")} == {r.id for r in runs}
        assert app.stop(by="ana") == []

        again = app.start({}, run_id=runs[0].id)
        assert again.status is RunStatus.WAITING
        assert again.record.stop_asked == ""


def test_what_cannot_be_stopped_or_resumed_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read), policy(always("read", on_deny=[Stop()]))) as app:
        run = app.start({})
        for nobody in ("", "policy", "agent:x"):
            with pytest.raises(RunRefusal):
                app.stop(run.id, by=nobody)
        with pytest.raises(RunRefusal, match="only a stopped run"):
            app.resume(run.id, by="ana")
        (review,) = run.reviews()
        app.queue.decide(review.id, "deny", by="ana", proposal_hash=review.proposal_hash)
        run.wait(5)
        with pytest.raises(RunRefusal, match="nothing to stop"):
            app.stop(run.id, by="ana")
        with pytest.raises(RunRefusal, match="not stopped by the stop button"):
            app.resume(run.id, by="ana")


def test_over_http_a_run_is_stopped_and_resumed_by_name(tmp_path: Path) -> None:
    token = "a-token-of-this-server"
    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        run = app.start({}, run_id="customer/7")
        served = FastAPI()
        served.include_router(create_api(app.queue, token=token))
        with TestClient(served, headers={"Authorization": f"Bearer {token}"}) as http:
            stopped = http.post("/v1/runs/customer%2F7/stop", json={"by": "ana", "reason": "no"})
            again = http.post("/v1/runs/customer%2F7/stop", json={"by": "ana"})
            resumed = http.post("/v1/runs/customer%2F7/resume", json={})

        assert (stopped.status_code, stopped.json()["status"]) == (200, "stopped")
        assert (again.status_code, again.json()["error"]) == (409, "RunRefusal")
        assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
        assert run.wait(0.0) is RunStatus.WAITING
