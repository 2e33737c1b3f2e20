"""Bad input: a sentence at the earliest moment, and nothing half-written."""

import math
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

import hitl
from hitl.errors import (
    ConfigurationError,
    HitlError,
    NewerDatabase,
    ProposalRefused,
    RunBusy,
    StoreUnavailable,
)
from hitl.graph.lg import CHECKPOINTER_KEY
from hitl.graph.view import view_of
from hitl.models import RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    go_on,
    line,
    only,
    opened,
    policy,
    rows,
)


@pytest.mark.parametrize(
    "confidence", [-0.1, 1.000001, math.nan, math.inf], ids=["below", "above", "nan", "inf"]
)
def test_a_confidence_that_is_none_fails_the_step(tmp_path: Path, confidence: float) -> None:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=confidence)
        return {"payee": "x"}

    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        with pytest.raises(HitlError, match=r"'read' reported confidence .* number in \[0, 1\]"):
            app.start({"amount": 1}, run_id="run_1")
        run = app.run("run_1")
        assert run.status is RunStatus.FAILED
        assert "must be a number in [0, 1]" in run.reason
        assert run.reviews(pending=False) == []
        assert rows(app, run) == []


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, True])
def test_the_ends_are_probabilities(tmp_path: Path, confidence: float) -> None:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=confidence)
        return {"payee": "x"}

    with opened(tmp_path, line(read=read)) as app:
        run = app.start({"amount": 1})
        assert rows(app, run)[0].p == float(confidence)
        assert run.reliability == pytest.approx(float(confidence), abs=1e-11)


def test_a_calibrator_that_answers_nonsense_is_not_believed(tmp_path: Path) -> None:
    def broken(confidence: float) -> float:
        return math.nan

    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=0.99)
        return {"payee": "x"}

    rules = policy(hitl.Checkpoint("read", confidence_below=0.9))
    with opened(tmp_path, line(read=read), rules, calibrators={"read": broken}) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.WAITING
        assert rows(app, run)[0].p is None


class Handle:
    """Nothing that can be stored."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def test_a_proposal_that_cannot_be_stored_is_not_put_before_anybody(tmp_path: Path) -> None:
    graph = line(read=lambda _: {"payee": Handle()})
    with opened(tmp_path, graph, policy(always("read"))) as app:
        with pytest.raises(ProposalRefused, match="step 'read' cannot be reviewed"):
            app.start({"amount": 1}, run_id="run_1")
        run = app.run("run_1")
        assert run.status is RunStatus.FAILED
        assert (run.reviews(pending=False), rows(app, run)) == ([], [])


def test_a_proposal_of_17_mib_is_refused_and_a_passing_step_of_17_mib_is_not(
    tmp_path: Path,
) -> None:
    big = "x" * (17 * 1024 * 1024)
    with opened(tmp_path, line(read=lambda _: {"payee": big}), policy(always("read"))) as app:
        with pytest.raises(ProposalRefused, match="the limit is 16777216"):
            app.start({"amount": 1}, run_id="run_1")
        assert app.run("run_1").reviews(pending=False) == []
    with opened(tmp_path, line(read=lambda _: {"payee": big})) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.DONE
        assert len(rows(app, run)[0].summary) <= 160


def test_a_view_too_long_or_too_deep_is_cut_and_says_so_and_the_bytes_stay(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = [deep]
    long = "x" * 300_000
    graph = line(read=lambda _: {"payee": long, "paid": deep})
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        assert review.proposal.elided == 2
        shown = repr(review.proposal.arguments)
        assert "[not shown: deeper than 32 levels]" in shown
        assert "more characters]" in shown
        assert len(shown) < 270_000
        approve(app, review)
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == (long, deep)


def test_many_small_things_are_cut_too(tmp_path: Path) -> None:
    graph = line(read=lambda _: {"paid": [[[0] * 200] * 200] * 200})
    with opened(tmp_path, graph, policy(always("read"))) as app:
        review = only(app.start({"amount": 1}))
        assert review.proposal.elided > 0
        assert len(repr(review.proposal.arguments)) < 300_000


class Opaque:
    """A value whose words say where it lies in memory."""


def test_the_same_value_is_shown_the_same_in_every_process() -> None:
    assert view_of({"b", "longer", "a", "and longer"})[0] == ["a", "and longer", "b", "longer"]
    kept = [Opaque(), Opaque()]
    first, second = (view_of(each)[0] for each in kept)
    assert first == second


def test_a_foreign_checkpointer_is_refused(tmp_path: Path) -> None:
    graph = line(read=lambda _: {}).compile(checkpointer=InMemorySaver())
    with (
        pytest.raises(ConfigurationError, match=r"compiled with a InMemorySaver.* in `store=`"),
        opened(tmp_path, graph),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="this is a dict"), opened(tmp_path, {}):
        pass


def test_a_calibrator_for_no_step_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"calibrator names step 'raed'.*'read'"),
        opened(tmp_path, line(read=lambda _: {}), calibrators={"raed": float}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    graph = line(read=lambda _: {})
    with (
        pytest.raises(StoreUnavailable, match="cannot be opened"),
        opened(tmp_path, graph, store=f"sqlite:///{tmp_path}/no/such/folder/hitl.db"),
    ):
        pass
    with pytest.raises(StoreUnavailable), opened(tmp_path, graph, store="mysql://localhost/hitl"):
        pass
    (tmp_path / "text.db").write_text("this is a letter, and it is longer than a header" * 50)
    with (
        pytest.raises(StoreUnavailable),
        opened(tmp_path, graph, store=f"sqlite:///{tmp_path / 'text.db'}"),
    ):
        pass


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    graph = line(read=lambda _: {})
    with opened(tmp_path, graph):
        pass
    with sqlite3.connect(tmp_path / "hitl.db") as connection:
        connection.execute("UPDATE hitl_version SET version_num = 'r9999'")
    connection.close()
    with pytest.raises(NewerDatabase, match="'r9999'"), opened(tmp_path, graph):
        pass


def test_a_gated_graph_given_another_checkpointer_fails_closed(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        config: Any = {"configurable": {"thread_id": "t"}}
        for saver in (InMemorySaver(), None, True):
            other = app.graph.copy({"checkpointer": saver})
            with pytest.raises(ConfigurationError, match="nothing was run"):
                other.invoke({"amount": 1}, config)
        brought: Any = {"configurable": {"thread_id": "t", CHECKPOINTER_KEY: InMemorySaver()}}
        with pytest.raises(ConfigurationError, match="nothing was run"):
            app.invoke({"amount": 1}, brought)
        assert app.runs() == []


def test_a_gated_step_run_outside_a_run_fails_closed(tmp_path: Path) -> None:
    with (
        opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app,
        pytest.raises(ConfigurationError, match="was not started through hitl"),
    ):
        app.graph.nodes["read"].invoke({"amount": 1}, {"configurable": {}})


def test_a_run_under_way_elsewhere_is_not_started_twice(tmp_path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(state: Cheque) -> Cheque:
        inside.set()
        assert leave.wait(10)
        return {"payee": "x"}

    with opened(tmp_path, line(slow=slow)) as app:
        thread = threading.Thread(
            target=app.start, args=({"amount": 1},), kwargs={"run_id": "run_1"}
        )
        thread.start()
        assert inside.wait(10)
        app.advance("run_1")  # does nothing
        with pytest.raises(RunBusy, match="'run_1' is being advanced elsewhere"):
            app._driver.open("run_1", {}, wait=0.0)
        leave.set()
        thread.join()
        assert app.run("run_1").status is RunStatus.DONE


def test_a_workflow_without_the_step_that_waits_says_what_to_do(tmp_path: Path) -> None:
    both: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    both.add_node("read", lambda _: {"payee": "x"})
    both.add_edge(START, "read")
    with opened(tmp_path, both, policy(always("read"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
    with opened(tmp_path, line(other=lambda _: {})) as app:
        run = go_on(app.run(run.id))
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "not in the workflow any more" in run.reason
