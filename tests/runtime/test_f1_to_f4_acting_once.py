"""Findings F1 to F4: one decision wins, what it approved is what runs, and it runs once."""

import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from hitl import Checkpoint
from hitl.errors import AlreadyDecided, ProposalChanged, ResumeRefused, ReviewClosed
from hitl.models import ReviewStatus, RunStatus
from tests.decisions.desk import together
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    proposal,
    settle,
)


def branching(acted: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose decision step leads to one of two acts."""

    def act(name: str) -> Any:
        def body(state: Cheque) -> Cheque:
            acted.append(name)
            return {"paid": name}

        return body

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("judge", lambda _: {"payee": "yes"})
    graph.add_node("pay", act("pay"))
    graph.add_node("refuse", act("refuse"))
    graph.add_edge(START, "judge")
    graph.add_conditional_edges(
        "judge", lambda state: "pay" if state["payee"] == "yes" else "refuse", ["pay", "refuse"]
    )
    return graph


def test_f1_of_two_opposite_decisions_one_wins_and_one_branch_acts(tmp_path: Path) -> None:
    acted: list[str] = []
    rules = policy(always("judge"))
    with opened(tmp_path, branching(acted), rules) as app:
        for amount in range(10):
            acted.clear()
            run = app.start({"amount": amount})
            review = only(run)
            yes = partial(approve, app, review)
            no = partial(deny, app, review, "answer", by="bob", answer={"payee": "no"})
            outcomes = together(yes, no)
            together(partial(go_on, run), partial(go_on, run))

            assert [isinstance(o, AlreadyDecided) for o in outcomes].count(True) == 1
            won = app.queue.get(review.id).decision
            assert won is not None
            assert acted == ["pay" if won.verdict == "approve" else "refuse"]
            assert run.status is RunStatus.DONE


def test_f1_two_callers_who_go_on_at_once_advance_the_run_once(tmp_path: Path) -> None:
    acted: list[str] = []
    inside = threading.Barrier(2, timeout=0.2)

    def slow(state: Cheque) -> Cheque:
        acted.append("slow")
        with suppress(threading.BrokenBarrierError):
            inside.wait()
        return {"paid": "yes"}

    with opened(
        tmp_path, line(read=lambda _: {"payee": "x"}, slow=slow), policy(always("read"))
    ) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        together(*[partial(app.invoke, None, run.config)] * 3)
        assert acted == ["slow"]
        assert run.status is RunStatus.DONE


def test_f2_what_changed_since_it_was_shown_cannot_be_approved(tmp_path: Path) -> None:
    paid: list[int] = []

    def pay(state: Cheque) -> Cheque:
        paid.append(state["amount"])
        return {"paid": "yes"}

    with opened(tmp_path, line(pay=pay), policy(always("pay", place="before"))) as app:
        run = app.start({"amount": 1})
        shown = only(run)
        app.graph.update_state(run.config, {"amount": 999_999})
        with pytest.raises(ReviewClosed):
            approve(app, shown)
        app.invoke(None, run.config)
        asked = only(run)
        with pytest.raises(ProposalChanged):
            app.queue.decide(asked.id, "approve", by="ana", proposal_hash=shown.proposal_hash)
        assert paid == []
        approve(app, asked)
        go_on(run)
        assert paid == [999_999]


def test_f2_bytes_changed_in_the_store_are_not_committed(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        kind, forged = app.graph.checkpointer.serde.dumps_typed({"payee": "forged"})
        assert kind == proposal(app, review).blob_type
        change = "UPDATE hitl_proposal SET blob = ? WHERE review_id = ?"
        app.store.write(lambda t: t.connection.execute(change, (forged, review.id)) and None)
        approve(app, review)
        go_on(run)

        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "is not what ana was shown" in run.reason
        assert "payee" not in app.graph.get_state(run.config).values


def test_f3_an_approved_action_is_not_run_again_from_an_old_snapshot(tmp_path: Path) -> None:
    paid: list[str] = []

    def pay(state: Cheque) -> Cheque:
        paid.append("paid")
        return {"paid": "yes"}

    with opened(tmp_path, line(pay=pay), policy(always("pay", place="before"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        for old in list(app.graph.get_state_history(run.config)):
            with pytest.raises(ResumeRefused, match="old snapshot"):
                app.invoke(Command(resume="again"), old.config)
        assert paid == ["paid"]


# -- F4: two gated tools ------------------------------------------------------------------------------


def calling(acted: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph with one ToolNode that is given two calls."""

    @tool
    def pay(amount: int) -> str:
        """Pay."""
        acted.append(f"pay {amount}")
        return "paid"

    @tool
    def wipe(what: str) -> str:
        """Wipe."""
        acted.append(f"wipe {what}")
        return "wiped"

    calls = [
        ToolCall(name="pay", args={"amount": 5}, id="c1"),
        ToolCall(name="wipe", args={"what": "disk"}, id="c2"),
    ]
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph.add_node("agent", lambda _: {"messages": [AIMessage("", tool_calls=calls)]})
    graph.add_node("tools", ToolNode([pay, wipe]))
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "tools")
    graph.add_edge("tools", END)
    return graph


def test_f4_two_calls_of_one_node_are_one_review_and_run_once_each(tmp_path: Path) -> None:
    acted: list[str] = []
    rules = policy(Checkpoint("tools", place="before", always=True))
    with opened(tmp_path, calling(acted), rules) as app:
        run = app.start({"messages": []})
        review = only(run)
        assert review.proposal.arguments == {
            "calls": [
                {"name": "pay", "args": {"amount": 5}},
                {"name": "wipe", "args": {"what": "disk"}},
            ]
        }
        assert review.proposal.action == "pay, wipe"
        assert acted == []
        settle(app, run)
        assert sorted(acted) == ["pay 5", "wipe disk"]
        assert app.queue.get(review.id).status is ReviewStatus.EXECUTED


def test_f4_a_no_runs_neither(tmp_path: Path) -> None:
    acted: list[str] = []
    rules = policy(Checkpoint("tools", place="before", always=True))
    with opened(tmp_path, calling(acted), rules) as app:
        run = app.start({"messages": []})
        deny(app, only(run))
        go_on(run)
        assert run.status is RunStatus.STOPPED
        assert acted == []
