"""How steps follow each other: edges, branches, commands, fan-outs, joins, loops."""

from typing import Annotated, Any, Literal

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send
from typing_extensions import TypedDict

from tests.runtime.graphs.case import Builder, Case, Tally, added


class Log(TypedDict, total=False):
    log: Annotated[list[str], added]
    route: str
    total: Annotated[int, added]
    n: int


def start() -> dict[str, Any]:
    return {"log": ["start"], "route": "none", "n": 0}


def noting(tally: Tally, name: str, **more: Any) -> Any:
    """Return a body that notes its name, tells the custom stream, and returns `more` besides."""

    def body(state: Any) -> Any:
        get_stream_writer()({"by": name, "note": "begins"})
        get_stream_writer()({"by": name, "note": "ends"})
        return tally.end(name, {"log": [name], **more})

    return body


def linear(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    for name in ("plan", "work", "check"):
        graph.add_node(name, noting(tally, name))
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "work")
    graph.add_edge("work", "check")
    graph.add_edge("check", END)
    return graph


def branches(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    graph.add_node("choose", noting(tally, "choose", route="right"))
    for name in ("left", "right", "last"):
        graph.add_node(name, noting(tally, name))
    graph.add_edge(START, "choose")
    graph.add_conditional_edges(
        "choose", lambda s: s["route"], {"left": "left", "right": "right", "none": END}
    )
    graph.add_edge("left", END)
    graph.add_conditional_edges("right", lambda s: "last" if s["route"] == "right" else END)
    return graph


def goto(tally: Tally) -> Builder:
    def choose(state: Log) -> Command[Literal["right", "trap"]]:
        said = Command(update={"log": ["choose"]}, goto="right")
        wrong = Command(update={"log": ["DENIED"]}, goto="trap")
        return tally.end("choose", said, wrong=wrong)  # type: ignore[no-any-return]

    def trap(state: Log) -> Log:
        raise AssertionError("A denied destination was reached.")

    graph = StateGraph(Log)
    graph.add_node("choose", choose)
    graph.add_node("right", noting(tally, "right"))
    graph.add_node("trap", trap)
    graph.add_edge(START, "choose")
    return graph


def send_by_command(tally: Tally) -> Builder:
    def split(state: Log) -> Command[Literal["work"]]:
        sends = [Send("work", {"n": n}) for n in (3, 1, 2)]
        wrong: Command[Any] = Command(
            update={"log": ["DENIED"]}, goto=[Send("work", {"n": 999_999})]
        )
        return tally.end(  # type: ignore[no-any-return]
            "split", Command(update={"log": ["split"]}, goto=sends), wrong=wrong
        )

    graph = StateGraph(Log)
    graph.add_node("split", split)
    graph.add_node("work", adding(tally))
    graph.add_node("sum", noting(tally, "sum"))
    graph.add_edge(START, "split")
    graph.add_edge("work", "sum")
    return graph


def adding(tally: Tally) -> Any:
    """Return the body of a Send's shard: it sees only its own number."""

    def work(state: Any) -> Any:
        n = state["n"]
        assert n != 999_999, "A denied Send was made."
        get_stream_writer()({"by": f"work{n}", "note": n})
        return tally.end("work", {"total": n, "log": [f"work{n}"]})

    return work


def command_list(tally: Tally) -> Builder:
    def many(state: Log) -> Any:
        said = [
            {"log": ["one"]},
            Command(update={"log": ["two"]}, goto="left"),
            Command(goto="right"),
        ]
        wrong: list[Any] = [{"log": ["DENIED"]}, Command(update={"log": ["DENIED"]}, goto="trap")]
        return tally.end("many", said, wrong=wrong)

    def trap(state: Log) -> Log:
        raise AssertionError("A denied destination was reached.")

    graph = StateGraph(Log)
    graph.add_node("many", many, destinations=("left", "right", "trap"))
    for name in ("left", "right"):
        graph.add_node(name, noting(tally, name))
    graph.add_node("trap", trap)
    graph.add_edge(START, "many")
    return graph


def fan_out(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    for name in ("begin", "a", "b", "c", "c2", "join", "end"):
        graph.add_node(name, noting(tally, name))
    graph.add_edge(START, "begin")
    for name in ("a", "b", "c"):
        graph.add_edge("begin", name)
    graph.add_edge("c", "c2")
    graph.add_edge(["a", "b", "c2"], "join")
    graph.add_edge("join", "end")
    return graph


def map_reduce(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    graph.add_node("plan", noting(tally, "plan", n=4))
    graph.add_node("work", adding(tally))
    graph.add_node("reduce", noting(tally, "reduce"))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda s: [Send("work", {"n": n}) for n in range(s["n"])], ["work"]
    )
    graph.add_edge("work", "reduce")
    return graph


def two_at_once_to_one(tally: Tally) -> Builder:
    """Two edges into one step without a join: it runs once for both, and again for the late one."""
    graph = StateGraph(Log)
    for name in ("a", "b", "b2", "meet"):
        graph.add_node(name, noting(tally, name))
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    graph.add_edge("a", "meet")
    graph.add_edge("b", "b2")
    graph.add_edge("b2", "meet")
    return graph


def deferred(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    for name in ("a", "b", "b2"):
        graph.add_node(name, noting(tally, name))
    graph.add_node("last", noting(tally, "last"), defer=True)
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    graph.add_edge("b", "b2")
    graph.add_edge("a", "last")
    graph.add_edge("b2", "last")
    return graph


def deferred_join(tally: Tally) -> Builder:
    graph = StateGraph(Log)
    for name in ("a", "b"):
        graph.add_node(name, noting(tally, name))
    graph.add_node("last", noting(tally, "last"), defer=True)
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    graph.add_edge(["a", "b"], "last")
    return graph


def loop(tally: Tally, visits: int = 20) -> Builder:
    def count(state: Log) -> Log:
        return tally.end("count", {"n": state["n"] + 1, "log": [str(state["n"])]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("count", count)
    graph.add_edge(START, "count")
    graph.add_conditional_edges("count", lambda s: "count" if s["n"] < visits else END)
    return graph


def silent(tally: Tally) -> Builder:
    """Steps that return nothing, and a branch that leads to the end at once."""
    graph = StateGraph(Log)
    graph.add_node("quiet", lambda s: tally.end("quiet", None))
    graph.add_node("empty", lambda s: tally.end("empty", {}))
    graph.add_node("say", noting(tally, "say"))
    graph.add_edge(START, "quiet")
    graph.add_edge("quiet", "empty")
    graph.add_edge("empty", "say")
    return graph


CASES = (
    Case("linear", linear, start),
    Case("branches", branches, start),
    Case("goto", goto, start),
    Case("send_by_command", send_by_command, start, parallel=True),
    Case("command_list", command_list, start, parallel=True),
    Case("fan_out", fan_out, start, parallel=True),
    Case("map_reduce", map_reduce, start, parallel=True),
    Case("two_at_once_to_one", two_at_once_to_one, start, parallel=True),
    Case("deferred", deferred, start, parallel=True),
    Case("deferred_join", deferred_join, start, parallel=True),
    Case("loop", loop, start),
    Case("silent", silent, start),
)
