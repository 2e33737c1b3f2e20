"""V1 to V6: a deploy under a waiting run never gives an answer to another question, and has a way on."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

import hitl
from hitl import EscalationPolicy, Run, Stop, Workflow
from hitl.cli import run as command_line
from hitl.errors import RunRefusal
from hitl.models import ReviewStatus, RunStatus
from tests.runtime.processes import die, killed
from tests.runtime.stage import (
    Body,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    settle,
    trail,
)


def saying(word: str) -> Body:
    return lambda _: {"log": [word]}


A, B, C = saying("a"), saying("b"), saying("c")
RULES = policy(always("a"), always("b"))
AT_B: dict[str, Any] = {"a": A, "b": B}


def waiting_at_b(path: Path, rules: EscalationPolicy = RULES) -> str:
    """Leave a run whose first gate was passed and whose second one waits; return its id."""
    with opened(path, line(a=A, b=B), rules) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        assert only(go_on(run)).name.step == "b"
        return run.id


def decided(path: Path, run_id: str, verdict: str = "approve") -> None:
    """Decide what waits before the deploy."""
    with opened(path, line(a=A, b=B), RULES) as app:
        answer = approve if verdict == "approve" else deny
        answer(app, only(app.run(run_id)))


def parked(app: Workflow, run_id: str, *words: str) -> Run:
    """Have the run go on; it must need attention, say why, and have done nothing."""
    run = app.run(run_id)
    app.queue.sweep()
    app.advance(run_id)
    assert run.status is RunStatus.NEEDS_ATTENTION, run.record
    for word in (*words, "Nothing was run", "hitl migrate", "hitl restart", "hitl stop"):
        assert word in run.reason, run.reason
    return run


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_v1_gates_that_change_places_park_the_run(tmp_path: Path, verdict: str) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id, verdict)

    with opened(tmp_path, line(b=B, a=A), RULES) as app:
        run = parked(app, run_id, "step 'b'")
        assert app.graph.get_state(run.config).values["log"] == ["a"]


def test_v2_a_gate_put_before_the_waiting_one_parks_the_run(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id)

    with opened(tmp_path, line(a=A, c=C, b=B), policy(*RULES.checkpoints, always("c"))) as app:
        parked(app, run_id, "step 'c' now stands before step 'b'")


def test_v2_what_comes_after_the_waiting_gate_may_change(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id)

    with opened(tmp_path, line(a=A, b=B, c=C), policy(*RULES.checkpoints, always("c"))) as app:
        run = go_on(app.run(run_id))
        assert only(run).name.step == "c"
        assert "run.version_changed" in trail(app, run)
        assert settle(app, run).status is RunStatus.DONE
        assert run.value["log"] == ["a", "b", "c"]


@pytest.mark.parametrize("decide_first", [True, False])
def test_v3_a_renamed_step_parks_the_run_and_does_not_end_it(
    tmp_path: Path, decide_first: bool
) -> None:
    run_id = waiting_at_b(tmp_path)
    if decide_first:
        decided(tmp_path, run_id)

    with opened(tmp_path, line(a=A, renamed=B), policy(always("a"), always("renamed"))) as app:
        if not decide_first:
            app.graph.get_state(app.run(run_id).config)
            with pytest.raises(Exception, match="not in the workflow any more"):
                app.invoke(None, app.run(run_id).config)
        run = parked(app, run_id, "step 'b'", "not in the workflow any more")
        with pytest.raises(RunRefusal, match="restart it"):
            run.migrate(by="ana")

        looked = run.restart(by="ana", dry_run=True)
        assert not looked.done
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert run.restart(by="ana").runs_again == ("a", "b"), (
            "back to before the step that led to it"
        )
        assert settle(app, go_on(run)).status is RunStatus.DONE
        assert run.value["log"] == ["a", "b"]


def tools_graph(*tools: StructuredTool) -> Any:
    def agent(state: MessagesState) -> Any:
        if len(state["messages"]) > 1:
            return {}
        call = {"name": "pay", "args": {"amount": 5}, "id": "1"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode(list(tools)))
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "tools")
    return graph


def tool(name: str, paid: list[Any], *, kind: type = int) -> StructuredTool:
    def pay(amount: Any) -> str:
        paid.append(amount)
        return "paid"

    pay.__annotations__["amount"] = kind
    return StructuredTool.from_function(pay, name=name, description="Pay.")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [("pay", str, "takes something else"), ("send", int, "is gone")],
    ids=["v4_another_schema", "v5_removed"],
)
def test_a_tool_that_changed_is_not_called_on_the_old_yes(
    tmp_path: Path, name: str, kind: type, said: str
) -> None:
    paid: list[Any] = []
    rules = policy(always("tools", place="before", on_deny=[Stop()]))
    with opened(tmp_path, tools_graph(tool("pay", paid)), rules) as app:
        run = app.start({"messages": [("user", "pay 5")]})
        approve(app, only(run))
        run_id = run.id

    with opened(tmp_path, tools_graph(tool(name, paid, kind=kind)), rules) as app:
        parked(app, run_id, "Tool 'pay'", said)
        assert paid == []


def test_v6_what_waits_keeps_the_policy_it_was_asked_under(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    laxer = EscalationPolicy("p", version="2", checkpoints=[always("a")])

    with opened(tmp_path, line(a=A, b=B), laxer) as app:
        run = go_on(app.run(run_id))
        asked = only(run)
        assert asked.proposal.policy_hash == RULES.content_hash
        approve(app, asked)
        assert go_on(run).status is RunStatus.DONE
        assert run.record.policy_hash == laxer.content_hash


def test_a_gate_before_an_effect_that_the_new_policy_drops_parks_the_run(tmp_path: Path) -> None:
    done: list[str] = []

    def pay(_: Any) -> Any:
        done.append("pay")
        return {}

    graph = line(pay=pay)
    with opened(tmp_path, graph, policy(always("pay", place="before", on_deny=[Stop()]))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run))
        run_id = run.id

    with opened(tmp_path, graph, policy()) as app:
        parked(app, run_id, "Nobody is asked before step 'pay'")
        assert done == []


def test_the_version_it_began_with_is_a_way_on_too(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id)
    with opened(tmp_path, line(b=B, a=A), RULES) as app:
        parked(app, run_id)

    with opened(tmp_path, line(a=A, b=B), RULES) as app:
        run = app.run(run_id)
        assert run.retry() is RunStatus.DONE
        assert run.value["log"] == ["a", "b"]


def test_migrate_carries_out_what_was_decided_and_asks_anew_what_was_withdrawn(
    tmp_path: Path,
) -> None:
    done, waits = waiting_at_b(tmp_path), waiting_at_b(tmp_path)
    with opened(tmp_path, line(a=A, b=B), RULES) as app:
        approve(app, only(app.run(done)))

    changed = policy(*RULES.checkpoints, always("c"))
    with opened(tmp_path, line(a=A, c=C, b=B), changed) as app:
        run = parked(app, done)
        look = run.migrate(by="ana", dry_run=True)
        assert (look.carried_out, look.asks_again, look.done) == (("b",), (), False)
        assert "step 'c' now stands before" in (look.problem or "")
        assert run.migrate(by="ana").done
        assert go_on(run).status is RunStatus.DONE
        assert "run.migrated" in trail(app, run)

        with pytest.raises(Exception, match="now stands before"):
            app.invoke(None, app.run(waits).config)
        run = app.run(waits)
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert [r.status for r in run.reviews(pending=False)][-1] is ReviewStatus.SUPERSEDED
        assert run.migrate(by="ana").asks_again == ("b",)
        assert only(go_on(run)).name.step == "b"
        assert settle(app, run).status is RunStatus.DONE
        assert app.queue.verify() is None


def test_restart_goes_back_to_what_was_verified_and_runs_the_new_steps(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id)

    with opened(tmp_path, line(c=C, a=A, b=B), RULES) as app:
        run = parked(app, run_id, "step 'c' now stands before")
        assert run.restart(by="ana").done
        assert "run.restarted" in trail(app, run)
        assert settle(app, go_on(run)).status is RunStatus.DONE


def test_neither_agents_nor_ended_runs_are_moved(tmp_path: Path) -> None:
    run_id = waiting_at_b(tmp_path)
    with opened(tmp_path, line(a=A, b=B), RULES) as app:
        run = app.run(run_id)
        with pytest.raises(RunRefusal, match="agent"):
            run.migrate(by="agent:x")
        assert settle(app, run).status is RunStatus.DONE
        with pytest.raises(RunRefusal, match="is done"):
            run.restart(by="ana")


def dies_before_b(path: Path) -> None:
    with opened(path, line(a=A, b=lambda _: die()), policy()) as app:
        app.start({"amount": 1}, run_id="run_1")


def test_v3_a_run_that_was_killed_on_its_way_to_a_renamed_step_is_not_done(tmp_path: Path) -> None:
    assert killed(dies_before_b, tmp_path)

    with opened(tmp_path, line(a=A, renamed=B), policy()) as app:
        run = parked(app, "run_1", "step 'b'", "not in the workflow any more")
        assert run.restart(by="ana").done
        assert go_on(run).status is RunStatus.DONE
        assert run.value["log"] == ["a", "b"]


def app_of_today() -> Workflow:
    """The workflow `hitl migrate --app` loads; its store is named by the environment."""
    rules = policy(*RULES.checkpoints, always("c"))
    return hitl.wrap(line(a=A, c=C, b=B), rules, store=os.environ["HITL_STORE"])


def test_the_command_line_tells_and_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = waiting_at_b(tmp_path)
    decided(tmp_path, run_id)
    monkeypatch.setenv("HITL_STORE", f"sqlite:///{tmp_path / 'hitl.db'}")
    where = ["--app", f"{__name__}:app_of_today", "--by", "ana"]

    assert command_line(["migrate", run_id, *where, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "would go on" in told
    assert "step 'c' now stands before step 'b'" in told
    assert "Carried out as it stands: b." in told

    assert command_line(["restart", run_id, *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] is True
    with opened(tmp_path, line(a=A, c=C, b=B), policy(*RULES.checkpoints, always("c"))) as app:
        assert settle(app, go_on(app.run(run_id))).status is RunStatus.DONE
        assert "c" in app.run(run_id).value["log"]
