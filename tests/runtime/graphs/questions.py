"""LangGraph's own `interrupt()`, and its functional API: `@task` and `@entrypoint`."""

from typing import Any

from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from tests.runtime.graphs.case import Builder, Case, Graph, Tally
from tests.runtime.graphs.shapes import Log, noting, start


def asking(tally: Tally) -> Builder:
    """A body with LangGraph's own `interrupt()`, twice."""

    def ask(state: Log) -> Log:
        tally.begin("ask")
        first = interrupt("Which Alba is meant?")
        second = interrupt({"question": f"Is {first} sure?"})
        return tally.end("ask", {"log": [f"{first}/{second}"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("ask", ask)
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "last")
    return graph


def asking_below(tally: Tally) -> Builder:
    """The same in a subgraph, after a step that must not run again."""

    def ask(state: Log) -> Log:
        tally.begin("ask")
        answer = interrupt("How much?")
        return tally.end("ask", {"log": [f"answer {answer}"]})  # type: ignore[no-any-return]

    sub = StateGraph(Log)
    sub.add_node("ready", noting(tally, "ready"))
    sub.add_node("ask", ask)
    sub.add_edge(START, "ready")
    sub.add_edge("ready", "ask")
    graph = StateGraph(Log)
    graph.add_node("sub", sub.compile())
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "sub")
    graph.add_edge("sub", "last")
    return graph


def asking_side_by_side(tally: Tally) -> Builder:
    """Two bodies of one superstep that both ask, beside one that does not."""

    def asker(name: str) -> Any:
        def ask(state: Log) -> Log:
            answer = interrupt(f"What of {name}?")
            return tally.end(name, {"log": [f"{name}: {answer}"]})  # type: ignore[no-any-return]

        return ask

    graph = StateGraph(Log)
    for name in ("a", "b"):
        graph.add_node(name, asker(name))
    graph.add_node("c", noting(tally, "c"))
    graph.add_node("join", noting(tally, "join"))
    for name in ("a", "b", "c"):
        graph.add_edge(START, name)
    graph.add_edge(["a", "b", "c"], "join")
    return graph


def tasks(tally: Tally) -> Builder:
    """A body that calls LangGraph's `@task` functions."""

    @task
    def square(n: int) -> int:
        return n * n

    def work(state: Log) -> Log:
        wrong = tally.is_spoilt("work")
        found = [square(-9 if wrong else n) for n in (2, 3)]
        words = [str(future.result()) for future in found]
        return tally.end("work", {"log": words}, wrong={"log": [*words, "DENIED"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("work", work)
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "work")
    graph.add_edge("work", "last")
    return graph


def functional(tally: Tally) -> Graph:
    """A workflow of LangGraph's functional API: one step, which calls tasks."""

    @task
    def square(n: int) -> int:
        return n * n

    @entrypoint()
    def flow(given: dict[str, Any], *, previous: Any = None) -> Any:
        wrong = tally.is_spoilt("flow")
        found = [square(-9 if wrong else n) for n in (given["n"], 3)]
        total = sum(future.result() for future in found) + (previous or 0)
        said = {"total": total, "turns": 1 if previous is None else 2}
        return entrypoint.final(value=tally.end("flow", said), save=total)

    made: Graph = flow
    return made


CASES = (
    Case("asking", asking, start, answers=("the first", "very")),
    Case("asking_side_by_side", asking_side_by_side, start, parallel=True, answers=("x", "x")),
    Case("asking_below", asking_below, start, answers=("ten",)),
    Case("functional", functional, lambda: {"n": 2}, parallel=True),
    Case("tasks", tasks, start, parallel=True),
)
