"""Traps T23 and T24: each attempt starts from its own input, and a yes covers what its step saw."""

import operator
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

import hitl
from hitl import Checkpoint
from hitl.models import RunStatus
from tests.runtime.stage import (
    Body,
    Cheque,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    settle,
)

WHOLE = {"covers": "since_reset"}


def test_t23_a_retry_sees_the_input_as_it_was(tmp_path: Path) -> None:
    seen: list[tuple[list[str], int]] = []

    def mutating(state: Cheque) -> Cheque:
        seen.append((list(state["log"]), state["amount"]))
        state["log"].append("left behind")
        state["amount"] = 99
        return {"payee": f"try {len(seen)}"}

    graph = line(plan=lambda _: {"log": ["planned"]}, read=mutating)
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run = app.start({"amount": 1})
        for _ in range(2):
            deny(app, only(run), "retry")
            go_on(run)
        approve(app, only(run))
        go_on(run)

        assert seen == [(["planned"], 1)] * 3
        assert run.value == {"amount": 1, "payee": "try 3", "log": ["planned"]}


def test_t23_an_effect_gets_the_input_that_was_shown(tmp_path: Path) -> None:
    given: list[Any] = []

    def pay(state: Cheque) -> Cheque:
        given.append(dict(state))
        return {"paid": "yes"}

    rules = policy(always("pay", place="before"))
    with opened(tmp_path, line(pay=pay), rules) as app:
        run = app.start({"amount": 5, "payee": "ACME"})
        review = only(run)
        approve(app, review)
        go_on(run)
        assert given == [review.proposal.arguments["input"]]


class Basket(TypedDict, total=False):
    """A state with a list that a step replaces."""

    items: list[str]


def test_t23_the_reviewer_sees_what_changed_though_the_body_changed_its_input(
    tmp_path: Path,
) -> None:
    def add(state: Basket) -> Basket:
        state["items"].append("new")
        return {"items": state["items"]}

    graph = line(Basket, fill=lambda _: {"items": ["old"]}, add=add)
    with opened(tmp_path, graph, policy(always("add"))) as app:
        (change,) = only(app.start({})).presentation.changes
        assert (change.before, change.after) == (["old"], ["old", "new"])


# -- T24: what a yes covers ---------------------------------------------------------------------------


def sure(confidence: float, **update: Any) -> Body:
    """Return a body that reports a confidence."""

    def body(state: Any) -> Any:
        hitl.report(confidence=confidence)
        return update

    return body


def vouched(run: hitl.Run) -> list[str]:
    return [each.step for each in only(run).presentation.vouched]


class Shard(TypedDict):
    """What one task of the fan-out is sent."""

    i: int


class Sheet(TypedDict, total=False):
    """A state with results that append."""

    amount: int
    results: Annotated[list[int], operator.add]


def fan_out(worker: Any) -> "StateGraph[Any, Any, Any, Any]":
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Sheet)
    graph.add_node("plan", sure(0.9, amount=2))
    graph.add_node("work", worker)
    graph.add_node("end", sure(1.0))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda state: [Send("work", {"i": i}) for i in range(state["amount"])], ["work"]
    )
    graph.add_edge("work", "end")
    graph.add_edge("end", END)
    return graph


def test_t24_a_yes_to_one_shard_leaves_what_it_did_not_see(tmp_path: Path) -> None:
    def work(state: Shard) -> Sheet:
        hitl.report(confidence=0.8)
        return {"results": [state["i"]]}

    with opened(tmp_path, fan_out(work), policy(always("work", **WHOLE))) as app:
        run = app.start({})
        reviews = sorted(run.reviews(), key=lambda review: review.name.shard)
        assert [r.name.shard for r in reviews] == [1, 2]
        assert [r.presentation.vouched for r in reviews] == [(), ()]
        assert {r.presentation.covers for r in reviews} == {"step"}
        for review in reviews:
            approve(app, review)
        go_on(run)

        assert sorted(run.value["results"]) == [0, 1]
        assert run.reliability == pytest.approx(0.9), "plan keeps its p"


def test_t24_a_shards_change_is_shown_against_the_state_it_was_not_sent(tmp_path: Path) -> None:
    with opened(tmp_path, fan_out(sure(0.8, amount=7)), policy(always("work"))) as app:
        for review in app.start({}).reviews():
            (change,) = review.presentation.changes
            assert (change.before, change.after) == (2, 7)


def test_t24_a_yes_inside_a_shards_child_graph_leaves_the_parents_prefix(tmp_path: Path) -> None:
    child: StateGraph[Any, Any, Any, Any] = StateGraph(Sheet)
    child.add_node("one", sure(0.8))
    child.add_node("two", sure(0.7, results=[1]))
    child.add_edge(START, "one")
    child.add_edge("one", "two")
    with opened(tmp_path, fan_out(child.compile()), policy(always("work/two", **WHOLE))) as app:
        run = app.start({})
        for review in run.reviews():
            assert [v.step for v in review.presentation.vouched] == ["work/one"]
            approve(app, review)
        go_on(run)
        assert run.status is RunStatus.DONE, run.reason
        assert run.reliability == pytest.approx(0.9), "both children whole, plan not"


class Narrow(TypedDict):
    """A part of the state."""

    amount: int


def test_t24_a_step_with_a_narrowed_input_covers_itself_alone(tmp_path: Path) -> None:
    def narrow(state: Narrow) -> Cheque:
        hitl.report(confidence=0.5)
        return {"paid": "x"}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("plan", sure(0.9, payee="x"))
    graph.add_node("read", narrow, input_schema=Narrow)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "read")
    rules = policy(Checkpoint("read", reliability_below=0.7))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        review = only(run)
        assert vouched(run) == []
        assert any("saw only a part" in why for why in review.presentation.why)
        assert review.presentation.reset_to == pytest.approx(0.9)
        approve(app, review)
        go_on(run)
        assert run.reliability == pytest.approx(0.9)


class Other(TypedDict, total=False):
    """A child's state that shares one field with its parent."""

    amount: int
    note: str


def child_of(state: type) -> "StateGraph[Any, Any, Any, Any]":
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    graph.add_node("one", sure(0.8))
    graph.add_node("two", sure(0.7, amount=3))
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    return graph


@pytest.mark.parametrize(
    ("state", "listed", "left"),
    [(Other, ["letter/one"], 0.9), (Cheque, ["plan", "letter/one"], 1.0)],
    ids=["disjoint", "whole"],
)
def test_t24_a_yes_in_a_child_reaches_the_parent_only_with_its_state(
    tmp_path: Path, state: type, listed: list[str], left: float
) -> None:
    graph = line(plan=sure(0.9, payee="x"), letter=child_of(state).compile())
    with opened(tmp_path, graph, policy(always("letter/two", **WHOLE))) as app:
        run = app.start({"amount": 1})
        assert vouched(run) == listed
        approve(app, only(run))
        go_on(run)
        assert run.reliability == pytest.approx(left)
        assert row(app, run, "letter").reliability_after == pytest.approx(left)


def test_t24_a_child_with_a_narrowed_input_schema_did_not_see_the_rest(tmp_path: Path) -> None:
    child: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque, input_schema=Narrow)
    child.add_node("two", sure(0.7, payee="y"))
    child.add_edge(START, "two")
    graph = line(plan=sure(0.9, payee="x"), letter=child.compile())
    with opened(tmp_path, graph, policy(always("letter/two", **WHOLE))) as app:
        run = app.start({"amount": 1})
        assert vouched(run) == []
        approve(app, only(run))
        go_on(run)
        assert run.reliability == pytest.approx(0.9)


def test_t24_two_graphs_deep_a_yes_lists_what_it_saw_at_every_level(tmp_path: Path) -> None:
    sub = line(leaf=sure(0.6, payee="z"))
    mid = line(early=sure(0.8), sub=sub.compile())
    graph = line(plan=sure(0.9), mid=mid.compile())
    with opened(tmp_path, graph, policy(always("mid/sub/leaf", **WHOLE))) as app:
        run = app.start({"amount": 1})
        assert vouched(run) == ["plan", "mid/early"]
        approve(app, only(run))
        go_on(run)
        assert run.reliability == pytest.approx(1.0)


def test_t24_what_runs_beside_a_step_is_not_listed_and_keeps_its_p(tmp_path: Path) -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Sheet)
    graph.add_node("plan", sure(0.9))
    graph.add_node("beside", line(Sheet, inner=sure(0.8, results=[2])).compile())
    graph.add_node("read", sure(0.7, results=[1]))
    graph.add_edge(START, "plan")
    for name in ("beside", "read"):
        graph.add_edge("plan", name)
    with opened(tmp_path, graph, policy(always("read", **WHOLE))) as app:
        run = app.start({})
        assert vouched(run) == ["plan"]
        settle(app, run)
        assert run.reliability == pytest.approx(0.8)


def test_t24_a_step_vouched_for_is_not_put_before_anybody_again(tmp_path: Path) -> None:
    graph = line(
        plan=sure(0.9),
        letter=line(one=sure(0.8), two=sure(0.7)).compile(),
        send=sure(0.6),
        file=sure(0.5),
    )
    rules = policy(always("letter"), always("send", **WHOLE), always("file", **WHOLE))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        listed = {}
        while run.reviews():
            listed[only(run).name.step] = vouched(run)
            approve(app, only(run))
            go_on(run)

        assert listed == {"letter": [], "send": ["plan"], "file": []}
        assert run.reliability == pytest.approx(1.0)


class Work(TypedDict, total=False):
    """A shard's own state: which one it is, and what it adds."""

    i: int
    results: Annotated[list[int], operator.add]


class Done(TypedDict, total=False):
    """What a shard gives back."""

    results: Annotated[list[int], operator.add]


def test_t24_a_no_to_one_shards_child_is_no_no_to_another(tmp_path: Path) -> None:
    calls: list[int] = []

    def leaf(state: Work) -> Work:
        calls.append(state["i"])
        return {"results": [state["i"]]}

    child: StateGraph[Any, Any, Any, Any] = StateGraph(Work, output_schema=Done)
    child.add_node("leaf", leaf)
    child.add_edge(START, "leaf")
    with opened(tmp_path, fan_out(child.compile()), policy(always("work/leaf"))) as app:
        run = app.start({})
        first, second = sorted(run.reviews(), key=lambda review: review.name.shard)
        deny(app, first, "retry", reasons=["only this one"])
        go_on(run)
        again = {review.name.shard: review for review in run.reviews()}
        assert again[second.name.shard] == second
        assert again[first.name.shard].attempt == 2
        assert [d.reasons for d in again[first.name.shard].presentation.denials] == [
            ("only this one",)
        ]
        settle(app, run)
        assert sorted(run.value["results"]) == [0, 1]
        assert sorted(calls) == [0, 0, 1]


def test_t24_a_step_sent_to_and_led_to_at_once_is_two_executions(tmp_path: Path) -> None:
    def work(state: Any) -> Sheet:
        return {"results": [state.get("i", -1)]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Sheet)
    graph.add_node("plan", sure(0.9))
    graph.add_node("work", work)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "work")
    graph.add_conditional_edges("plan", lambda _: [Send("work", {"i": 0})], ["work"])
    with opened(tmp_path, graph, policy(always("work"))) as app:
        run = app.start({})
        led, sent = sorted(run.reviews(), key=lambda review: review.name.shard)
        assert (led.name.shard, sent.name.shard) == (0, 1)
        deny(app, sent, "retry")
        go_on(run)
        assert {(r.name.shard, r.attempt) for r in run.reviews()} == {(0, 1), (1, 2)}
        settle(app, run)
        assert sorted(run.value["results"]) == [-1, 0]
