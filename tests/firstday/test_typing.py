"""What an editor knows of a user's program: mypy checks every `assert_type`, pytest runs the program.

A type that got lost becomes Any: `assert_type` then fails in the type check, and a `type: ignore` of a
slip below is reported as unused.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, assert_type

import pytest
from fastapi import APIRouter
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph

import hitl
from hitl import Answer, Checkpoint, EscalationPolicy, Retry, Run, Stop, Workflow
from hitl.errors import ConfigurationError
from hitl.models import Decision, Denial, Review, RunStatus
from hitl.reviews import ReviewQueue, ShadowReport
from hitl.testing import On, ScriptedReviewer, approve, deny


class State(TypedDict):
    amount: int


def pay(state: State) -> State:
    assert_type(hitl.report(confidence=0.8), None)
    assert_type(hitl.current().denials, tuple[Denial, ...])
    assert_type(hitl.current().attempt, int)
    return {"amount": state["amount"] + 1}


@task
@hitl.tagged("effect")
def send(amount: int) -> str:
    return str(amount)


@entrypoint()
def flow(amount: int) -> str:
    future = send(amount)
    return assert_type(future.result(), str)


POLICY = EscalationPolicy(
    "p",
    checkpoints=[
        Checkpoint(
            "pay", always=True, due_in="4h", on_deny=[Retry(3, within="2h"), Answer(), Stop()]
        )
    ],
)


def graph() -> "StateGraph[State, None, State, State]":
    built = StateGraph(State)
    built.add_node("pay", pay)
    built.add_edge(START, "pay")
    built.add_edge("pay", END)
    return built


def test_everything_that_can_be_wrapped_becomes_a_workflow(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hitl.db'}"
    for app in (
        hitl.wrap(graph(), POLICY, store=url, name="builder"),
        hitl.wrap(graph().compile(), mode="shadow", store=url, name="compiled"),
        hitl.wrap(flow, store=url, name="flow"),
    ):
        assert_type(app, Workflow)
        assert_type(app.queue, ReviewQueue)
        assert_type(app.notes, tuple[str, ...])
        assert_type(app.runs(), list[Run])
        app.close()


def test_a_users_program_is_typed_from_start_to_decision() -> None:
    app = hitl.wrap(graph(), POLICY, store="sqlite://")
    run = assert_type(app.start({"amount": 1}, by="ben"), Run)
    assert_type(run.reliability, float)
    review = assert_type(run.reviews(), list[Review])[0]
    said = app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    assert_type(said, Decision)
    assert_type(run.wait(timeout=0), RunStatus)
    assert_type(run.status, RunStatus)
    assert run.value == {"amount": 2}
    report: Callable[[], ShadowReport] = app.shadow_report
    router: Callable[..., APIRouter] = app.router
    assert callable(report)
    assert callable(router)
    reviewer = ScriptedReviewer([On("pay", deny("wrong"), approve())])
    assert_type(reviewer.drive(app, app.start({"amount": 1})), RunStatus)
    app.close()


def test_slips_are_seen_by_the_type_check_and_said_at_once() -> None:
    slips: list[Callable[[], Any]] = [
        lambda: hitl.wrap(3),  # type: ignore[arg-type] # no graph
        lambda: hitl.wrap(graph(), mode="shadwo"),  # type: ignore[arg-type] # no mode
        lambda: Checkpoint("pay", place="befor"),  # type: ignore[arg-type] # no place
        lambda: Checkpoint("pay", confidence_bellow=0.9),  # type: ignore[call-arg] # no key
    ]
    for slip in slips:
        with pytest.raises((ConfigurationError, TypeError)):
            slip()


def test_completion_offers_every_public_name_and_no_other() -> None:
    offered = {name for name in dir(hitl) if not name.startswith("_")}
    assert set(hitl.__all__) <= offered
    assert all(getattr(hitl, name).__doc__ for name in hitl.__all__)
