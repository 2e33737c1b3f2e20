"""Threads belong to LangGraph: it goes on where a wrapped graph stopped, and the other way round."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.models import RunStatus
from tests.runtime.conftest import DecideAll
from tests.runtime.graphs.case import Graph, Tally
from tests.runtime.graphs.nested import child, three_deep
from tests.runtime.graphs.questions import asking
from tests.runtime.graphs.shapes import Log, linear, noting, start
from tests.runtime.graphs.states import asked, messages
from tests.runtime.graphs.streams import plain

THREAD: Any = {"configurable": {"thread_id": "t1"}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hitl.db"


@contextmanager
def unwrapped(graph: Any, file: Path, **options: Any) -> Iterator[Graph]:
    """The graph as LangGraph runs it, on its own saver, on the same file."""
    with SqliteSaver.from_conn_string(str(file)) as saver:
        made = graph.compile(checkpointer=saver, **options)
        yield made


@contextmanager
def wrapped(graph: Any, file: Path, *asking: str) -> Iterator[hitl.Workflow]:
    """The graph with gates that always ask at these steps."""
    checkpoints = [Checkpoint(step, always=True) for step in asking]
    app = hitl.wrap(
        graph, EscalationPolicy("p", checkpoints=checkpoints), store=f"sqlite:///{file}"
    )
    try:
        yield app
    finally:
        app.close()


def test_an_ended_thread_takes_new_input_unwrapped(file: Path, decide_all: DecideAll) -> None:
    with wrapped(messages(Tally()), file, "chat", "tools") as app:
        run = app.start(asked(), THREAD)
        decide_all(app, run)
        assert run.status is RunStatus.DONE
    with unwrapped(messages(Tally()), file) as graph:
        assert graph.get_state(THREAD).next == ()
        said = graph.invoke({"messages": [("user", "And now?")]}, THREAD)["messages"]
    assert [m.type for m in said] == ["human", "ai", "tool", "tool", "ai", "human", "ai"]


def test_a_parked_thread_goes_on_unwrapped(file: Path) -> None:
    """Without gates nobody is asked: the step runs, and what was withheld never appears."""
    with wrapped(linear(Tally()), file, "work") as app:
        assert app.start(start(), THREAD).status is RunStatus.WAITING
    tally = Tally()
    with unwrapped(linear(tally), file) as graph:
        assert graph.get_state(THREAD).next == ("work",)
        output = graph.invoke(None, THREAD)
    assert output["log"] == ["start", "plan", "work", "check"]
    assert "__hitl__" not in repr(output)
    assert tally.ended == {"work": 1, "check": 1}


def test_a_thread_parked_three_graphs_down_goes_on_unwrapped(file: Path) -> None:
    with wrapped(three_deep(Tally()), file, "mid/sub/leafs/leaf2") as app:
        assert app.start(start(), THREAD).status is RunStatus.WAITING
    tally = Tally()
    with unwrapped(three_deep(tally), file) as graph:
        output = graph.invoke(None, THREAD)
    expected = three_deep(Tally()).compile().invoke(start())
    assert output == expected
    assert tally.ended == {"leaf2": 1, "out": 1}


def test_a_plain_thread_goes_on_wrapped(file: Path, decide_all: DecideAll) -> None:
    with unwrapped(linear(Tally()), file, interrupt_before=["work"]) as graph:
        graph.invoke(start(), THREAD)
    tally = Tally()
    with wrapped(linear(tally), file, "check") as app:
        app.invoke(None, THREAD)
        run = app.run("t1")
        assert run.status is RunStatus.WAITING
        assert [r.name.step for r in run.reviews()] == ["check"]
        decide_all(app, run)
        assert run.value["log"] == ["start", "plan", "work", "check"]
    assert tally.ended == {"work": 1, "check": 1}


def test_a_plain_thread_that_ended_takes_new_input_wrapped(
    file: Path, decide_all: DecideAll
) -> None:
    with unwrapped(linear(Tally()), file) as graph:
        graph.invoke(start(), THREAD)
    with wrapped(linear(Tally()), file, "check") as app:
        run = app.start({"log": ["again"]}, THREAD)
        decide_all(app, run)
        assert run.status is RunStatus.DONE
        first = ["start", "plan", "work", "check"]
        assert run.value["log"] == [*first, "again", "plan", "work", "check"]


def test_a_plain_thread_with_a_question_is_answered_wrapped(
    file: Path, decide_all: DecideAll
) -> None:
    with unwrapped(asking(Tally()), file) as graph:
        graph.invoke(start(), THREAD)
    with wrapped(asking(Tally()), file, "ask") as app:
        app.invoke(None, THREAD)
        run = app.run("t1")
        decide_all(app, run, answers=["the first", "very"])
        assert run.value["log"] == ["start", "the first/very", "last"]


def test_the_saved_states_are_the_plain_graphs(file: Path, tmp_path: Path) -> None:
    """Two threads side by side in one file, and the same history in both."""
    with wrapped(child(Tally()), file) as app:
        app.start(start(), THREAD)
    other: Any = {"configurable": {"thread_id": "t2"}}
    with unwrapped(child(Tally()), file) as graph:
        graph.invoke(start(), other)
        ours, theirs = ([s.values for s in graph.get_state_history(t)] for t in (THREAD, other))
        assert plain(ours) == plain(theirs)


def test_what_a_wrapped_run_leaves_needs_no_type_of_ours(file: Path) -> None:
    """The private channel is plain data: a reader without hitl can load every snapshot."""
    with wrapped(linear(Tally()), file, "work") as app:
        app.start(start(), THREAD)
    with sqlite3.connect(file) as connection:
        blobs = connection.execute("SELECT checkpoint FROM checkpoints").fetchall()
        writes = connection.execute("SELECT value FROM writes").fetchall()
    connection.close()
    assert not [b for (b,) in (*blobs, *writes) if b"hitl.graph" in b or b"hitl.models" in b]


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_parked_and_ended_states_are_told_alike(colour: str, file: Path) -> None:
    """`get_state` of a gated graph, subgraphs included, against the plain graph's breakpoint."""
    with wrapped(child(Tally()), file, "mid/one") as app:
        run = await app.astart(start(), THREAD)
        graph = app.graph
        parked = (
            graph.get_state(THREAD, subgraphs=True)
            if colour == "sync"
            else await graph.aget_state(THREAD, subgraphs=True)
        )
        inner = parked.tasks[0].state
        assert (parked.next, inner.next) == (("mid",), ("one",))
        assert plain(parked.values) == plain(inner.values | {"log": ["start", "before"]})
        assert [i.value["review_id"] for i in parked.interrupts] == [run.reviews()[0].id]


def test_updating_the_state_by_hand_writes_what_the_plain_graph_writes(tmp_path: Path) -> None:
    outputs = []
    graph: StateGraph[Any, Any, Any, Any] = linear(Tally())
    with unwrapped(graph, tmp_path / "plain.db", interrupt_after=["plan"]) as made:
        made.invoke(start(), THREAD)
        made.update_state(THREAD, {"log": ["by hand"]}, as_node="work")
        outputs.append(made.invoke(None, THREAD))
    with wrapped(linear(Tally()), tmp_path / "hitl.db", "work") as app:
        app.invoke(start(), THREAD)
        app.graph.update_state(THREAD, {"log": ["by hand"]}, as_node="work")
        outputs.append(app.invoke(None, THREAD))
    assert outputs[0] == outputs[1]
    assert outputs[0]["log"] == ["start", "plan", "by hand", "check"]


# -- errors ---------------------------------------------------------------------------------------


def failing(tally: Tally) -> "StateGraph[Any, Any, Any, Any]":
    """Three steps side by side, one of which fails the first time, and a join."""

    def fails(state: Log) -> Log:
        tally.begin("fails")
        if tally.began["fails"] == 1:
            raise ValueError("Not today.")
        return tally.end("fails", {"log": ["fails"]})  # type: ignore[no-any-return]

    def slow(state: Log) -> Log:
        time.sleep(0.05)  # it ends after the failure
        return tally.end("slow", {"log": ["slow"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("quick", noting(tally, "quick"))
    graph.add_node("fails", fails)
    graph.add_node("slow", slow)
    graph.add_node("join", noting(tally, "join"))
    for name in ("quick", "fails", "slow"):
        graph.add_edge(START, name)
    graph.add_edge(["quick", "fails", "slow"], "join")
    return graph


def failed_and_went_on(graph: Any) -> tuple[Any, ...]:
    """Return how a run failed, and what came of it when it went on."""
    with pytest.raises(ValueError, match="Not today") as failure:
        graph.invoke(start(), THREAD)
    notes = [plain(note) for note in failure.value.__notes__]
    return failure.type, failure.value.args, notes, graph.invoke(None, THREAD)


def test_a_failing_step_fails_as_in_the_plain_graph_and_goes_on_where_it_was(
    file: Path, tmp_path: Path
) -> None:
    plainly, gated = Tally(), Tally()
    with unwrapped(failing(plainly), tmp_path / "plain.db") as graph:
        expected = failed_and_went_on(graph)
    with wrapped(failing(gated), file) as app:
        assert failed_and_went_on(app) == expected
        assert app.run("t1").status is RunStatus.DONE
    assert gated.ended == plainly.ended


def test_two_writers_of_one_field_fail_as_in_the_plain_graph(file: Path, tmp_path: Path) -> None:
    def clashing() -> "StateGraph[Any, Any, Any, Any]":
        graph = StateGraph(Log)
        for name in ("a", "b"):
            graph.add_node(name, lambda state: {"route": "mine"})
            graph.add_edge(START, name)
        return graph

    with (
        unwrapped(clashing(), tmp_path / "plain.db") as graph,
        pytest.raises(InvalidUpdateError) as expected,
    ):
        graph.invoke(start(), THREAD)
    with wrapped(clashing(), file) as app:
        with pytest.raises(InvalidUpdateError) as seen:
            app.invoke(start(), THREAD)
        assert app.run("t1").status is RunStatus.FAILED
    assert str(seen.value) == str(expected.value)


# -- stops that are not gates ---------------------------------------------------------------------


def test_breakpoints_stop_where_they_stop_the_plain_graph(file: Path, tmp_path: Path) -> None:
    stops: Any = {"interrupt_before": ["check"], "interrupt_after": ["plan"]}

    def told(graph: Any) -> list[Any]:
        return [
            list(graph.stream(given, THREAD, stream_mode="values"))
            for given in (start(), None, None)
        ]

    with unwrapped(linear(Tally()), tmp_path / "plain.db", **stops) as graph:
        expected = told(graph)
    with wrapped(linear(Tally()).compile(**stops), file) as app:
        assert told(app) == expected
        assert app.run("t1").status is RunStatus.DONE
        waiting = app.start(start(), {"configurable": {"thread_id": "t2"}})
        assert waiting.status is RunStatus.WAITING
        assert "breakpoint" in waiting.reason


def test_a_stream_that_is_left_early_goes_on_later(file: Path) -> None:
    tally = Tally()
    with wrapped(linear(tally), file) as app:
        stream = app.stream(start(), THREAD, stream_mode="updates")
        assert next(stream) == {"plan": {"log": ["plan"]}}
        stream.close()  # type: ignore[attr-defined] # it is a generator
        assert app.invoke(None, THREAD)["log"] == ["start", "plan", "work", "check"]
    assert tally.ended == {"plan": 1, "work": 1, "check": 1}


async def test_an_async_stream_that_is_left_early_goes_on_later(file: Path) -> None:
    tally = Tally()
    with wrapped(linear(tally), file) as app:
        async for event in app.astream(start(), THREAD, stream_mode="updates"):
            assert event == {"plan": {"log": ["plan"]}}
            break
        output = await app.ainvoke(None, THREAD)
        assert output["log"] == ["start", "plan", "work", "check"]
    assert tally.ended == {"plan": 1, "work": 1, "check": 1}
