"""Graphs in graphs: levels, sharing, workers, handoffs to the parent."""

from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from tests.runtime.graphs.case import Builder, Case, Graph, Tally, added
from tests.runtime.graphs.shapes import Log, adding, noting, start


class Words(TypedDict, total=False):
    log: Annotated[list[str], added]


def chain(tally: Tally, *names: str, state: Any = Log) -> Builder:
    """Return a graph of plain steps in a row."""
    graph = StateGraph(state)
    graph.add_sequence([(name, noting(tally, name)) for name in names])
    graph.add_edge(START, names[0])
    return graph


def child(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    graph.add_node("before", noting(tally, "before"))
    graph.add_node("mid", chain(tally, "one", "two").compile())
    graph.add_node("after", noting(tally, "after"))
    graph.add_edge(START, "before")
    graph.add_edge("before", "mid")
    graph.add_edge("mid", "after")
    return graph


def three_deep(tally: Tally) -> Builder:
    leaf = chain(tally, "leaf", "leaf2").compile()
    sub = StateGraph(Log)
    sub.add_node("in", noting(tally, "in"))
    sub.add_node("leafs", leaf)
    sub.add_edge(START, "in")
    sub.add_edge("in", "leafs")
    mid = StateGraph(Log)
    mid.add_node("sub", sub.compile())
    mid.add_node("out", noting(tally, "out"))
    mid.add_edge(START, "sub")
    mid.add_edge("sub", "out")
    graph = StateGraph(Log)
    graph.add_node("first", noting(tally, "first"))
    graph.add_node("mid", mid.compile())
    graph.add_edge(START, "first")
    graph.add_edge("first", "mid")
    return graph


def shared(tally: Tally) -> Builder:
    """One compiled subgraph object behind two nodes."""
    both = chain(tally, "one", "two").compile()
    graph = StateGraph(Log)
    graph.add_node("left", both)
    graph.add_node("right", both)
    graph.add_edge(START, "left")
    graph.add_edge("left", "right")
    return graph


def side_by_side(tally: Tally) -> Builder:
    """Two subgraphs in one superstep, then a join."""
    graph = StateGraph(Words)
    graph.add_node("left", chain(tally, "l1", "l2", state=Words).compile())
    graph.add_node("right", chain(tally, "r1", "r2", "r3", state=Words).compile())
    graph.add_node("join", noting(tally, "join"))
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    graph.add_edge(["left", "right"], "join")
    return graph


class Shard(TypedDict, total=False):
    n: int
    log: Annotated[list[str], added]


def workers(tally: Tally) -> Builder:
    """Each Send starts a subgraph."""

    def dig(state: Shard) -> Shard:
        return tally.end("dig", {"log": [f"dig{state['n']}"]})  # type: ignore[no-any-return]

    worker = StateGraph(Shard, output_schema=Words)
    worker.add_node("dig", dig)
    worker.add_node("pack", noting(tally, "pack"))
    worker.add_edge(START, "dig")
    worker.add_edge("dig", "pack")
    graph = StateGraph(Log)
    graph.add_node("plan", noting(tally, "plan"))
    graph.add_node("worker", worker.compile())
    graph.add_node("reduce", noting(tally, "reduce"))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda s: [Send("worker", {"n": n, "log": []}) for n in range(3)], ["worker"]
    )
    graph.add_edge("worker", "reduce")
    return graph


def parent_command(tally: Tally) -> Builder:
    """A plain step of a subgraph that leaves it for a step of the parent."""

    def leave(state: Log) -> Any:
        said = Command(graph=Command.PARENT, goto="target", update={"log": ["leave"]})
        wrong = Command(graph=Command.PARENT, goto="trap", update={"log": ["DENIED"]})
        return tally.end("leave", said, wrong=wrong)

    def trap(state: Log) -> Log:
        raise AssertionError("A denied destination was reached.")

    sub = StateGraph(Log)
    sub.add_node("enter", noting(tally, "enter"))
    sub.add_node("leave", leave)
    sub.add_node("never", trap)
    sub.add_edge(START, "enter")
    sub.add_edge("enter", "leave")
    sub.add_edge("leave", "never")
    graph = StateGraph(Log)
    graph.add_node("sub", sub.compile(), destinations=("target", "trap"))
    graph.add_node("target", noting(tally, "target"))
    graph.add_node("trap", trap)
    graph.add_edge(START, "sub")
    graph.add_edge("target", END)
    return graph


def handoffs(tally: Tally) -> Builder:
    """Two agents that hand the work to each other through the parent graph."""

    def agent(name: str, other: str) -> Graph:
        def act(state: Log) -> Any:
            turn = state["n"]
            goto = other if turn < 3 else "finish"
            update = {"n": turn + 1, "log": [f"{name}{turn}"]}
            return tally.end(name, Command(graph=Command.PARENT, goto=goto, update=update))

        sub = StateGraph(Log)
        sub.add_node("think", noting(tally, f"{name}_thinks"))
        sub.add_node("act", act)
        sub.add_edge(START, "think")
        sub.add_edge("think", "act")
        return sub.compile()

    graph = StateGraph(Log)
    graph.add_node("alice", agent("alice", "bob"), destinations=("bob", "finish"))
    graph.add_node("bob", agent("bob", "alice"), destinations=("alice", "finish"))
    graph.add_node("finish", noting(tally, "finish"))
    graph.add_edge(START, "alice")
    return graph


def sent_up(tally: Tally) -> Builder:
    """A step of a subgraph that starts tasks of the parent."""

    def leave(state: Log) -> Any:
        sends = [Send("work", {"n": n}) for n in (1, 2)]
        wrong: Command[Any] = Command(graph=Command.PARENT, goto=[Send("work", {"n": 999_999})])
        said: Command[Any] = Command(graph=Command.PARENT, goto=sends, update={"log": ["up"]})
        return tally.end("leave", said, wrong=wrong)

    sub = StateGraph(Log)
    sub.add_node("leave", leave)
    sub.add_edge(START, "leave")
    graph = StateGraph(Log)
    graph.add_node("sub", sub.compile(), destinations=("work",))
    graph.add_node("work", adding(tally))
    graph.add_node("end", noting(tally, "end"))
    graph.add_edge(START, "sub")
    graph.add_edge("work", "end")
    return graph


def two_up(tally: Tally) -> Builder:
    """A step two levels down that leaves to its parent, which goes on."""

    def leave(state: Log) -> Any:
        return tally.end("leave", Command(graph=Command.PARENT, goto="on", update={"log": ["up"]}))

    leaf = StateGraph(Log)
    leaf.add_node("leave", leave)
    leaf.add_edge(START, "leave")
    mid = StateGraph(Log)
    mid.add_node("leaf", leaf.compile(), destinations=("on",))
    mid.add_node("on", noting(tally, "on"))
    mid.add_edge(START, "leaf")
    graph = StateGraph(Log)
    graph.add_node("mid", mid.compile())
    graph.add_node("end", noting(tally, "end"))
    graph.add_edge(START, "mid")
    graph.add_edge("mid", "end")
    return graph


class Inner(TypedDict, total=False):
    words: Annotated[list[str], added]


def called(tally: Tally) -> Builder:
    """A subgraph with a state of its own, called from inside a body: it has no gates."""

    def say(state: Inner) -> Inner:
        return {"words": [f"said{len(state['words'])}"]}

    inner = StateGraph(Inner)
    inner.add_node("say", say)
    inner.add_node("again", say)
    inner.add_edge(START, "say")
    inner.add_edge("say", "again")
    ready = inner.compile()

    def with_config(state: Log, config: RunnableConfig) -> Log:
        mood = "bad" if tally.is_spoilt("with_config") else "good"
        words = ready.invoke({"words": [mood]}, config)["words"]
        return tally.end("with_config", {"log": words}, wrong={"log": [*words, "DENIED"]})  # type: ignore[no-any-return]

    def without_config(state: Log) -> Log:
        mood = "bad" if tally.is_spoilt("without_config") else "good"
        words = ready.invoke({"words": [mood, "too"]})["words"]
        return tally.end("without_config", {"log": words}, wrong={"log": [*words, "DENIED"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("with_config", with_config)
    graph.add_node("without_config", without_config)
    graph.add_edge(START, "with_config")
    graph.add_edge("with_config", "without_config")
    return graph


class Wide(TypedDict, total=False):
    shared: str
    mine: str
    log: Annotated[list[str], added]


class Narrow(TypedDict, total=False):
    shared: str
    own: str


def other_state(tally: Tally) -> Builder:
    """A subgraph that shares one key with its parent and keeps another to itself."""

    def first(state: Narrow) -> Narrow:
        return tally.end("first", {"own": "secret"})  # type: ignore[no-any-return]

    def second(state: Narrow) -> Narrow:
        return tally.end("second", {"shared": f"{state['shared']}+{state['own']}"})  # type: ignore[no-any-return]

    sub = StateGraph(Narrow)
    sub.add_node("first", first)
    sub.add_node("second", second)
    sub.add_edge(START, "first")
    sub.add_edge("first", "second")
    graph = StateGraph(Wide)
    graph.add_node("make", lambda s: tally.end("make", {"shared": "made", "mine": "kept"}))
    graph.add_node("sub", sub.compile())
    graph.add_edge(START, "make")
    graph.add_edge("make", "sub")
    return graph


def loop_of_graphs(tally: Tally) -> Builder:
    """A subgraph that is visited three times."""

    def count(state: Log) -> Log:
        return tally.end("count", {"n": state["n"] + 1})  # type: ignore[no-any-return]

    sub = StateGraph(Log)
    sub.add_node("count", count)
    sub.add_node("note", noting(tally, "note"))
    sub.add_edge(START, "count")
    sub.add_edge("count", "note")
    graph = StateGraph(Log, output_schema=Log)
    graph.add_node("turn", sub.compile())
    graph.add_node("clear", noting(tally, "clear"))
    graph.add_edge(START, "turn")
    graph.add_edge("turn", "clear")
    graph.add_conditional_edges("clear", lambda s: "turn" if s["n"] < 3 else END, ["turn", END])
    return graph


CASES = (
    Case("child", child, start),
    Case("three_deep", three_deep, start),
    Case("shared", shared, start),
    Case("side_by_side", side_by_side, lambda: {"log": ["start"]}, parallel=True),
    Case("workers", workers, start, parallel=True),
    Case("parent_command", parent_command, start),
    Case("handoffs", handoffs, start),
    Case("sent_up", sent_up, start, parallel=True),
    Case("two_up", two_up, start),
    Case("called", called, start),
    Case("other_state", other_state, lambda: {"shared": "given", "mine": "", "log": []}),
    Case("loop_of_graphs", loop_of_graphs, start),
)
