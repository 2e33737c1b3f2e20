"""Takeover: a person does the step, or completes the run, and what they hand in is their own work."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import StateGraph

import hitl
from hitl import Checkpoint, Retry, Run, Stop, Takeover
from hitl.errors import ClaimLost, ConfigurationError, InvalidAnswer
from hitl.lab.log import read_gate_log
from hitl.models import RunStatus, Workspace
from tests.runtime.processes import killed, mortal
from tests.runtime.stage import (
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
    trail,
)


def read(state: Cheque) -> Cheque:
    return {"amount": 7, "log": ["read"]}


def check(state: Cheque) -> Cheque:
    return {"payee": "Alba", "log": ["check"]}


def pay(state: Cheque) -> Cheque:
    return {"paid": f"{state.get('amount')} to {state.get('payee')}", "log": ["pay"]}


def desk() -> "StateGraph[Any, Any, Any, Any]":
    return line(read=read, check=check, pay=pay)


STEP = always("check", on_deny=[Takeover()])
CLOSING = always("check", on_deny=[Takeover(then="close")])
RUN = always("check", on_deny=[Takeover(scope="run")])


def work(run: Run) -> Workspace:
    """Return what a person who takes over works with."""
    shown = only(run).presentation.workspace
    assert shown is not None
    return shown


def test_a_person_does_the_step_and_the_graph_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(STEP)) as app:
        run = app.start({"log": ["in"]})
        review = only(run)
        deny(app, review, "takeover", answer={"payee": "Bo", "amount": 9, "log": ["by hand"]})
        go_on(run)

        assert run.status is RunStatus.DONE
        assert run.value == {
            "amount": 9,
            "payee": "Bo",
            "paid": "9 to Bo",
            "log": ["in", "read", "by hand", "pay"],
        }
        assert row(app, run, "check").done_by == "person"
        assert row(app, run, "check").verified


def test_a_person_completes_the_run_and_no_other_step_runs(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({"log": ["in"]})
        review = only(run)
        deny(app, review, "takeover", answer={"paid": "9 by hand", "log": ["by hand"]})
        go_on(run)

        assert run.status is RunStatus.DONE
        assert run.value == {"amount": 7, "paid": "9 by hand", "log": ["in", "read", "by hand"]}
        assert run.record.completed_by == "ana"
        assert app.graph.get_state(run.config).next == ()
        assert "run.completed_by_hand" in trail(app, run)
        assert row(app, run, "check").done_by == "person"
        assert app.queue.verify() is None


def test_what_a_person_works_with_says_where_things_stand_and_what_is_missing(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, desk(), policy(RUN, always("read", on_deny=[Takeover()]))) as app:
        run = app.start({"log": ["in"]})
        step = work(run)
        assert (step.values, step.appends, step.left) == ({"log": ["in"]}, ("log",), ())
        assert step.missing == ("amount", "payee", "paid")
        approve(app, only(run))
        go_on(run)

        whole = work(run)
        assert whole.values == {"amount": 7, "log": ["in", "read"]}
        assert (whole.left, whole.missing) == (("pay",), ("payee", "paid"))
        fields = whole.answer_schema["properties"]
        assert isinstance(fields, dict)
        assert set(fields) == {"amount", "payee", "paid", "log"}
        assert only(run).presentation.if_denied.startswith("You complete the run by hand")


def test_the_run_is_closed_after_the_step(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(CLOSING)) as app:
        run = app.start({})
        assert work(run).left == ("pay",)
        deny(app, only(run), "takeover", answer={"payee": "Bo"})
        assert go_on(run).value == {"amount": 7, "payee": "Bo", "log": ["read"]}
        assert run.status is RunStatus.DONE


def test_nothing_needs_to_be_handed_in(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({})
        deny(app, only(run), "takeover", answer={})
        assert go_on(run).value == {"amount": 7, "log": ["read"]}


def test_a_completed_run_takes_new_input_as_any_other(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({}, run_id="r")
        deny(app, only(run), "takeover", answer={"paid": "by hand"})
        go_on(run)
        app.start({"log": ["again"]}, run_id="r")
        assert (run.status, run.record.completed_by) == (RunStatus.WAITING, "")
        approve(app, only(run))
        assert go_on(run).value["paid"] == "7 to Alba"


def test_the_callers_own_invoke_returns_what_was_handed_in(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({})
        deny(app, only(run), "takeover", answer={"paid": "by hand"})
        assert app.invoke(None, run.config)["paid"] == "by hand"
        assert run.status is RunStatus.DONE


async def later(state: Cheque) -> Cheque:
    await asyncio.sleep(0)
    return {"payee": "Alba"}


@pytest.mark.parametrize("checkpoint", [STEP, RUN], ids=["step", "run"])
def test_an_asynchronous_graph_is_taken_over(tmp_path: Path, checkpoint: Checkpoint) -> None:
    with opened(tmp_path, line(read=read, check=later), policy(checkpoint)) as app:
        run = asyncio.run(app.astart({}))
        deny(app, only(run), "takeover", answer={"payee": "Bo"})
        assert asyncio.run(app.ainvoke(None, run.config))["payee"] == "Bo"
        assert run.status is RunStatus.DONE


def nested() -> "StateGraph[Any, Any, Any, Any]":
    return line(read=read, mid=line(inner=check, after=pay).compile(), last=pay)


def test_a_step_of_a_child_graph_is_taken_over(tmp_path: Path) -> None:
    with opened(tmp_path, nested(), policy(always("mid/inner", on_deny=[Takeover()]))) as app:
        run = app.start({})
        deny(app, only(run), "takeover", answer={"payee": "Bo"})
        assert go_on(run).value["paid"] == "7 to Bo"


def test_a_run_is_completed_from_inside_a_child_graph(tmp_path: Path) -> None:
    checkpoint = always("mid/inner", on_deny=[Takeover(scope="run")])
    with opened(tmp_path, nested(), policy(checkpoint)) as app:
        run = app.start({})
        shown = work(run)
        assert shown.left == ("mid/after", "last")
        deny(app, only(run), "takeover", answer={"paid": "by hand"})
        assert go_on(run).value == {"amount": 7, "paid": "by hand", "log": ["read"]}
        assert app.graph.get_state(run.config, subgraphs=True).next == ()


def test_what_ran_beside_it_stays_and_what_waited_beside_it_is_withdrawn(tmp_path: Path) -> None:
    graph = line(read=read)
    for name, body in {"one": check, "two": check, "beside": pay, "after": check}.items():
        graph.add_node(name, body)
    for name in ("one", "two", "beside"):
        graph.add_edge("read", name)
    graph.add_edge("beside", "after")
    with opened(
        tmp_path, graph, policy(always("one", on_deny=[Takeover(scope="run")]), always("two"))
    ) as app:
        run = app.start({})
        mine, other = sorted(run.reviews(), key=lambda r: r.name.step)
        deny(app, mine, "takeover", answer={"payee": "Bo"})
        go_on(run)
        assert run.status is RunStatus.DONE
        assert run.value == {
            "amount": 7,
            "payee": "Bo",
            "paid": "7 to None",
            "log": ["read", "pay"],
        }
        assert app.queue.get(other.id).status == "superseded"
        assert "ana took over" in app.queue.get(other.id).closed_reason


def test_a_stop_beside_it_is_the_stronger_no(tmp_path: Path) -> None:
    graph = line(read=read)
    for name in ("one", "two"):
        graph.add_node(name, check)
        graph.add_edge("read", name)
    rules = policy(always("one", on_deny=[Takeover(scope="run")]), always("two", on_deny=[Stop()]))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({})
        mine, other = sorted(run.reviews(), key=lambda r: r.name.step)
        deny(app, mine, "takeover", answer={"payee": "Bo"})
        deny(app, other, "stop", by="bo")
        assert go_on(run).status is RunStatus.STOPPED


@pytest.mark.parametrize(
    ("rung", "value"),
    [
        (Takeover(), {"amount": 7, "payee": "Alba", "paid": "by hand", "log": ["read", "check"]}),
        (
            Takeover(scope="run"),
            {"amount": 7, "payee": "Alba", "paid": "by hand", "log": ["read", "check"]},
        ),
    ],
    ids=["step", "run"],
)
def test_an_effect_is_done_by_hand_and_its_step_never_runs(
    tmp_path: Path, rung: Takeover, value: Any
) -> None:
    with opened(tmp_path, desk(), policy(always("pay", place="before", on_deny=[rung]))) as app:
        run = app.start({})
        deny(app, only(run), "takeover", answer={"paid": "by hand"})
        assert go_on(run).value == value


def test_what_is_missing_at_the_end_is_handed_in_and_not_asked_about_again(tmp_path: Path) -> None:
    end = always("done", on_deny=[Retry(), Takeover(scope="run")])
    with opened(tmp_path, line(read=read), policy(end)) as app:
        run = app.start({})
        shown = work(run)
        assert (shown.left, shown.missing) == ((), ("payee", "paid"))
        deny(app, only(run), "takeover", answer={"paid": "by hand"})
        assert go_on(run).value == {"amount": 7, "paid": "by hand", "log": ["read"]}
        assert run.status is RunStatus.DONE


def test_an_entrypoint_is_completed_with_its_value(tmp_path: Path) -> None:
    @entrypoint()
    def add(number: int) -> int:
        return number + 1

    with opened(tmp_path, add, policy(always("add", on_deny=[Takeover(scope="run")]))) as app:
        run = app.start(1)
        deny(app, only(run), "takeover", answer=12)
        assert go_on(run).value == 12


@pytest.mark.parametrize(("rung", "value"), [(Takeover(), 24), (Takeover(scope="run"), 12)])
def test_a_task_of_an_entrypoint_is_taken_over(tmp_path: Path, rung: Takeover, value: int) -> None:
    @task
    def double(number: int) -> int:
        return number * 2

    @entrypoint()
    def flow(number: int) -> int:
        return double(number).result() * 2

    with opened(tmp_path, flow, policy(always("flow/double", on_deny=[rung]))) as app:
        run = app.start(1)
        deny(app, only(run), "takeover", answer=12)
        assert go_on(run).value == value


def test_what_does_not_fit_the_types_is_refused_and_the_review_still_waits(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({})
        for answer in ({"amount": "much"}, {"nothing": 1}, [1]):
            with pytest.raises(InvalidAnswer, match="does not fit"):
                deny(app, only(run), "takeover", answer=answer)
        with pytest.raises(InvalidAnswer, match="needs the work itself"):
            deny(app, only(run), "takeover")
        assert run.status is RunStatus.WAITING


# -- in somebody's hands --------------------------------------------------------------------------


def test_work_in_somebodys_hands_is_decided_by_nobody_else(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({})
        review = app.queue.take_over(only(run).id, by="ana", fence="tab")
        assert (review.holder, review.taken_over_at is not None) == ("ana", True)
        app.queue.release(review.id, by="ana", fence="tab")  # the tab was closed
        with pytest.raises(ClaimLost, match="ana"):
            approve(app, review, by="bo")
        with pytest.raises(ClaimLost, match="ana"):
            app.queue.take_over(review.id, by="bo")
        assert (
            app.queue.claim(review.id, by="ana", fence="tab 2").claimed_until
            == review.claimed_until
        )
        deny(app, review, "takeover", answer={"paid": "by hand"})
        assert go_on(run).value["paid"] == "by hand"
        assert trail(app, run).count("review.taken_over") == 1


def test_work_is_handed_back(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.start({})
        review = app.queue.take_over(only(run).id, by="ana")
        with pytest.raises(ClaimLost, match="ana"):
            app.queue.hand_back(review.id, by="bo")
        assert app.queue.hand_back(review.id, by="ana").taken_over_at is None
        assert app.queue.hand_back(review.id, by="ana").holder is None
        approve(app, review, by="bo")
        assert go_on(run).status is RunStatus.DONE
        assert "review.handed_back" in trail(app, run)


def test_after_its_lease_others_may_take_the_work(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path, desk(), policy(RUN), clock=clock) as app:
        run = app.start({})
        app.queue.take_over(only(run).id, by="ana")
        clock.move(timedelta(hours=8))
        review = app.queue.take_over(only(run).id, by="bo")
        assert (review.holder, review.taken_over_at) == ("bo", clock())


def test_nobody_takes_over_where_the_policy_does_not_say_so(tmp_path: Path) -> None:
    with opened(tmp_path, desk(), policy(always("check"))) as app:
        run = app.start({})
        with pytest.raises(InvalidAnswer, match="lets nobody take over"):
            app.queue.take_over(only(run).id, by="ana")


# -- what it says of the step -----------------------------------------------------------------------


@pytest.mark.parametrize(("reasons", "counted"), [((), 0), (("wrong payee",), 1)])
def test_only_a_reason_labels_the_step_wrong(
    tmp_path: Path, reasons: tuple[str, ...], counted: int
) -> None:
    with opened(tmp_path, desk(), policy(STEP)) as app:
        run = app.start({})
        deny(app, only(run), "takeover", answer={"payee": "Bo"}, reasons=reasons)
        go_on(run)
        right, judged = app.store.read(lambda r: r.label_counts(app.name, "check"))
        assert (right, judged) == (0, counted)
        log = app.store.read(lambda r: read_gate_log(r))
        wrong = log.number("wrong")[log.text("step") == "check"]
        assert [float(w) for w in wrong if w == w] == [1.0] * counted


# -- crashes ----------------------------------------------------------------------------------------


def decided_and_killed(path: Path, at: int, moment: Any) -> None:
    store = mortal(path)
    app = hitl.wrap(desk(), policy(RUN), store=store)
    run = app.start({}, run_id="r")
    deny(app, only(run), "takeover", answer={"paid": "by hand", "log": ["by hand"]})
    store.doom(at=at, moment=moment)
    go_on(run)


@pytest.mark.parametrize(("at", "moment"), [(1, "after"), (2, "after")])
def test_a_kill_between_decision_and_commit_completes_once(
    tmp_path: Path, at: int, moment: str
) -> None:
    assert killed(decided_and_killed, tmp_path, at, moment)
    with opened(tmp_path, desk(), policy(RUN)) as app:
        run = app.run("r")
        assert run.wait(5.0) is RunStatus.DONE
        assert run.value == {"amount": 7, "paid": "by hand", "log": ["read", "by hand"]}
        assert trail(app, run).count("run.completed_by_hand") == 1


# -- what makes no sense ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        (lambda: always("done", on_deny=[Takeover()]), "where no step is left to take over"),
        (lambda: always("mid/inner", on_deny=[Takeover(then="close")]), "inside a child graph"),
        (lambda: always("mid", on_expiry=Takeover()), "nobody is there to take over"),
        (
            lambda: always("mid", on_deny=[Takeover(scope="run", then="go_on")]),
            "nothing of it can go on",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    tmp_path: Path, checkpoint: Any, said: str
) -> None:
    with (
        pytest.raises(ConfigurationError, match=said),
        opened(tmp_path, nested(), policy(checkpoint())),
    ):
        pass
