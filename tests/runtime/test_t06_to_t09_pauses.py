"""Traps T6 to T9: a pause is a park signal, and no answer of LangGraph's is ever a decision."""

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from hitl.errors import AlreadyDecided, ResumeRefused
from hitl.models import Place, RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    deny,
    fan,
    go_on,
    line,
    only,
    opened,
    policy,
)


class Log(TypedDict, total=False):
    """A state that only appends: branches may write it together."""

    log: Annotated[list[str], operator.add]


def asking(state: Cheque) -> Cheque:
    """Ask twice, and say which answers came."""
    first, second = interrupt("which payee?"), interrupt("which account?")
    return {"payee": f"{first} {second}"}


def test_t06_native_answers_and_gates_do_not_take_each_others_slots(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking), policy(always("ask"))) as app:
        run = app.start({"amount": 1})
        for answer in ("ACME", "savings"):
            question = only(run)
            assert question.name.place is Place.QUESTION
            approve(app, question, answer=answer)
            go_on(run)
        denied = only(run)
        assert denied.proposal.arguments == {"update": {"payee": "ACME savings"}}

        deny(app, denied, "retry")
        go_on(run)
        for answer in ("Bolt", "giro"):
            approve(app, only(run), answer=answer)
            go_on(run)
        again = only(run)
        assert again.attempt == 2
        assert again.proposal.arguments == {"update": {"payee": "Bolt giro"}}

        approve(app, again)
        go_on(run)
        assert run.value["payee"] == "Bolt giro"


def test_t07_a_second_click_answers_nothing_but_the_review_it_was_made_on(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        first = only(run)
        deny(app, first, "retry")
        with pytest.raises(AlreadyDecided):
            approve(app, first, by="bob")
        go_on(run)
        second = only(run)
        with pytest.raises(AlreadyDecided):
            approve(app, first, by="bob")
        go_on(run)

        assert only(run) == second
        assert (second.attempt, second.decision) == (2, None)


def test_t07_a_resume_by_interrupt_id_does_not_open_a_gate(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        (parked,) = app.graph.get_state(run.config).interrupts
        with pytest.raises(ResumeRefused, match=r"only a decision on its review"):
            app.invoke(Command(resume={parked.id: {"verdict": "approve"}}), run.config)

        assert only(run).decision is None
        assert "payee" not in app.graph.get_state(run.config).values


def branches(done: list[str]) -> StateGraph[Any, Any, Any, Any]:
    """Return a fan-out of a gated step and a plain one that has a successor."""

    def after(state: Cheque) -> Cheque:
        done.append("after")
        return {"log": ["after"]}

    def slow(state: Cheque) -> Cheque:
        done.append("slow")
        return {"log": ["slow"]}

    graph = fan(slow=slow)
    graph.add_node("quick", lambda _: {"log": ["quick"]})
    graph.add_node("after", after)
    graph.add_edge(START, "quick")
    graph.add_edge("quick", "after")
    return graph


def test_t08_a_parked_step_holds_its_superstep_and_wrap_says_so(tmp_path: Path) -> None:
    done: list[str] = []
    with opened(tmp_path, branches(done), policy(always("slow"))) as app:
        run = app.start({"amount": 1})
        assert done == ["slow"]
        assert any("'slow' waits" in note and "'quick'" in note for note in app.notes)

        approve(app, only(run))
        go_on(run)
        assert done == ["slow", "after"]
        assert sorted(run.value["log"]) == ["after", "quick", "slow"]


def test_t08_branches_in_subgraphs_run_on_while_another_waits(tmp_path: Path) -> None:
    done: list[str] = []

    def step(name: str) -> Any:
        def body(state: Cheque) -> Cheque:
            done.append(name)
            return {"log": [name]}

        return body

    children = {
        name: line(Log, one=step(f"{name} one"), two=step(f"{name} two")).compile()
        for name in ("left", "right")
    }
    nested: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    for name, child in children.items():
        nested.add_node(name, child)
        nested.add_edge(START, name)
    with opened(tmp_path, nested, policy(always("left/one"))) as app:
        run = app.start({"log": []})
        assert only(run).name.step == "left/one"
        assert sorted(done) == ["left one", "right one", "right two"]

        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.DONE
        assert done.count("right two") == 1


def test_t08_what_is_decided_beside_it_is_kept_and_a_no_runs_only_its_own_step(
    tmp_path: Path,
) -> None:
    done: list[str] = []

    def step(name: str) -> Any:
        def body(state: Cheque) -> Cheque:
            done.append(name)
            return {"log": [f"{name} {done.count(name)}"]}

        return body

    graph = fan(a=step("a"), b=step("b"), c=step("c"))
    with opened(tmp_path, graph, policy(always("a"), always("b"))) as app:
        run = app.start({"amount": 1})
        a, b = sorted(run.reviews(), key=lambda review: review.name.step)
        approve(app, a)
        go_on(run)
        assert only(run) == b

        deny(app, b, "retry")
        go_on(run)
        approve(app, only(run))
        go_on(run)

        assert sorted(run.value["log"]) == ["a 1", "b 2", "c 1"]
        assert sorted(done) == ["a", "b", "b", "c"]


def test_t09_withheld_writes_are_not_in_the_state(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        snapshot = app.graph.get_state(run.config)
        assert snapshot.values == {"amount": 1, "log": []}
        assert snapshot.next == ("read",)


def test_t09_a_callers_breakpoint_is_no_gate_and_opens_none(tmp_path: Path) -> None:
    graph = line(read=lambda _: {"payee": "x"}, pay=lambda _: {"paid": "x"})
    with opened(tmp_path, graph, policy(always("pay"))) as app:
        run = app.start({"amount": 1}, interrupt_after=["read"])
        assert run.status is RunStatus.WAITING
        assert "breakpoint before 'pay'" in run.reason
        assert run.reviews() == []
        assert app.graph.get_state(run.config).values["payee"] == "x"

        app.invoke(None, run.config)
        assert only(run).name.step == "pay"
