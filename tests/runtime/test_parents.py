"""Which steps each step directly rests on, as a run's timeline tells."""

from pathlib import Path
from typing import Any

from langgraph.graph import END, START, StateGraph

from hitl import Retry, Rollback
from tests.runtime.stage import always, approve, deny, go_on, only, opened, policy, settle
from tests.runtime.test_reliability_of_runs import Log, alike, diamond, sure


def parents(app: Any, run: Any) -> list[tuple[str, list[str]]]:
    """Return each committed or denied gate's step with its parents' steps, in order."""
    gates = [s.gate for s in app.queue.timeline(run.id).steps]
    names = {g.id: g.name.step for g in gates}
    return [(g.name.step, sorted(names[p] for p in g.parents)) for g in gates]


def child() -> Any:
    inner: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    for name in ("x", "y"):
        inner.add_node(name, sure(0.9))
    inner.add_edge(START, "x")
    inner.add_edge("x", "y")
    return inner.compile()


def nested() -> "StateGraph[Any, Any, Any, Any]":
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    graph.add_node("a", sure(0.9))
    graph.add_node("mid", child())
    graph.add_node("z", sure(0.9))
    for one, two in ((START, "a"), ("a", "mid"), ("mid", "z"), ("z", END)):
        graph.add_edge(one, two)
    return graph


def test_a_join_rests_on_both_branches_and_not_again_on_their_root(tmp_path: Path) -> None:
    with opened(tmp_path, diamond(), policy()) as app:
        told = parents(app, app.start({"log": []}))
    assert told[0] == ("a", [])
    assert sorted(told[1:3]) == [("b", ["a"]), ("c", ["a"])]
    assert told[3] == ("d", ["b", "c"])


def test_a_child_graph_hangs_on_what_its_parent_knew_and_passes_its_last_step_on(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, nested(), policy()) as app:
        told = dict(parents(app, app.start({"log": []})))
    assert told["mid/x"] == ["a"]
    assert told["mid/y"] == ["mid/x"]
    assert told["z"] == ["mid/y"]


def test_a_denied_attempt_has_the_parents_of_the_next_one(tmp_path: Path) -> None:
    with opened(tmp_path, alike(0.9, 3), policy(always("n2", on_deny=[Retry(2)]))) as app:
        run = app.start({"log": []})
        deny(app, only(run), remedy="retry")
        go_on(run)
        settle(app, run)
        told = parents(app, run)
    assert [p for p in told if p[0] == "n2"] == [("n2", ["n1"])] * 2


def test_after_a_rollback_nothing_rests_on_what_was_undone(tmp_path: Path) -> None:
    gates = [always("n1"), always("n3", on_deny=[Rollback()])]
    with opened(tmp_path, alike(0.9, 3), policy(*gates)) as app:
        run = app.start({"log": []})
        approve(app, only(run))
        go_on(run)
        deny(app, only(run), remedy="rollback")
        go_on(run)
        settle(app, run)
        steps = [s.gate for s in app.queue.timeline(run.id).steps]
    undone = {g.id for g in steps if g.undone_at is not None}
    assert undone
    for gate in steps:
        assert (gate.id in undone) or not undone.intersection(gate.parents)
        assert gate.name.step == "n1" or len(gate.parents) == 1
