"""Traps T1 to T5: what was shown is what is committed, whatever LangGraph replays, caches or retries."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.cache.memory import InMemoryCache
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph
from langgraph.types import CachePolicy, RetryPolicy

import hitl
from hitl import Checkpoint
from hitl.models import RunStatus
from tests.runtime.processes import die, killed, mortal
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
    rows,
)

QUICK = RetryPolicy(initial_interval=0.0, jitter=False, max_attempts=3, retry_on=ConnectionError)


def flaky(calls: list[str]) -> StateGraph[Any, Any, Any, Any]:
    """Return a graph whose step fails at its first call, and says which call its result is from."""

    def read(state: Cheque) -> Cheque:
        calls.append("read")
        if len(calls) == 1:
            raise ConnectionError("the first call fails")
        return {"payee": f"call {len(calls)}"}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", read, retry_policy=QUICK)
    graph.add_edge(START, "read")
    graph.add_edge("read", END)
    return graph


def test_t01_a_node_retry_does_not_change_what_was_shown(tmp_path: Path) -> None:
    calls: list[str] = []
    with opened(tmp_path, flaky(calls), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        approve(app, review)
        go_on(run)

        assert review.proposal.arguments == {"update": {"payee": "call 2"}}
        assert run.value["payee"] == "call 2"
        assert len(calls) == 2


async def test_t01_nor_does_it_when_the_run_is_started_asynchronously(tmp_path: Path) -> None:
    calls: list[str] = []
    with opened(tmp_path, flaky(calls), policy(always("read"))) as app:
        run = await app.astart({"amount": 1})
        approve(app, only(run))
        go_on(run)

        assert run.value["payee"] == "call 2"
        assert len(calls) == 2


def reading(confidence: float) -> StateGraph[Any, Any, Any, Any]:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=confidence)
        return {"payee": "ACME"}

    return line(read=read)


def test_t02_a_no_stands_though_the_threshold_was_lowered_meanwhile(tmp_path: Path) -> None:
    strict = policy(Checkpoint("read", confidence_below=0.9))
    with opened(tmp_path, reading(0.8), strict) as app:
        run = app.start({"amount": 1})
        review = only(run)

    lax = policy(Checkpoint("read", confidence_below=0.1), version="2")
    with opened(tmp_path, reading(0.8), lax) as app:
        run = app.run(run.id)
        assert only(run) == review
        deny(app, review, "stop")
        go_on(run)

        assert run.status is RunStatus.STOPPED
        assert "payee" not in app.graph.get_state(run.config).values


def test_t02_a_yes_is_needed_though_the_checkpoint_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path, reading(0.8), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)

    with opened(tmp_path, reading(0.8), policy(version="2")) as app:
        app.advance(run.id)
        run = app.run(run.id)
        assert run.status is RunStatus.WAITING
        assert review.proposal.policy_hash != app.policy.content_hash

        approve(app, only(run))
        go_on(run)
        assert run.value["payee"] == "ACME"


def test_t02_what_a_yes_is_worth_is_frozen_with_the_proposal(tmp_path: Path) -> None:
    rules = [always("read", covers="step")]
    careful = policy(*rules, reviewer=hitl.Reviewer(0.9, 0.95))
    with opened(tmp_path, reading(0.75), careful) as app:
        run = app.start({"amount": 1})
        shown = only(run).presentation.reset_to

    with opened(tmp_path, reading(0.75), policy(*rules, version="2")) as app:
        run = app.run(run.id)
        approve(app, only(run))
        go_on(run)

        assert shown == pytest.approx(0.966101694915)
        assert run.reliability == pytest.approx(shown)


def named(state: Cheque) -> Cheque:
    return {"payee": "ACME"}


def park_and_die(path: Path) -> None:
    with opened(path, line(read=named), policy(always("read"))) as app:
        app.start({"amount": 1}, run_id="run_1")
        die()


def die_before_the_first_snapshot(path: Path) -> None:
    store = mortal(path)
    with opened(path, line(read=named), store=store) as app:
        store.doom(at=1, moment="after")
        app.start({"amount": 1}, run_id="run_1")


def test_t03_a_proposal_shown_is_there_after_a_kill(tmp_path: Path) -> None:
    assert killed(park_and_die, tmp_path)

    def never(state: Cheque) -> Cheque:
        raise AssertionError("the body must not run again")

    with opened(tmp_path, line(read=never), policy(always("read"))) as app:
        run = app.run("run_1")
        approve(app, only(run))
        go_on(run)

        assert run.value == {"amount": 1, "payee": "ACME", "log": []}


def test_t03_the_input_is_kept_before_langgraph_sees_it(tmp_path: Path) -> None:
    assert killed(die_before_the_first_snapshot, tmp_path)

    with opened(tmp_path, line(read=named)) as app:
        run = app.run("run_1")
        assert app.graph.get_state(run.config).values == {}

        assert run.wait(5.0) is RunStatus.DONE
        assert run.value == {"amount": 1, "payee": "ACME", "log": []}


@pytest.mark.parametrize("durability", ["exit", "async"])
def test_t03_a_caller_cannot_have_less_than_sync(tmp_path: Path, durability: str) -> None:
    stored: list[int] = []

    def second(state: Cheque) -> Cheque:
        count = "SELECT count(*) FROM checkpoints WHERE thread_id = 't'"
        stored.append(app.store.read(lambda r: r.connection.execute(count).fetchone()[0]))
        return {}

    with opened(tmp_path, line(first=named, second=second)) as app:
        app.invoke({"amount": 1}, {"configurable": {"thread_id": "t"}}, durability=durability)

    assert stored == [3], "input, start and the first step are stored when the second runs"


def test_t04_a_cache_does_not_replay_another_runs_yes(tmp_path: Path) -> None:
    calls: list[str] = []

    def read(state: Cheque) -> Cheque:
        calls.append("read")
        return {"payee": "ACME"}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", read, cache_policy=CachePolicy())
    graph.add_edge(START, "read")
    graph.add_edge("read", END)
    with opened(tmp_path, graph.compile(cache=InMemoryCache()), policy(always("read"))) as app:
        first = app.start({"amount": 1})
        approve(app, only(first))
        go_on(first)
        second = app.start({"amount": 1})

        assert first.status is RunStatus.DONE
        assert second.status is RunStatus.WAITING
        assert [row.verified for row in rows(app, second)] == [False]
        assert calls == ["read", "read"]


def test_t04_nor_does_the_cache_of_a_whole_workflow(tmp_path: Path) -> None:
    calls: list[str] = []

    @entrypoint(cache=InMemoryCache(), cache_policy=CachePolicy())
    def flow(state: dict[str, int]) -> dict[str, int]:
        calls.append("flow")
        return {"paid": state["amount"]}

    with opened(tmp_path, flow, policy(always("flow"))) as app:
        first = app.start({"amount": 1})
        approve(app, only(first))
        go_on(first)
        second = app.start({"amount": 1})

        assert first.status is RunStatus.DONE
        assert second.status is RunStatus.WAITING
        assert calls == ["flow", "flow"]
        assert "The cache policy of step 'flow' is not used" in app.notes[0]


def test_t05_a_denied_subgraph_runs_again_instead_of_returning_what_it_had(tmp_path: Path) -> None:
    tries: list[int] = []

    def draft(state: Cheque) -> Cheque:
        tries.append(len(tries) + 1)
        return {"payee": f"try {len(tries)}"}

    child = line(draft=draft, check=lambda state: {"paid": f"checked {state['payee']}"})
    with opened(tmp_path, line(letter=child.compile()), policy(always("letter"))) as app:
        run = app.start({"amount": 1})
        for attempt in (1, 2):
            review = only(run)
            assert review.attempt == attempt
            deny(app, review, "retry")
            go_on(run)
        review = only(run)
        approve(app, review)
        go_on(run)

        assert review.proposal.arguments["update"] == {
            "amount": 1,
            "payee": "try 3",
            "paid": "checked try 3",
            "log": [],
        }
        assert run.value["paid"] == "checked try 3"
        assert tries == [1, 2, 3]


def test_t05_a_subgraph_waiting_inside_is_not_started_again_by_its_own_gate(tmp_path: Path) -> None:
    calls: list[str] = []

    def draft(state: Cheque) -> Cheque:
        calls.append("draft")
        return {"payee": f"try {len(calls)}"}

    child = line(draft=draft, send=lambda state: {"paid": state["payee"]})
    rules = policy(always("letter"), always("letter/send"))
    with opened(tmp_path, line(letter=child.compile()), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        assert only(run).name.step == "letter"
        approve(app, only(run))
        go_on(run)

        assert run.value["paid"] == "try 1"
        assert calls == ["draft"]
