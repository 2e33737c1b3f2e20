"""What a step may be and may have: policies, injections, generators, questions, other runnables."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.cache.memory import InMemoryCache
from langgraph.config import get_config, get_store, get_stream_writer
from langgraph.errors import NodeError, NodeTimeoutError
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime, get_runtime
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import CachePolicy, Command, RetryPolicy, StreamWriter
from typing_extensions import TypedDict

from tests.runtime.graphs.case import Builder, Case, Graph, Tally, added
from tests.runtime.graphs.shapes import Log, noting, start

SOON = RetryPolicy(initial_interval=0.001, max_interval=0.002, jitter=False, retry_on=OSError)


def retried(tally: Tally) -> Builder:
    """The first try of each attempt fails."""

    def flaky(state: Log) -> Log:
        tally.begin("flaky")
        get_stream_writer()({"by": "flaky", "try": tally.began["flaky"] % 2})
        if tally.began["flaky"] % 2:
            raise OSError("The line is down.")
        return tally.end("flaky", {"log": ["flaky"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("flaky", flaky, retry_policy=SOON)
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "flaky")
    graph.add_edge("flaky", "last")
    return graph


def retried_graph(tally: Tally) -> Builder:
    """A subgraph of which the second step fails at first: the retry resumes it there."""

    def flaky(state: Log) -> Log:
        tally.begin("flaky")
        if tally.began["flaky"] % 2:
            raise OSError("The line is down.")
        return tally.end("flaky", {"log": ["flaky"]})  # type: ignore[no-any-return]

    sub = StateGraph(Log)
    sub.add_node("sure", noting(tally, "sure"))
    sub.add_node("flaky", flaky)
    sub.add_edge(START, "sure")
    sub.add_edge("sure", "flaky")
    graph = StateGraph(Log)
    graph.add_node("sub", sub.compile(), retry_policy=SOON)
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "sub")
    graph.add_edge("sub", "last")
    return graph


def cached(tally: Tally) -> Graph:
    graph = StateGraph(Log)
    graph.add_node("costly", noting(tally, "costly"), cache_policy=CachePolicy(ttl=60))
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "costly")
    graph.add_edge("costly", "last")
    return graph.compile(cache=InMemoryCache())


def timed(tally: Tally) -> Builder:
    """Its first try hangs: the timeout ends it, the retry policy tries again."""

    async def slow(state: Log) -> Log:
        tally.begin("slow")
        if tally.began["slow"] % 2:
            await asyncio.sleep(5.0)
        return tally.end("slow", {"log": ["slow"]})  # type: ignore[no-any-return]

    async def quick(state: Log) -> Log:
        get_stream_writer()({"by": "quick"})
        return tally.end("quick", {"log": ["quick"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    retry = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=NodeTimeoutError)
    graph.add_node("slow", slow, timeout=0.25, retry_policy=retry)
    graph.add_node("quick", quick, timeout=2.0)
    graph.add_edge(START, "slow")
    graph.add_edge("slow", "quick")
    return graph


def caught(tally: Tally) -> Builder:
    """A step that always fails, and the handler that stands in for it."""

    def fails(state: Log) -> Log:
        tally.begin("fails")
        raise OSError("The bank is closed.")

    def handler(state: Log, error: NodeError) -> Command[Any]:
        # LangGraph keeps an error as text: a handler that goes on later is not given the exception.
        assert "The bank is closed." in str(error.error)
        said = Command(update={"log": [f"handled {error.node}"]}, goto="last")
        return tally.end("handler", said)  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("fails", fails, error_handler=handler)
    graph.add_node("last", noting(tally, "last"))
    graph.add_edge(START, "fails")
    return graph


def spared(tally: Tally) -> Builder:
    """A step with an error handler that is not needed, and with a retry policy for everything."""

    def handler(state: Log, error: NodeError) -> Log:
        raise AssertionError(f"Nothing failed, and yet: {error}")

    graph = StateGraph(Log)
    always = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=Exception)
    graph.add_node("work", noting(tally, "work"), error_handler=handler, retry_policy=always)
    graph.add_node("last", noting(tally, "last"), error_handler=handler)
    graph.add_edge(START, "work")
    graph.add_edge("work", "last")
    return graph


@dataclass
class Desk:
    """The static context."""

    clerk: str = "nobody"


def injected(tally: Tally) -> Graph:
    """Everything LangGraph hands to a body that asks for it."""

    def by_config(state: Log, config: RunnableConfig) -> Log:
        own = config["configurable"]
        seen = f"{own['thread_id']}/{own['desk']}/{config['metadata']['langgraph_node']}"
        return tally.end("by_config", {"log": [seen, *sorted(config["tags"])]})  # type: ignore[no-any-return]

    def by_writer(state: Log, writer: StreamWriter) -> Log:
        writer({"by": "by_writer"})
        return tally.end("by_writer", {"log": ["written"]})  # type: ignore[no-any-return]

    def by_store(state: Log, *, store: BaseStore) -> Log:
        store.put(("notes",), "k", {"v": 7})
        found = store.get(("notes",), "k")
        assert found is not None
        return tally.end("by_store", {"log": [str(found.value)]})  # type: ignore[no-any-return]

    def by_runtime(state: Log, runtime: Runtime[Desk]) -> Log:
        runtime.stream_writer({"by": "by_runtime"})
        assert runtime.store is not None
        assert runtime.store.get(("notes",), "k") is not None
        info = runtime.execution_info
        assert info is not None
        seen = [runtime.context.clerk, info.thread_id, f"try {info.node_attempt}"]
        return tally.end("by_runtime", {"log": seen})  # type: ignore[no-any-return]

    def by_reach(state: Log) -> Log:
        """Ask for all of it from the surroundings."""
        get_stream_writer()({"by": "by_reach"})
        clerk = get_runtime(Desk).context.clerk
        kept = get_store().get(("notes",), "k")
        assert kept is not None
        seen = [clerk, str(kept.value), get_config()["configurable"]["desk"]]
        return tally.end("by_reach", {"log": seen})  # type: ignore[no-any-return]

    graph = StateGraph(Log, context_schema=Desk)
    bodies: list[Any] = [by_config, by_writer, by_store, by_runtime, by_reach]
    graph.add_sequence(bodies)
    graph.add_edge(START, "by_config")
    return graph.compile(store=InMemoryStore())


class Numbers(TypedDict, total=False):
    seen: Annotated[list[int], added]


def generator(tally: Tally) -> Builder:
    """Bodies that yield their update in parts."""

    def parts(state: Numbers) -> Iterator[Any]:
        yield {"seen": [1]}
        yield {"seen": [2]}
        tally.end("parts", None)

    def spoilable(state: Numbers) -> Iterator[Any]:
        wrong = tally.is_spoilt("spoilable")
        yield {"seen": [-999_999 if wrong else 3]}
        tally.end("spoilable", None)

    graph = StateGraph(Numbers)
    graph.add_node("parts", parts)
    graph.add_node("spoilable", spoilable)
    graph.add_edge(START, "parts")
    graph.add_edge("parts", "spoilable")
    return graph


def async_generator(tally: Tally) -> Builder:
    async def parts(state: Numbers) -> AsyncIterator[Any]:
        yield {"seen": [1]}
        await asyncio.sleep(0)
        yield {"seen": [2]}
        tally.end("parts", None)

    graph = StateGraph(Numbers)
    graph.add_node("parts", parts)
    graph.add_edge(START, "parts")
    return graph


def async_only(tally: Tally) -> Builder:
    async def one(state: Log) -> Log:
        await asyncio.sleep(0)
        get_stream_writer()({"by": "one"})
        return tally.end("one", {"log": ["one"]})  # type: ignore[no-any-return]

    async def two(state: Log, writer: StreamWriter) -> Log:
        writer({"by": "two"})
        return tally.end("two", {"log": ["two"]})  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("one", one)
    graph.add_node("two", two)
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    return graph


def async_parallel(tally: Tally) -> Builder:
    """Async bodies of one superstep that finish in the opposite order."""

    def sleeper(name: str, seconds: float) -> Any:
        async def body(state: Log) -> Log:
            await asyncio.sleep(seconds)
            return tally.end(name, {"log": [name]})  # type: ignore[no-any-return]

        return body

    graph = StateGraph(Log)
    for name, seconds in (("a", 0.02), ("b", 0.01), ("c", 0.0)):
        graph.add_node(name, sleeper(name, seconds))
        graph.add_edge(START, name)
    graph.add_node("join", noting(tally, "join"))
    graph.add_edge(["a", "b", "c"], "join")
    return graph


class Callee:
    """A step that is an object."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __call__(self, state: Log) -> Log:
        return self._tally.end("callee", {"log": ["callee"]})  # type: ignore[no-any-return]

    def method(self, state: Log) -> Log:
        return self._tally.end("method", {"log": ["method"]})  # type: ignore[no-any-return]


def runnables(tally: Tally) -> Builder:
    """Steps that are LangChain runnables, sequences of them, objects and methods."""
    lamb = RunnableLambda(lambda s: tally.end("lambda", {"log": ["lambda"]}))
    sequence: Any = RunnableLambda(lambda s: [*s["log"], "sequence"][-1:]) | RunnableLambda(
        lambda words: tally.end("sequence", {"log": words})
    )
    bound = RunnableLambda(lambda s: tally.end("bound", {"log": ["bound"]})).with_config(
        tags=["bound"]
    )
    callee = Callee(tally)
    graph = StateGraph(Log)
    graph.add_node("lambda", lamb)
    graph.add_node("sequence", sequence)
    graph.add_node("bound", bound)
    graph.add_node("callee", callee)
    graph.add_node("method", callee.method)
    graph.add_edge(START, "lambda")
    for one, two in (
        ("lambda", "sequence"),
        ("sequence", "bound"),
        ("bound", "callee"),
        ("callee", "method"),
    ):
        graph.add_edge(one, two)
    return graph


def number() -> dict[str, Any]:
    return {"seen": [0]}


ASYNC = ("async",)

CASES = (
    Case("retried", retried, start),
    Case("retried_graph", retried_graph, start, resumed=("sure",)),
    Case("cached", cached, start),
    Case("timed", timed, start, colours=ASYNC),
    Case("caught", caught, start),
    Case("spared", spared, start),
    Case(
        "injected",
        injected,
        start,
        context=Desk("ina"),
        config={"configurable": {"desk": "three"}, "tags": ["mine"], "metadata": {"for": "test"}},
    ),
    Case("generator", generator, number),
    Case("async_generator", async_generator, number, colours=ASYNC),
    Case("async_only", async_only, start, colours=ASYNC),
    Case("async_parallel", async_parallel, start, colours=ASYNC, parallel=True),
    Case("runnables", runnables, start),
)
