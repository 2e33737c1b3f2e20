"""Traps T14 to T17: subgraphs with a history of their own, failing branches, and handoffs."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

import hitl
from hitl import Checkpoint
from hitl.errors import ConfigurationError, RunStopped
from hitl.graph.lg import CHANNEL
from hitl.models import ReviewStatus, RunStatus
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
    row,
    rows,
    settle,
)


@pytest.mark.parametrize("setting", [True, False, InMemorySaver()], ids=["own", "none", "saver"])
def test_t14_a_subgraph_with_its_own_history_is_refused_at_wrap(
    tmp_path: Path, setting: Any
) -> None:
    child = line(draft=lambda _: {"payee": "x"}).compile(checkpointer=setting)
    with (
        pytest.raises(ConfigurationError, match=r"Subgraph 'letter' has a checkpointer setting"),
        opened(tmp_path, line(letter=child), policy(always("letter"))),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_t15_a_stop_is_recorded_and_entering_again_runs_nothing(tmp_path: Path) -> None:
    calls: list[str] = []

    def read(state: Cheque) -> Cheque:
        calls.append("read")
        return {"payee": "x"}

    with opened(
        tmp_path, fan(read=read, other=lambda _: {"paid": "y"}), policy(always("read"))
    ) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "stop", reasons=["wrong"])
        go_on(run)
        assert run.status is RunStatus.STOPPED
        assert run.reason == "ana denied step 'read' (wrong)."

        for _ in range(2):
            with pytest.raises(RunStopped, match="ana denied step 'read'"):
                app.invoke(None, run.config)
        assert run.status is RunStatus.STOPPED
        assert calls == ["read"]
        assert "payee" not in app.graph.get_state(run.config).values


def test_t15_a_branch_that_fails_leaves_the_others_review_standing(tmp_path: Path) -> None:
    fails = [True]

    def breaks(state: Cheque) -> Cheque:
        if fails[0]:
            raise ConnectionError("no network")
        return {"paid": "y"}

    graph = fan(read=lambda _: {"payee": "x"}, breaks=breaks)
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.FAILED
        assert "no network" in run.reason

        fails[0] = False
        assert run.retry() is RunStatus.WAITING
        approve(app, only(run))
        go_on(run)
        assert run.value == {"amount": 1, "payee": "x", "paid": "y", "log": []}
        assert len(run.reviews(pending=False)) == 1


def test_t16_the_private_channel_shows_nowhere(tmp_path: Path) -> None:
    child = line(draft=lambda _: {"payee": "x"}).compile()
    with opened(tmp_path, line(letter=child, end=lambda _: {"paid": "y"})) as app:
        config: Any = {"configurable": {"thread_id": "t"}}
        modes = ["values", "updates", "tasks", "checkpoints"]
        chunks = list(app.stream({"amount": 1}, config, stream_mode=modes, subgraphs=True))
        seen = [chunk for chunk in chunks if chunk[1] != "checkpoints"]

        assert CHANNEL not in repr(seen)
        assert CHANNEL not in repr(app.graph.get_state(config).values)
        assert CHANNEL not in repr(app.graph.get_input_jsonschema())
        assert CHANNEL not in repr(app.graph.get_output_jsonschema())
        states = [s for s in chunks if s[1] == "checkpoints"]
        assert all(CHANNEL not in s[2]["values"] for s in states)
        assert set(app.graph.get_state(config).values) == {"amount", "payee", "paid", "log"}


def handing(acted: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose child drafts, then hands off to the parent's other agent."""

    def draft(state: Cheque) -> Cheque:
        hitl.report(confidence=0.9)
        return {"payee": "x"}

    def hand(state: Cheque) -> Command[Any]:
        hitl.report(confidence=0.5)
        return Command(goto="other", update={"payee": "handed"}, graph=Command.PARENT)

    def other(state: Cheque) -> Cheque:
        hitl.report(confidence=0.8)
        acted.append("other")
        return {"paid": "y"}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("agent", line(draft=draft, hand=hand).compile(), destinations=("other",))
    graph.add_node("other", other)
    graph.add_edge(START, "agent")
    return graph


def test_t17_a_handoff_that_passes_counts_every_step_of_the_child(tmp_path: Path) -> None:
    with opened(tmp_path, handing([]), policy()) as app:
        run = app.start({"amount": 1})
        assert run.value["payee"] == "handed"
        assert run.reliability == pytest.approx(0.9 * 0.5 * 0.8)
        assert row(app, run, "agent").reliability_after == pytest.approx(0.45)
        assert row(app, run, "agent/hand").committed_at is not None


def test_t17_a_gated_subgraph_does_not_hand_off_before_the_yes(tmp_path: Path) -> None:
    acted: list[str] = []
    with opened(tmp_path, handing(acted), policy(always("agent"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        assert acted == []
        assert review.proposal.arguments["goto"] == ["other"]
        assert review.proposal.arguments["update"] == {"payee": "handed"}

        approve(app, review)
        go_on(run)
        assert acted == ["other"]
        assert run.value["payee"] == "handed"
        assert run.reliability == pytest.approx(0.8)


def test_t17_a_denied_handoff_runs_the_child_again(tmp_path: Path) -> None:
    acted: list[str] = []
    with opened(tmp_path, handing(acted), policy(always("agent"))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        go_on(run)
        assert acted == []
        assert only(run).attempt == 2

        approve(app, only(run))
        go_on(run)
        assert acted == ["other"]
        live = [r.name.step for r in rows(app, run, live=True) if r.committed_at]
        assert sorted(live) == ["agent", "agent/draft", "agent/hand", "other"]


@pytest.mark.parametrize("gates", [("agent/hand",), ("agent", "agent/hand")], ids="-".join)
def test_t17_what_the_handing_step_owes_is_written(tmp_path: Path, gates: tuple[str, ...]) -> None:
    with opened(tmp_path, handing([]), policy(*map(always, gates))) as app:
        run = settle(app, app.start({"amount": 1}))

        assert run.status is RunStatus.DONE, run.reason
        assert {r.status for r in run.reviews(pending=False)} == {ReviewStatus.EXECUTED}
        hand = row(app, run, "agent/hand")
        assert hand.verified
        assert hand.committed_at is not None
        assert app.store.read(lambda r: r.open_proposals(run.id)) == []


def test_t17_a_handoff_to_a_node_the_parent_lacks_fails_as_langgraph_does(tmp_path: Path) -> None:
    def hand(state: Cheque) -> Command[Any]:
        return Command(goto="nobody", graph=Command.PARENT)

    with opened(
        tmp_path, line(agent=line(hand=hand).compile()), policy(Checkpoint("agent"))
    ) as app:
        plain = line(agent=line(hand=hand).compile()).compile()
        expected = plain.invoke({"amount": 1})
        assert app.invoke({"amount": 1}) == expected
