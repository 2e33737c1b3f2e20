"""Traps T18 to T20: cached results, LangGraph's own doors and a user's error handler go around nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from hitl import Checkpoint, Retry, Rollback, Run, Stop, Workflow
from hitl.errors import ResumeRefused, RunStopped
from hitl.models import RunStatus
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
)


@pytest.fixture
def guess() -> Any:
    """A LangGraph task that says how often it has run."""
    runs: list[int] = []

    @task
    def guess(about: str) -> str:
        runs.append(len(runs) + 1)
        return f"{about} {runs[-1]}"

    return guess


def test_t18_a_denied_node_gets_fresh_results_of_its_tasks(tmp_path: Path, guess: Any) -> None:
    def read(state: Cheque) -> Cheque:
        first, second = guess("payee").result(), guess("again").result()
        return {"payee": first, "paid": second}

    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        assert only(run).proposal.arguments == {"update": {"payee": "payee 1", "paid": "again 2"}}
        for attempt in (2, 3):
            deny(app, only(run), "retry")
            go_on(run)
            assert only(run).attempt == attempt
        approve(app, only(run))
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("payee 5", "again 6")


def test_t18_a_denied_entrypoint_gets_fresh_results_of_its_tasks(
    tmp_path: Path, guess: Any
) -> None:
    @entrypoint()
    def flow(amount: int) -> str:
        return str(guess(f"payee of {amount}").result())

    with opened(tmp_path, flow, policy(always("flow"))) as app:
        run = app.start(7)
        deny(app, only(run), "retry")
        go_on(run)
        approve(app, only(run))
        go_on(run)
        assert run.value == "payee of 7 2"


# -- T19: the doors past the decision table ---------------------------------------------------------


@pytest.mark.parametrize(
    "resume", [{"verdict": "approve"}, "approve", True], ids=["verdict", "word", "yes"]
)
def test_t19_a_resume_aimed_at_a_gate_is_refused(tmp_path: Path, resume: Any) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        with pytest.raises(ResumeRefused, match=r"Decide it with `app.queue.decide`"):
            app.invoke(Command(resume=resume), run.config)
        assert only(run).decision is None
        assert "payee" not in app.graph.get_state(run.config).values


async def test_t19_and_so_it_is_asynchronously(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = await app.astart({"amount": 1})
        with pytest.raises(ResumeRefused):
            await app.ainvoke(Command(resume=True), run.config)
        assert only(run).decision is None


def test_t19_a_resume_does_not_win_over_a_no_just_committed(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "stop")
        with pytest.raises(ResumeRefused):
            app.invoke(Command(resume={"verdict": "approve"}), run.config)
        go_on(run)
        assert run.status is RunStatus.STOPPED


def test_t19_a_resume_does_not_win_over_an_answer_just_committed(tmp_path: Path) -> None:
    graph = line(ask=lambda _: {"payee": interrupt("who?")})
    with opened(tmp_path, graph, policy()) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), answer="nobody")
        with pytest.raises(ResumeRefused, match=r"decided by ana"):
            app.invoke(Command(resume="ACME"), run.config)
        go_on(run)
        assert run.value["payee"] == "nobody"


def test_t19_a_stray_answer_is_not_eaten_by_the_bodys_own_question(tmp_path: Path) -> None:
    def ask_later(state: Cheque) -> Cheque:
        return {"payee": interrupt("who?")}

    with opened(tmp_path, line(ask=ask_later), policy(always("ask", place="before"))) as app:
        run = app.start({"amount": 1})
        with pytest.raises(ResumeRefused):
            app.invoke(Command(resume="stray"), run.config)
        approve(app, only(run))
        go_on(run)
        question = only(run)
        assert question.presentation.title == "who?"
        approve(app, question, answer="ACME")
        go_on(run)
        assert run.value["payee"] == "ACME"


Door = Callable[[Workflow, Run, dict[str, Any]], object]


@pytest.mark.parametrize(
    "door",
    [
        lambda app, run, old: app.invoke(None, {"configurable": old}),
        lambda app, run, old: app.invoke({"amount": 2}, {"configurable": old}),
        lambda app, run, old: app.invoke(Command(resume="x"), {"configurable": old}),
        lambda app, run, old: list(app.stream(None, {"configurable": old})),
        lambda app, run, old: app.graph.update_state({"configurable": old}, {"amount": 2}),
    ],
    ids=["invoke", "input", "resume", "stream", "update_state"],
)
def test_t19_an_old_snapshot_is_no_place_to_go_on_from(tmp_path: Path, door: Door) -> None:
    paid: list[str] = []

    def pay(state: Cheque) -> Cheque:
        paid.append(state["payee"])
        return {"paid": "yes"}

    graph = line(read=lambda _: {"payee": "x"}, pay=pay)
    with opened(tmp_path, graph, policy(always("pay", place="before"))) as app:
        run = app.start({"amount": 1})
        parked = app.graph.get_state(run.config).config["configurable"]
        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.DONE
        with pytest.raises(ResumeRefused):
            door(app, run, parked)
        assert paid == ["x"]
        assert run.record.turn == 1


# -- T20: a human's no is not an error ---------------------------------------------------------------


def guarded(handled: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose step retries on everything and has a fallback for every error."""

    def fallback(state: Cheque) -> Command[Any]:
        handled.append("fallback")
        return Command(update={"paid": "fallback payment"}, goto=END)

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", lambda _: {"payee": "x"})
    graph.add_node(
        "pay",
        lambda _: {"paid": "yes"},
        retry_policy=RetryPolicy(
            retry_on=Exception, initial_interval=0.0, jitter=False, max_attempts=5
        ),
        error_handler=fallback,
    )
    graph.add_edge(START, "read")
    graph.add_edge("read", "pay")
    return graph


@pytest.mark.parametrize("place", ["after", "before"])
def test_t20_an_error_handler_does_not_swallow_a_stop(tmp_path: Path, place: str) -> None:
    handled: list[str] = []
    rules = policy(always("pay", place=place, on_deny=[Stop()]))
    with opened(tmp_path, guarded(handled), rules) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), reasons=["no"])
        with pytest.raises(RunStopped, match=r"ana denied step 'pay' \(no\)"):
            app.invoke(None, run.config)

        assert run.status is RunStatus.STOPPED
        assert handled == []
        assert "paid" not in app.graph.get_state(run.config).values


def test_t20_nor_a_rollback(tmp_path: Path) -> None:
    handled: list[str] = []
    rules = policy(Checkpoint("pay", always=True, on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, guarded(handled), rules) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "rollback")
        go_on(run)

        assert handled == []
        assert only(run).attempt == 2
        assert run.record.branch == 1


def test_t20_nor_the_refusal_of_changed_bytes(tmp_path: Path) -> None:
    handled: list[str] = []
    with opened(tmp_path, guarded(handled), policy(always("pay"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        forge = "UPDATE hitl_proposal SET blob = X'80' WHERE review_id = ?"
        app.store.write(lambda t: t.connection.execute(forge, (review.id,)) and None)
        approve(app, review)
        go_on(run)
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert handled == []


async def test_t20_nor_when_it_runs_asynchronously(tmp_path: Path) -> None:
    handled: list[str] = []
    rules = policy(always("pay", on_deny=[Retry(1), Stop()]))
    with opened(tmp_path, guarded(handled), rules) as app:
        run = await app.astart({"amount": 1})
        deny(app, only(run), "stop")
        with pytest.raises(RunStopped):
            await app.ainvoke(None, run.config)
        assert handled == []
        assert run.status is RunStatus.STOPPED
