"""Traps T21 and T26: where a rollback goes, what it never crosses, and that no ladder starts again."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph

import hitl
from hitl import Answer, Checkpoint, Retry, Rollback, Stop
from hitl.models import RemedyKind, ReviewStatus, RunStatus
from tests.runtime.processes import killed, mortal
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
    rows,
    settle,
    trail,
)

LADDER = [Retry(1), Rollback(), Answer(), Stop()]


def tracing(done: list[str], name: str, confidence: float = 0.9) -> Body:
    """Return a body that notes its runs."""

    def body(state: Cheque) -> Cheque:
        hitl.report(confidence=confidence)
        done.append(name)
        return {"log": [f"{name} {done.count(name)}"]}

    return body


def steps(done: list[str], *names: str) -> "StateGraph[Any, Any, Any, Any]":
    return line(**{name: tracing(done, name) for name in names})


def offered(run: hitl.Run) -> list[str]:
    return [rung.kind.value for rung in only(run).rungs]


def test_t21_the_ladder_goes_on_after_a_rollback(tmp_path: Path) -> None:
    done: list[str] = []
    graph = steps(done, "plan", "read")
    with opened(tmp_path, graph, policy(always("read", on_deny=LADDER))) as app:
        run = app.start({"amount": 1})
        seen = []
        for remedy in ("retry", "rollback"):
            seen.append((only(run).attempt, offered(run)))
            deny(app, only(run), remedy, reasons=[f"no, {remedy}"])
            go_on(run)
        last = only(run)

        assert seen == [
            (1, ["retry", "rollback", "answer", "stop"]),
            (2, ["rollback", "answer", "stop"]),
        ]
        assert (last.name.visit, last.attempt) == (1, 3)
        assert offered(run) == ["answer", "stop"]
        assert [d.reasons for d in last.presentation.denials] == [("no, retry",), ("no, rollback",)]
        assert done == ["plan", "read", "read", "plan", "read"]


def test_t21_nor_does_it_after_a_restart_of_the_process(tmp_path: Path) -> None:
    rules = policy(always("read", on_deny=LADDER))
    with opened(tmp_path, steps([], "plan", "read"), rules) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        go_on(run)
        deny(app, only(run), "rollback")

    with opened(tmp_path, steps([], "plan", "read"), rules) as app:
        run = go_on(app.run(run.id))
        assert only(run).attempt == 3
        assert offered(run) == ["answer", "stop"]


def test_t21_the_reasons_reach_every_step_run_again(tmp_path: Path) -> None:
    heard: dict[str, list[tuple[str, ...]]] = {}

    def listening(name: str) -> Body:
        def body(state: Cheque) -> Cheque:
            heard[name] = [denial.reasons for denial in hitl.current().denials]
            return {"log": [name]}

        return body

    graph = line(plan=listening("plan"), read=listening("read"), end=listening("end"))
    with opened(tmp_path, graph, policy(always("read", on_deny=LADDER))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "rollback", reasons=["wrong plan"])
        settle(app, go_on(run))

        assert heard == {"plan": [("wrong plan",)], "read": [("wrong plan",)], "end": []}
        assert run.value["log"] == ["plan", "read", "end"]


def test_t26_it_goes_to_the_newest_snapshot_that_is_verified_whole(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(always("read"), always("send", on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, steps(done, "plan", "read", "check", "send"), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        deny(app, only(run), "rollback")
        go_on(run)
        assert done[4:] == ["plan", "read"], "plan was never verified, so it runs again"
        settle(app, run)
        assert run.value["log"] == ["plan 2", "read 2", "check 2", "send 2"]


def test_t26_a_yes_to_everything_since_is_where_it_goes_back_to(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(
        always("read", covers="since_reset"), always("send", on_deny=[Rollback(), Stop()])
    )
    with opened(tmp_path, steps(done, "plan", "read", "check", "send"), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        deny(app, only(run), "rollback")
        go_on(run)

        assert done == ["plan", "read", "check", "send", "check", "send"]
        undone = [r.name.step for r in rows(app, run) if r.undone_at is not None]
        assert sorted(undone) == ["check", "send"]
        assert run.record.branch == 1
        assert trail(app, run).count("run.rolled_back") == 1
        approve(app, only(run))
        go_on(run)
        assert run.value["log"] == ["plan 1", "read 1", "check 2", "send 2"]
        assert run.reliability == pytest.approx(0.9)


def test_t26_a_sibling_nobody_verified_makes_the_snapshot_unfit(tmp_path: Path) -> None:
    done: list[str] = []
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    for name in ("left", "right", "send"):
        graph.add_node(name, tracing(done, name))
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    graph.add_edge(["left", "right"], "send")
    graph.add_edge("send", END)
    rules = policy(
        always("left", covers="since_reset"), always("send", on_deny=[Rollback(), Stop()])
    )
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        deny(app, only(run), "rollback")
        go_on(run)
        assert sorted(done) == ["left", "left", "right", "right", "send"]


def test_t26_it_closes_what_else_was_open_in_the_same_transaction(tmp_path: Path) -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    for name in ("left", "right"):
        graph.add_node(name, tracing([], name))
        graph.add_edge(START, name)
    rules = policy(always("left", on_deny=[Rollback(), Stop()]), always("right"))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        left, right = sorted(run.reviews(), key=lambda review: review.name.step)
        deny(app, left, "rollback")
        go_on(run)

        assert app.queue.get(right.id).status is ReviewStatus.SUPERSEDED
        assert "rolled back" in app.queue.get(right.id).closed_reason
        new = {review.name.step: review for review in run.reviews()}
        assert set(new) == {"left", "right"}
        assert (new["left"].attempt, new["right"].attempt) == (2, 1)
        settle(app, run)
        assert run.status is RunStatus.DONE, run.reason
        assert app.queue.verify(run.id) is None


@pytest.mark.parametrize("first", ["left", "right"])
def test_t26_a_stop_given_at_the_same_time_is_the_stronger_no(tmp_path: Path, first: str) -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    for name in ("left", "right"):
        graph.add_node(name, tracing([], name))
        graph.add_edge(START, name)
    rules = policy(*(always(n, on_deny=[Rollback(), Stop()]) for n in ("left", "right")))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        for review in run.reviews():
            deny(app, review, "rollback" if review.name.step == first else "stop")
        go_on(run)
        assert run.status is RunStatus.STOPPED
        assert run.record.branch == 0


def test_t26_a_no_inside_a_child_graph_takes_the_whole_run_back(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(
        always("plan", covers="since_reset"), always("letter/sign", on_deny=[Rollback(), Stop()])
    )
    letter = steps(done, "draft", "sign").compile()
    graph = line(begin=tracing(done, "begin"), plan=tracing(done, "plan"), letter=letter)
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        deny(app, only(run), "rollback", reasons=["bad"])
        go_on(run)
        assert done == ["begin", "plan", "draft", "sign", "draft", "sign"]
        assert (only(run).name.visit, only(run).attempt) == (1, 2)
        settle(app, run)
        assert run.status is RunStatus.DONE, run.reason


def paying(done: list[str]) -> "StateGraph[Any, Any, Any, Any]":
    return steps(done, "plan", "pay", "tell")


@pytest.mark.parametrize("asked", [True, False], ids=["approved", "unasked"])
def test_t26_it_never_crosses_an_effect_that_happened(tmp_path: Path, *, asked: bool) -> None:
    done: list[str] = []
    rules = policy(
        Checkpoint("pay", place="before", always=asked),
        always("tell", on_deny=[Rollback(), Stop()]),
    )
    with opened(tmp_path, paying(done), rules) as app:
        run = app.start({"amount": 1})
        if asked:
            approve(app, only(run))
            go_on(run)
        deny(app, only(run), "rollback")
        go_on(run)

        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "pass step 'pay', whose effect already happened" in run.reason
        assert done == ["plan", "pay", "tell"]


def test_t26_nor_past_the_effect_of_the_very_step_that_is_denied(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(
        always("pay", place="before"), always("pay", on_deny=[Retry(2), Rollback(), Stop()])
    )
    with opened(tmp_path, paying(done), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        assert offered(run) == [RemedyKind.STOP.value]


def test_t26_nor_past_an_update_by_hand(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(always("send", on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, steps(done, "plan", "send"), rules) as app:
        run = app.start({"amount": 1})
        app.graph.update_state(run.config, {"amount": 5})
        app.invoke(None, run.config)
        deny(app, only(run), "rollback")
        go_on(run)

        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "manual state update" in run.reason
        assert app.graph.get_state(run.config).values["amount"] == 5


def test_t26_a_second_turn_goes_back_to_its_own_input(tmp_path: Path) -> None:
    done: list[str] = []
    rules = policy(always("send", on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, steps(done, "plan", "send"), rules) as app:
        run = settle(app, app.start({"amount": 1}))
        app.start({"amount": 2}, run_id=run.id)
        deny(app, only(run), "rollback")
        go_on(run)
        settle(app, run)

        assert run.value["amount"] == 2
        assert run.value["log"] == ["plan 1", "send 1", "plan 3", "send 3"]
        assert done == ["plan", "send", "plan", "send", "plan", "send"]


def test_t26_a_late_decision_on_the_abandoned_branch_changes_nothing(tmp_path: Path) -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    for name in ("left", "right"):
        graph.add_node(name, tracing([], name))
        graph.add_edge(START, name)
    rules = policy(always("left", on_deny=[Rollback(), Stop()]), always("right"))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"amount": 1})
        left, right = sorted(run.reviews(), key=lambda review: review.name.step)
        deny(app, left, "rollback")
        approve(app, right)
        go_on(run)

        assert sorted(r.name.step for r in run.reviews()) == ["left", "right"]
        settle(app, run)
        assert sorted(run.value["log"]) == ["left 2", "right 2"]


# -- kills --------------------------------------------------------------------------------------------


def ladder_graph() -> "StateGraph[Any, Any, Any, Any]":
    return line(
        plan=lambda _: {"log": ["plan"]}, read=lambda _: {"log": ["read"]}, end=lambda _: {}
    )


LADDER_RULES = policy(always("read", on_deny=[Retry(1), Rollback(), Stop()]))


def climb(app: hitl.Workflow, run: hitl.Run) -> None:
    """Say no with each rung, then yes; from wherever the run stands."""
    while run.reviews():
        review = only(run)
        (deny if review.attempt < 3 else approve)(app, review)
        go_on(run)


def climb_until_killed(path: Path, at: int) -> None:
    store = mortal(path)
    with opened(path, ladder_graph(), LADDER_RULES, store=store) as app:
        run = app.start({"amount": 1}, run_id="run_1")
        store.doom(at=at, moment="after")
        climb(app, run)


def test_t26_no_kill_leaves_half_a_rollback(tmp_path: Path) -> None:
    at = 0
    while True:
        at += 1
        path = tmp_path / str(at)
        path.mkdir()
        if not killed(climb_until_killed, path, at):
            break
        with opened(path, ladder_graph(), LADDER_RULES) as app:
            run = app.run("run_1")
            app.advance(run.id)
            climb(app, run)
            assert run.wait(5.0) is RunStatus.DONE, run.reason
            assert run.value["log"] == ["plan", "read"]
            assert [r.attempt for r in run.reviews(pending=False)] == [1, 2, 3]
            assert run.record.branch == 1
            assert trail(app, run).count("run.rolled_back") == 1
            live = [r.name.step for r in rows(app, run, live=True) if r.committed_at]
            assert sorted(live) == ["end", "plan", "read"]
            assert app.store.read(lambda r: r.open_proposals("run_1")) == []
            assert app.queue.verify() is None
    assert at > 10
