"""How sure a run is, through real graphs: the worked examples of the algebra, step by step."""

import operator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

import hitl
from hitl import Checkpoint, Retry, Reviewer, Rollback, Stop
from hitl.models import ConfidenceKind
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    rows,
    settle,
)

WHOLE = {"covers": "since_reset"}
near: Any = pytest.approx


class Log(TypedDict, total=False):
    """A state that only appends."""

    log: Annotated[list[str], operator.add]


def sure(confidence: float | None) -> Body:
    def body(state: Any) -> Any:
        hitl.report(confidence=confidence)
        return {"log": ["done"]}

    return body


def alike(confidence: float, steps: int) -> "StateGraph[Any, Any, Any, Any]":
    return line(**{f"n{i}": sure(confidence) for i in range(1, steps + 1)})


def after(path: Path, graph: Any, *checkpoints: Checkpoint, **rules: Any) -> float:
    """Return the reliability of a run in which everything that asks is approved."""
    with opened(path, graph, policy(*checkpoints, **rules)) as app:
        return settle(app, app.start({"log": []})).reliability


@pytest.mark.parametrize(
    ("steps", "expected"), [(2, 0.5625), (3, 0.421875), (4, 0.31640625), (8, 0.1001129150390625)]
)
def test_a_chain_multiplies(tmp_path: Path, steps: int, expected: float) -> None:
    assert after(tmp_path, alike(0.75, steps)) == near(expected, abs=1e-12)


def diamond() -> "StateGraph[Any, Any, Any, Any]":
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    for name in "abcd":
        graph.add_node(name, sure(0.9))
    graph.add_edge(START, "a")
    for name in "bc":
        graph.add_edge("a", name)
    graph.add_edge(["b", "c"], "d")
    graph.add_edge("d", END)
    return graph


def test_a_shared_ancestor_counts_once(tmp_path: Path) -> None:
    assert after(tmp_path, diamond()) == near(0.6561)


def test_siblings_add_up_and_one_yes_drops_their_prefix_once(tmp_path: Path) -> None:
    assert after(tmp_path, diamond(), always("b", **WHOLE)) == near(0.9 * 0.9)


def test_both_siblings_approved_leave_what_follows(tmp_path: Path) -> None:
    gates = [always("b", **WHOLE), always("c", **WHOLE)]
    assert after(tmp_path, diamond(), *gates) == near(0.9)


def test_a_yes_to_the_step_alone_keeps_its_prefix(tmp_path: Path) -> None:
    assert after(tmp_path, alike(0.9, 4), always("n3")) == near(0.9**3)


def test_a_yes_to_everything_since_starts_again(tmp_path: Path) -> None:
    assert after(tmp_path, alike(0.9, 4), always("n3", **WHOLE)) == near(0.9)


def test_a_child_graph_starts_from_its_parents_value_and_folds_back(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.7)).compile()
    graph = line(plan=sure(0.9), child=child, end=sure(0.95))
    with opened(tmp_path, graph) as app:
        run = app.start({"log": []})
        assert row(app, run, "child/one").reliability_before == near(0.9)
        assert row(app, run, "child/two").reliability_after == near(0.9 * 0.8 * 0.7)
        assert row(app, run, "child").reliability_after == near(0.9 * 0.8 * 0.7)
        assert run.reliability == near(0.9 * 0.8 * 0.7 * 0.95)


def test_a_gate_inside_a_child_sees_the_whole_runs_reliability(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.9)).compile()
    graph = line(plan=sure(0.9), child=child)
    rules = policy(Checkpoint("child/two", reliability_below=0.7))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({"log": []})
        assert only(run).presentation.reliability_now == near(0.648)
        assert [v.step for v in only(run).presentation.vouched] == ["plan", "child/one"]


def test_a_gate_on_a_child_compares_the_childs_own_reliability(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.9)).compile()
    rules = policy(Checkpoint("child", confidence_below=0.75))
    with opened(tmp_path, line(plan=sure(0.5), child=child), rules) as app:
        run = app.start({"log": []})
        found = rows(app, run, "child")[0]
        assert (found.p, found.confidence_kind) == (near(0.72), ConfidenceKind.COMPOUND)
        approve(app, only(run))
        go_on(run)
        assert run.reliability == near(0.5)


def test_a_gate_before_a_child_does_not_vouch_for_what_the_child_does(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.9)).compile()
    rules = policy(always("child", place="before", **WHOLE))
    with opened(tmp_path, line(plan=sure(0.5), child=child), rules) as app:
        run = settle(app, app.start({"log": []}))
        assert run.reliability == near(0.72), "the plan is vouched for, the child is not"


def test_a_retried_step_counts_with_what_was_committed(tmp_path: Path) -> None:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=0.5 if hitl.current().attempt == 1 else 0.8)
        return {"payee": "x"}

    careful = Reviewer(1.0, 1.0)
    rules = policy(always("read"), reviewer=careful)
    with opened(tmp_path, line(plan=sure(0.9), read=read, end=sure(0.95)), rules) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        go_on(run)
        assert only(run).presentation.reliability_now == near(0.72)
        settle(app, run)
        assert run.reliability == near(0.9 * 0.95)


def test_a_retried_child_counts_once(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.9)).compile()
    with opened(tmp_path, line(child=child, end=sure(0.95)), policy(always("child"))) as app:
        run = app.start({"log": []})
        deny(app, only(run), "retry")
        go_on(run)
        assert only(run).presentation.reliability_now == near(0.72)


def test_a_rollback_takes_reliability_back_with_the_state(tmp_path: Path) -> None:
    rules = policy(always("n2", **WHOLE), always("n4", on_deny=[Rollback(), Stop()]))
    with opened(tmp_path, alike(0.9, 4), rules) as app:
        run = app.start({"log": []})
        approve(app, only(run))
        go_on(run)
        assert only(run).presentation.reliability_now == near(0.81)
        deny(app, only(run), "rollback")
        go_on(run)
        assert only(run).presentation.reliability_now == near(0.81)


def test_new_input_opens_a_turn_at_one(tmp_path: Path) -> None:
    with opened(tmp_path, alike(0.9, 2)) as app:
        run = app.start({"log": []})
        assert run.reliability == near(0.81)
        app.start({"log": []}, run_id=run.id)
        assert run.reliability == near(0.81)
        assert [r.reliability_before for r in rows(app, run)] == near([1, 0.9, 1, 0.9])
        assert [r.turn for r in rows(app, run)] == [1, 1, 2, 2]


# -- what a yes is worth ------------------------------------------------------------------------------


def test_a_yes_of_a_declared_reviewer_is_worth_its_posterior(tmp_path: Path) -> None:
    rules = policy(always("n1"), reviewer=Reviewer(0.9, 0.95))
    with opened(tmp_path, alike(0.75, 1), rules) as app:
        run = app.start({"log": []})
        shown = only(run).presentation
        assert (shown.reset_to, shown.reset_basis) == (near(0.966101694915), "declared")
        settle(app, run)
        assert run.reliability == near(0.966101694915)


def test_eight_gated_steps_with_that_reviewer(tmp_path: Path) -> None:
    gates = [always(f"n{i}") for i in range(1, 9)]
    found = after(tmp_path, alike(0.75, 8), *gates, reviewer=Reviewer(0.9, 0.95))
    assert found == near(0.7589, abs=5e-5)


def test_each_step_vouched_for_counts_with_its_posterior(tmp_path: Path) -> None:
    rules = policy(always("n3", **WHOLE), reviewer=Reviewer(0.9, 0.95))
    with opened(tmp_path, alike(0.75, 3), rules) as app:
        run = settle(app, app.start({"log": []}))
        assert run.reliability == near(0.966101694915**3)


def test_until_a_reviewer_is_declared_a_yes_is_assumed_right_and_says_so(tmp_path: Path) -> None:
    with opened(tmp_path, alike(0.75, 1), policy(always("n1"))) as app:
        run = app.start({"log": []})
        shown = only(run).presentation
        assert (shown.reset_to, shown.reset_basis) == (1.0, "assumed")


# -- which p ------------------------------------------------------------------------------------------


def test_a_calibrator_comes_before_everything(tmp_path: Path) -> None:
    def halve(confidence: float) -> float:
        return confidence / 2

    with opened(
        tmp_path, alike(0.9, 1), policy(accuracy={"n1": 0.99}), calibrators={"n1": halve}
    ) as app:
        run = app.start({"log": []})
        found = row(app, run, "n1")
        assert (found.p, found.confidence) == (near(0.45), 0.9)
        assert (found.confidence_kind, found.calibrator) == (ConfidenceKind.CALIBRATED, "halve")


def test_a_declared_accuracy_stands_in_for_a_silent_step(tmp_path: Path) -> None:
    with opened(tmp_path, line(n1=sure(None), n2=sure(None)), policy(accuracy={"n1": 0.97})) as app:
        run = app.start({"log": []})
        first, second = row(app, run, "n1"), row(app, run, "n2")
        assert (first.p, first.confidence_kind) == (0.97, ConfidenceKind.DECLARED)
        assert (second.p, second.confidence_kind) == (None, ConfidenceKind.UNKNOWN)
        assert (run.reliability, run.record.unknown_steps) == (near(0.97), 1)


def test_what_is_unknown_is_said_at_wrap_and_on_the_page(tmp_path: Path) -> None:
    rules = policy(Checkpoint("n1", confidence_below=0.9))
    with opened(tmp_path, line(n1=sure(None)), rules) as app:
        assert any("how often step 'n1' is right" in note for note in app.notes)
        run = app.start({"log": []})
        assert only(run).presentation.why == (
            "No confidence was reported; this checkpoint asks below 0.90.",
        )
        assert only(run).presentation.unknown_steps == 1


def test_thirty_labels_make_a_measured_accuracy(tmp_path: Path) -> None:
    clock = HandClock()
    rules = policy(always("n1", on_deny=[Retry(1), Stop()]))
    with opened(tmp_path, alike(0.99, 1), rules, clock=clock) as app:
        for number in range(30):
            assert _p(app, clock) == (0.99, ConfidenceKind.REPORTED)
            run = app.start({"log": []})
            if number % 3 == 0:
                deny(app, only(run), "stop")
            else:
                approve(app, only(run))
        assert app.store.read(lambda r: r.label_counts(app.name, "n1")) == (20, 30)
        assert _p(app, clock) == (near(20.5 / 31), ConfidenceKind.MEASURED)


def _p(app: Any, clock: HandClock) -> tuple[Any, ConfidenceKind]:
    clock.move(timedelta(minutes=1))
    found = rows(app, app.start({"log": []}))[0]
    return found.p, found.confidence_kind


# -- what a figure rests on ---------------------------------------------------------------------------


def resting(run: hitl.Run) -> dict[str, list[str]]:
    """Return, for each live step, the unverified steps its reliability rests on."""
    story = run.timeline()
    return {
        each.gate.name.step: [row.name.step for row in story.rests_on(each.gate.id)]
        for each in story.steps
        if each.is_live
    }


def test_each_figure_says_which_steps_it_rests_on(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.7)).compile()
    graph = line(plan=sure(0.9), child=child, read=sure(0.6), end=sure(0.5))
    with opened(tmp_path, graph, policy(always("read", **WHOLE))) as app:
        run = settle(app, app.start({"log": []}))
        assert resting(run) == {
            "plan": ["plan"],
            "child/one": ["plan", "child/one"],
            "child/two": ["plan", "child/one", "child/two"],
            "child": ["plan", "child/one", "child/two"],
            "read": [],
            "end": ["end"],
        }


def test_a_join_rests_on_its_shared_ancestor_once_and_siblings_not_on_each_other(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, diamond()) as app:
        run = app.start({"log": []})
        found = resting(run)
        assert (found["b"], found["c"]) == (["a", "b"], ["a", "c"])
        assert sorted(found["d"]) == ["a", "b", "c", "d"]


def test_the_figure_is_the_product_of_what_it_rests_on(tmp_path: Path) -> None:
    child = line(one=sure(0.8), two=sure(0.7)).compile()
    graph = line(plan=sure(0.9), child=child, read=sure(0.6), end=sure(0.5))
    with opened(tmp_path, graph, policy(always("child/two"))) as app:
        run = settle(app, app.start({"log": []}))
        story = run.timeline()
        for step in story.steps:
            product = 1.0
            for each in story.rests_on(step.gate.id):
                product *= each.p or 1.0
            assert step.reliability == near(product), step.gate.name.step
