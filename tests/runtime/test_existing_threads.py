"""Threads that plain LangGraph made go on under gates, and runs go on under plain LangGraph."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command, interrupt

from hitl.models import RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    go_on,
    line,
    only,
    opened,
    policy,
    rows,
    settle,
    trail,
)

CONFIG: Any = {"configurable": {"thread_id": "old"}}


def graph() -> Any:
    return line(
        read=lambda s: {"payee": f"{s['amount']}"}, pay=lambda s: {"paid": s["payee"], "log": ["p"]}
    )


def plainly(path: Path, built: Any, input: Any, **options: Any) -> Any:
    """Run a graph on the thread without hitl, in the same file."""
    connection = sqlite3.connect(path / "hitl.db", check_same_thread=False)
    try:
        app = built.compile(checkpointer=SqliteSaver(connection), **options)
        return app.invoke(input, CONFIG)
    finally:
        connection.close()


def test_new_input_on_an_old_thread_is_gated_and_keeps_its_state(tmp_path: Path) -> None:
    plainly(tmp_path, graph(), {"amount": 1})
    with opened(tmp_path, graph(), policy(always("pay"))) as app:
        app.invoke({"amount": 2}, CONFIG)
        run = app.run("old")
        assert (run.record.turn, run.reliability) == (2, 1.0)
        assert trail(app, run)[:2] == ["run.adopted", "run.input"]
        approve(app, only(run))
        go_on(run)
        assert run.value == {"amount": 2, "payee": "2", "paid": "2", "log": ["p", "p"]}
        assert [r.turn for r in rows(app, run)] == [2, 2]


def test_a_thread_stopped_at_a_breakpoint_goes_on_into_a_gate(tmp_path: Path) -> None:
    plainly(tmp_path, graph(), {"amount": 1}, interrupt_before=["pay"])
    with opened(tmp_path, graph(), policy(always("pay"))) as app:
        app.invoke(None, CONFIG)
        run = app.run("old")
        assert only(run).name.step == "pay"
        settle(app, run)
        assert run.value["log"] == ["p"]


@pytest.mark.parametrize("how", ["review", "resume"])
def test_a_question_that_waited_before_is_answered_either_way(tmp_path: Path, how: str) -> None:
    def ask(state: Cheque) -> Cheque:
        return {"payee": interrupt("who?")}

    asking = line(ask=ask, pay=lambda s: {"paid": s["payee"]})
    plainly(tmp_path, asking, {"amount": 1})
    with opened(tmp_path, asking, policy(always("pay"))) as app:
        if how == "resume":
            app.invoke(Command(resume="ACME"), CONFIG)
            run = app.run("old")
        else:
            app.invoke(None, CONFIG)
            run = app.run("old")
            approve(app, only(run), answer="ACME")
            go_on(run)
        assert only(run).name.step == "pay"
        settle(app, run)
        assert run.value["paid"] == "ACME"


def test_an_update_by_hand_of_an_old_thread_makes_it_a_run(tmp_path: Path) -> None:
    plainly(tmp_path, graph(), {"amount": 1}, interrupt_before=["pay"])
    with opened(tmp_path, graph(), policy()) as app:
        app.graph.update_state(CONFIG, {"payee": "by hand"})
        run = app.run("old")
        assert trail(app, run) == ["run.adopted", "run.state_updated"]
        app.invoke(None, CONFIG)
        assert run.status is RunStatus.DONE
        assert run.value["paid"] == "by hand"


def test_a_run_of_ours_goes_on_without_hitl(tmp_path: Path) -> None:
    with opened(tmp_path, graph()) as app:
        app.start({"amount": 1}, run_id="old")
    assert plainly(tmp_path, graph(), {"amount": 2})["log"] == ["p", "p"]


def test_looking_at_an_old_thread_makes_no_run(tmp_path: Path) -> None:
    plainly(tmp_path, graph(), {"amount": 1})
    with opened(tmp_path, graph()) as app:
        assert app.graph.get_state(CONFIG).values["payee"] == "1"
        assert len(list(app.graph.get_state_history(CONFIG))) == 4
        assert app.runs() == []


def test_a_thread_that_died_in_plain_langgraph_goes_on_into_a_gate(tmp_path: Path) -> None:
    down = [True]

    def read(state: Cheque) -> Cheque:
        return {"payee": f"{state['amount']}", "log": ["read"]}

    def check(_: Cheque) -> Cheque:
        if down:
            raise ConnectionError(down.pop())
        return {"log": ["checked"]}

    built = line(read=read, check=check, pay=lambda s: {"paid": s["payee"]})
    with pytest.raises(ConnectionError):
        plainly(tmp_path, built, {"amount": 1})
    with opened(tmp_path, built, policy(always("pay"))) as app:
        app.invoke(None, CONFIG)
        run = app.run("old")
        assert only(run).name.step == "pay"
        settle(app, run)
        assert run.value["log"] == ["read", "checked"], "what was done is not done again"


def waiting(path: Path) -> list[Any]:
    """Leave a run parked at a gate, after its first step; return what the steps did."""
    did: list[Any] = []

    def pay(state: Cheque) -> Cheque:
        did.append("pay")
        return {"paid": state["payee"], "log": ["paid"]}

    built = line(read=lambda s: {"payee": f"{s['amount']}"}, pay=pay)
    with opened(path, built, policy(always("pay"))) as app:
        app.start({"amount": 1}, run_id="old")
        did.append(built)
    return did


@pytest.mark.parametrize("input", [None, Command(resume="go on")], ids=["none", "resume"])
def test_a_run_parked_at_a_gate_goes_on_plainly_unasked(tmp_path: Path, input: Any) -> None:
    did = waiting(tmp_path)
    built = did.pop()
    connection = sqlite3.connect(tmp_path / "hitl.db", check_same_thread=False)
    plain = built.compile(checkpointer=SqliteSaver(connection))
    before = plain.get_state(CONFIG)
    assert (before.next, before.values["payee"]) == (("pay",), "1")
    assert before.interrupts[0].value["hitl"] == "review"
    assert plain.invoke(input, CONFIG)["paid"] == "1"
    connection.close()
    assert did == ["pay", "pay"], "the step ran again, and nobody was asked"
    with opened(tmp_path, built, policy(always("pay"))) as app:
        run = app.run("old")
        assert only(run).name.step == "pay", "its review still waits"
        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "was never committed" in run.record.reason
        assert did == ["pay", "pay"]
        app.invoke({"amount": 2}, CONFIG)
        settle(app, run)
        assert run.value["paid"] == "2"


def test_a_run_parked_at_a_gate_waits_on_when_wrapped_without_that_gate(tmp_path: Path) -> None:
    did = waiting(tmp_path)
    with opened(tmp_path, did.pop(), policy()) as app:
        run = app.run("old")
        go_on(run)
        assert (run.status, only(run).name.step) == (RunStatus.WAITING, "pay")
        settle(app, run)
        assert (run.status, run.value["paid"], did) == (RunStatus.DONE, "1", ["pay"])
