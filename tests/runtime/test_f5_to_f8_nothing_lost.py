"""Findings F5 to F8: answers reach their own question, approved work is not lost, rows are data."""

import os
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_POS_ARGS, JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from hitl.errors import SnapshotRefused
from hitl.models import Place, ReviewStatus, RunStatus
from tests.runtime.processes import die, killed
from tests.runtime.stage import (
    Body,
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
    settle,
)


def saying(**update: Any) -> Body:
    return lambda _: update


def test_f5_a_deploy_that_swaps_two_gates_does_not_swap_their_decisions(tmp_path: Path) -> None:
    steps = {"delete": saying(paid="deleted"), "mail": saying(payee="mailed")}
    rules = policy(always("delete"), always("mail"))
    with opened(tmp_path, fan(**steps), rules) as app:
        run = app.start({"amount": 1})
        for review in run.reviews():
            if review.name.step == "mail":
                approve(app, review)
            else:
                deny(app, review, "answer", answer={"paid": "kept"})

    with opened(tmp_path, fan(**dict(reversed(steps.items()))), rules) as app:
        run = go_on(app.run(run.id))
        assert run.value == {"amount": 1, "payee": "mailed", "paid": "kept", "log": []}


def test_f5_what_a_deploy_makes_of_the_step_is_not_what_was_approved(tmp_path: Path) -> None:
    rules = policy(always("act"))
    with opened(tmp_path, line(act=saying(paid="5 to ACME")), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))

    with opened(tmp_path, line(act=saying(paid="500 to Mallory")), rules) as app:
        run = go_on(app.run(run.id))
        assert run.value["paid"] == "5 to ACME"


def asking(field: str, question: str) -> Body:
    return lambda _: {field: interrupt(question)}


def test_f5_answers_of_questions_side_by_side_reach_their_own_after_a_swap(tmp_path: Path) -> None:
    steps = {"mail": asking("payee", "send mail?"), "delete": asking("paid", "delete prod?")}
    with opened(tmp_path, fan(**steps), policy()) as app:
        run = app.start({"amount": 1})
        for review in run.reviews():
            assert review.name.place is Place.QUESTION
            answer = "send" if review.presentation.title == "send mail?" else "keep"
            approve(app, review, answer=answer)

    with opened(tmp_path, fan(**dict(reversed(steps.items()))), policy()) as app:
        run = go_on(app.run(run.id))
        assert (run.value["payee"], run.value["paid"]) == ("send", "keep")


def routed(fails: list[bool], done: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose router raises while told to."""

    def route(state: Cheque) -> str:
        if fails[0]:
            raise ConnectionError("the router is down")
        return "pay"

    def pay(state: Cheque) -> Cheque:
        done.append("pay")
        return {"paid": state["payee"]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", saying(payee="x"))
    graph.add_node("pay", pay)
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", route, ["pay"])
    return graph


@pytest.mark.parametrize("gates", [("read",), ()], ids=["approved", "unasked"])
def test_f6_work_is_not_lost_when_the_router_behind_it_raises(
    tmp_path: Path, gates: tuple[str, ...]
) -> None:
    fails, done = [True], []  # type: ignore[var-annotated] # strings
    with opened(tmp_path, routed(fails, done), policy(*map(always, gates))) as app:
        run = settle(app, app.start({"amount": 1}))
        assert run.status is RunStatus.FAILED
        assert "the router is down" in run.reason

        fails[0] = False
        assert run.retry() is RunStatus.DONE
        assert done == ["pay"]
        assert run.value["paid"] == "x"
        assert {r.status for r in run.reviews(pending=False)} <= {ReviewStatus.EXECUTED}


def test_f6_a_run_that_ended_without_what_was_approved_is_not_done(tmp_path: Path) -> None:
    both: StateGraph[Any, Any, Any, Any] = line(read=saying(payee="x"), pay=saying(paid="y"))
    with opened(tmp_path, both, policy(always("pay"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))

    with opened(tmp_path, line(read=saying(payee="x")), policy()) as app:
        run = go_on(app.run(run.id))
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "step 'pay'" in run.reason
        assert "not in the workflow any more" in run.reason


def chain_that_dies_in(path: Path, last: int) -> "StateGraph[Any, Any, Any, Any]":
    def step(number: int) -> Body:
        def body(state: Cheque) -> Cheque:
            with (path / "ran").open("a") as notes:
                notes.write(str(number))
            if number == last:
                die()
            return {"log": [str(number)]}

        return body

    return line(**{f"n{number}": step(number) for number in range(1, 9)})


def die_in_the_sixth(path: Path) -> None:
    with opened(path, chain_that_dies_in(path, 6)) as app:
        app.start({"amount": 1}, run_id="run_1")


def test_f7_a_kill_costs_the_step_it_hit_and_no_other(tmp_path: Path) -> None:
    assert killed(die_in_the_sixth, tmp_path)
    assert (tmp_path / "ran").read_text() == "123456"

    with opened(tmp_path, chain_that_dies_in(tmp_path, 0)) as app:
        run = app.run("run_1")
        assert run.wait(5.0) is RunStatus.DONE
        assert (tmp_path / "ran").read_text() == "123456678"
        assert run.value["log"] == list("12345678")


# -- F8: whoever can write the database cannot run code with it ---------------------------------------


def forged(path: Path) -> bytes:
    """Return bytes that, trusted, would make a folder when they are read."""
    call = ormsgpack.packb(("os", "mkdir", (str(path),)))
    return ormsgpack.packb({"payee": ormsgpack.Ext(EXT_CONSTRUCTOR_POS_ARGS, call)})


def test_f8_a_forged_snapshot_is_not_read(tmp_path: Path) -> None:
    hit = tmp_path / "hit"
    with opened(tmp_path, line(read=saying(payee="x")), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        trusting: Any = JsonPlusSerializer()
        trusting.loads_typed(("msgpack", forged(hit)))
        assert hit.exists(), "the bytes do what is feared of them"
        os.rmdir(hit)  # noqa: PTH106 - what was forged was os.mkdir

        plant = "UPDATE writes SET type = 'msgpack', value = ?"
        app.store.write(lambda t: t.connection.execute(plant, (forged(hit),)) and None)
        with pytest.raises(SnapshotRefused, match=r"names os\.mkdir"):
            app.graph.get_state(run.config)
        assert not hit.exists()


def test_f8_a_forged_proposal_is_neither_called_nor_committed(tmp_path: Path) -> None:
    hit = tmp_path / "hit"
    with opened(tmp_path, line(read=saying(payee="x")), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        plant = "UPDATE hitl_proposal SET blob = ? WHERE review_id = ?"
        app.store.write(lambda t: t.connection.execute(plant, (forged(hit), review.id)) and None)
        approve(app, review)
        go_on(run)
        assert not hit.exists()
        assert run.status is RunStatus.NEEDS_ATTENTION
