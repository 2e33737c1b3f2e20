"""What `hitl.graph.lg` takes from LangGraph's private parts: each is there, and does what is relied on.

Run on the oldest and the newest LangGraph we allow. A failure here says which private part moved.
"""

import inspect
from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import version
from typing import Any

import ormsgpack
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph._internal import _constants as constants
from langgraph._internal._runnable import RunnableCallable
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.cache.memory import InMemoryCache
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.pregel._read import PregelNode
from langgraph.types import CachePolicy, Command, Interrupt, RetryPolicy, Send, interrupt
from packaging.version import Version
from pydantic import BaseModel
from typing_extensions import TypedDict

from hitl.graph import lg
from hitl.graph.forks import forked
from hitl.graph.signals import Halt, RollBack, StopRun
from hitl.graph.task import add_to_channel
from hitl.reliability import Write
from tests.runtime.stage import Cheque, line

CONFIG: Any = {"configurable": {"thread_id": "t"}}


def caught(graph: Callable[[Any], Any] = lambda body: line(read=body)) -> dict[str, Any]:
    """Return the config a node runs under."""
    seen: list[Any] = []

    def body(state: Any, config: RunnableConfig) -> Any:
        seen.append(config)
        return {"payee": "x"}

    graph(body).compile(checkpointer=InMemorySaver()).invoke({"amount": 1}, CONFIG)
    found: dict[str, Any] = seen[0]
    return found


def test_the_version_is_one_we_allow() -> None:
    assert Version("1.2.22") <= Version(version("langgraph")) < Version("1.3")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lg._SCRATCHPAD, constants.CONFIG_KEY_SCRATCHPAD),
        (lg._RUNTIME, constants.CONFIG_KEY_RUNTIME),
        (lg._TASK_ID, constants.CONFIG_KEY_TASK_ID),
        (lg._CHECKPOINT_MAP, constants.CONFIG_KEY_CHECKPOINT_MAP),
        (lg._PUSH, constants.PUSH),
        (lg._CALL, constants.CONFIG_KEY_CALL),
        (lg._PREVIOUS, constants.PREVIOUS),
        (lg.CHECKPOINTER_KEY, constants.CONFIG_KEY_CHECKPOINTER),
        (lg.ERROR, constants.ERROR),
        (lg.INTERRUPT, constants.INTERRUPT),
        (lg.RESUME, constants.RESUME),
        (lg.ERROR_SOURCE_NODE, constants.ERROR_SOURCE_NODE),
    ],
)
def test_reserved_keys_are_spelt_as_langgraph_spells_them(ours: str, theirs: str) -> None:
    assert ours == theirs


def test_the_config_of_a_task_says_where_it_stands() -> None:
    facts = lg.task_facts(caught())  # type: ignore[arg-type] # a config, as caught
    assert (facts.thread_id, facts.step, facts.shard) == ("t", 1, None)
    assert facts.root_checkpoint_id == facts.checkpoint_id
    assert facts.checkpoint_ns == f"read:{facts.task_id}"


def test_a_task_in_a_child_graph_knows_the_roots_snapshot() -> None:
    config: Any = caught(lambda body: line(mid=line(leaf=body).compile()))
    facts = lg.task_facts(config)
    assert facts.root_checkpoint_id != facts.checkpoint_id
    outer, inner = facts.checkpoint_ns.split("|")
    assert (outer.split(":")[0], inner) == ("mid", f"leaf:{facts.task_id}")


def test_a_sent_task_knows_its_index() -> None:
    shards: list[int | None] = []

    def work(state: Any, config: RunnableConfig) -> Any:
        shards.append(lg.task_facts(config).shard)
        return {"log": ["x"]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("work", work)
    graph.add_conditional_edges(START, lambda _: [Send("work", {}) for _ in range(3)], ["work"])
    graph.compile(checkpointer=InMemorySaver()).invoke({}, CONFIG)
    assert sorted(shards, key=str) == [0, 1, 2]


def test_the_scratchpad_can_be_copied_with_other_counters() -> None:
    names = {field.name for field in fields(PregelScratchpad)}
    assert names >= {"step", "call_counter", "interrupt_counter", "subgraph_counter", "resume"}
    config: Any = caught()
    isolated, asked = lg.isolate(config, 3, 2, resumes=True)
    pad = isolated["configurable"][lg._SCRATCHPAD]
    assert (pad.interrupt_counter(), pad.subgraph_counter()) == (2, 2 * lg.STRIDE)
    assert asked.next == 3
    live = config["configurable"][lg._SCRATCHPAD]
    assert live.call_counter() == 2 * lg.STRIDE, "results of tasks are found by the live counter"
    assert live.subgraph_counter() == 2 * lg.STRIDE


def test_calls_of_tasks_go_through_what_we_put_there_by_numbers_we_give() -> None:
    seen: list[Any] = []

    @task
    def double(n: int) -> int:
        seen.append(n)
        return 2 * n

    def body(state: Any, config: RunnableConfig) -> Any:
        through = lg.task_caller(config)
        numbers = iter([7, 7])

        def call(function: Any, input: Any, **options: Any) -> Any:
            seen.append((function.__name__, input, sorted(options)))
            return through(function, input, **options)

        lg.number_calls(config, lambda: next(numbers))
        with lg.surrounding(lg.calling_with(config, call)):
            return {"amount": double(3).result() + double(4).result()}

    app = line(read=body).compile(checkpointer=InMemorySaver())
    assert app.invoke({"amount": 1}, CONFIG)["amount"] == 12, "a result is found by its number"
    options = ["cache_policy", "callbacks", "retry_policy", "timeout"]
    named = [each[:2] for each in seen if isinstance(each, tuple)]
    assert named == [("double", ((3,), {})), ("double", ((4,), {}))]
    assert seen[0][2] == options
    assert [each for each in seen if isinstance(each, int)] == [3]


def test_an_entrypoint_is_told_from_other_graphs() -> None:
    flow = entrypoint()(same)
    assert lg.is_flow(flow)
    assert lg.body_function(flow.nodes["same"]) is same
    assert not lg.is_flow(line(read=lambda _: {}).compile())


def test_a_task_is_told_from_other_callables() -> None:
    assert lg.task_function(task(same)) is same
    assert lg.task_function(same) is None


def same(given: int) -> int:
    return given


def isolating(attempt: int, body: Any) -> Any:
    """Return a node that runs `body` as the nth attempt."""

    def node(state: Any, config: RunnableConfig) -> Any:
        isolated, _ = lg.isolate(config, attempt, 0, resumes=True)
        with lg.surrounding(isolated):
            return body.invoke(state, isolated)

    return node


def test_an_attempt_of_its_own_gets_a_child_graph_of_its_own() -> None:
    seen: list[str] = []

    def leaf(state: Any, config: RunnableConfig) -> Any:
        seen.append(config["configurable"]["checkpoint_ns"])
        return {"payee": "x"}

    child = line(leaf=leaf).compile()
    graph = line(first=isolating(1, child), second=isolating(2, child))
    graph.compile(checkpointer=InMemorySaver()).invoke({"amount": 1}, CONFIG)
    first, second = seen
    assert first.startswith("first:")
    assert f"|{lg.STRIDE}|leaf:" in second


def test_results_of_tasks_are_kept_by_the_call_counter() -> None:
    runs: list[int] = []

    @task
    def count() -> int:
        runs.append(1)
        return len(runs)

    def body(state: Any) -> Any:
        number = count().result()
        return {"payee": f"{number}", "paid": interrupt(number)}

    app = line(read=body).compile(checkpointer=InMemorySaver())
    app.invoke({"amount": 1}, CONFIG)
    app.invoke(Command(resume="x"), CONFIG)
    assert len(runs) == 1, "the same attempt finds its result"


def test_the_body_of_a_compiled_node_can_be_replaced_and_its_cache_stripped() -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", lambda _: {"payee": "theirs"}, cache_policy=CachePolicy())
    graph.add_edge(START, "read")
    theirs = graph.compile(cache=InMemoryCache())
    ours = lg.shallow_copy(theirs)
    assert isinstance(ours.nodes["read"], PregelNode)
    ours.nodes["read"] = lg.replace_body(
        theirs.nodes["read"],
        lg.callable_node(theirs.nodes["read"].bound, "read", lambda _: {"payee": "ours"}, None),
        [],
    )
    ours.validate()
    assert theirs.nodes["read"].cache_policy is not None
    assert ours.nodes["read"].cache_policy is None
    assert ours.nodes["read"].writers == theirs.nodes["read"].writers
    assert ours.invoke({"amount": 1})["payee"] == "ours"
    assert theirs.invoke({"amount": 1})["payee"] == "theirs"


def test_a_subgraph_node_shows_its_graph_as_its_body() -> None:
    child = line(leaf=lambda _: {}).compile()
    assert line(mid=child).compile().nodes["mid"].bound is child
    assert isinstance(child, Pregel)
    assert child.checkpointer is None


def test_an_async_body_has_no_synchronous_form() -> None:
    async def only(state: Any) -> Any:
        return {}

    graph = line(a=only, b=lambda _: {}).compile()
    assert [lg.is_async_only(graph.nodes[n].bound) for n in "ab"] == [True, False]
    assert {"func", "afunc", "name", "trace", "recurse"} <= set(
        inspect.signature(RunnableCallable.__init__).parameters
    )


def test_a_snapshot_names_the_step_it_leads_to() -> None:
    saver = InMemorySaver()
    app = line(one=lambda _: {}, two=lambda _: {}).compile(saver, interrupt_before=["two"])
    app.invoke({"amount": 1}, CONFIG)

    snapshot = saver.get_tuple(CONFIG)
    assert snapshot is not None
    channels = snapshot.checkpoint["channel_values"]
    assert [c.removeprefix(lg.BRANCH) for c in channels if c.startswith(lg.BRANCH)] == ["two"]


def test_a_private_channel_is_read_written_and_kept_out_of_sight() -> None:
    read: list[Any] = []

    def body(state: Any, config: RunnableConfig) -> Any:
        read.append(lg.read_channel(config))
        lg.write_channel(config, {"turn": 1, "write": Write(step=len(read), log_p=-1.0).dump()})
        return {"payee": "x"}

    app = lg.shallow_copy(line(one=body, two=body).compile(checkpointer=InMemorySaver()))
    channel = lg.StandingChannel(dict, add_to_channel)
    channel.key = lg.CHANNEL
    app.channels[lg.CHANNEL] = channel
    app.validate()
    sink: list[lg.StandingChannel] = []
    with lg.collecting(sink):
        out = app.invoke({"amount": 1}, CONFIG)
    assert read[0] == {}
    assert read[1]["acc"] == -1.0
    assert sink[0].get()["base"] + sink[0].get()["acc"] == -2.0
    assert lg.CHANNEL not in {**out, **app.get_state(CONFIG).values}


def test_the_state_and_what_a_node_is_given_can_be_told() -> None:
    class Narrow(TypedDict):
        amount: int

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque, input_schema=Narrow)
    graph.add_node("all", lambda _: {})
    graph.add_node("some", lambda _: {}, input_schema=Narrow)
    graph.add_edge(START, "all")
    graph.add_edge("all", "some")
    built = graph.compile()
    assert lg.state_keys(built) == {"amount", "payee", "paid", "log"}
    assert lg.state_fields(built) == ("amount", "payee", "paid", "log")
    assert lg.input_keys(built) == {"amount"}
    assert lg.node_reads(built.nodes["all"]) == lg.state_keys(built)
    assert lg.node_reads(built.nodes["some"]) == {"amount"}
    assert [name for name, _ in lg.visible_nodes(built)] == ["all", "some"]


def test_a_park_signal_shows_as_an_interrupt_with_our_id() -> None:
    def body(state: Any) -> Any:
        raise lg.park(lg.park_id("rev_1"), {"hitl": "review"})

    app = line(read=body).compile(checkpointer=InMemorySaver())
    out = app.invoke({"amount": 1}, CONFIG)
    assert out["__interrupt__"] == [Interrupt(value={"hitl": "review"}, id=lg.park_id("rev_1"))]
    snapshot = app.get_state(CONFIG)
    assert [i.id for i in snapshot.interrupts] == [lg.park_id("rev_1")]
    assert (snapshot.next, snapshot.tasks[0].result) == (("read",), None)
    assert app.invoke(None, CONFIG)["__interrupt__"] == out["__interrupt__"]


@pytest.mark.parametrize("halt", [StopRun("rev_1", "no"), RollBack("rev_1", "no")])
def test_a_halt_passes_retries_and_error_handlers(halt: Halt) -> None:
    tries: list[int] = []

    def body(state: Any) -> Any:
        tries.append(1)
        raise halt

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node(
        "read",
        body,
        retry_policy=RetryPolicy(retry_on=Exception, max_attempts=3, initial_interval=0.0),
        error_handler=lambda state: {"payee": "handled"},
    )
    graph.add_edge(START, "read")
    with pytest.raises(type(halt)):
        graph.compile(checkpointer=InMemorySaver()).invoke({"amount": 1}, CONFIG)
    assert len(tries) == 1
    assert issubclass(Halt, GraphBubbleUp)
    assert not issubclass(Halt, (GraphInterrupt, ParentCommand))


def test_a_fork_is_the_newest_snapshot_and_its_tasks_have_new_ids() -> None:
    saver = InMemorySaver()
    app = line(one=lambda _: {"payee": "x"}, two=lambda _: {"paid": "y"}).compile(
        checkpointer=saver
    )
    app.invoke({"amount": 1}, CONFIG)
    old = next(s for s in app.get_state_history(CONFIG) if s.next == ("two",))
    source = saver.get_tuple(old.config)
    assert source is not None
    saver.put(*forked(source, CONFIG))
    now = app.get_state(CONFIG)
    assert now.next == ("two",)
    assert now.values == old.values
    assert now.tasks[0].id != old.tasks[0].id
    assert now.config["configurable"]["checkpoint_id"] > max(
        s.config["configurable"]["checkpoint_id"] for s in list(app.get_state_history(CONFIG))[1:]
    )
    assert app.invoke(None, CONFIG)["paid"] == "y"


class Money(BaseModel):
    """A type in a state."""

    cents: int


class Stranger(BaseModel):
    """A type in no state."""

    cents: int


class Purse(TypedDict, total=False):
    """A state with a model in it."""

    money: Money


def test_types_of_the_state_are_allowed_and_others_are_data() -> None:
    child = line(Purse, leaf=lambda _: {}).compile()
    allowed = lg.serde_allowlist(line(mid=child).compile(), ())
    serde = JsonPlusSerializer(allowed_msgpack_modules=allowed)
    for value, expected in ((Money(cents=1), Money(cents=1)), (Stranger(cents=1), {"cents": 1})):
        assert serde.loads_typed(JsonPlusSerializer().dumps_typed(value)) == expected
    assert ormsgpack.unpackb(serde.dumps_typed({"a": 1})[1]) == {"a": 1}


def test_a_config_is_merged_as_langgraph_merges_it() -> None:
    merged = lg.merged_config({"tags": ["a"], "recursion_limit": 7}, CONFIG)
    assert (merged["tags"], merged["recursion_limit"]) == (["a"], 7)
    assert merged["configurable"]["thread_id"] == "t"


def test_a_state_object_writes_what_was_set() -> None:
    class Wide(BaseModel):
        amount: int = 0
        payee: str | None = None

    assert lg.as_update(Wide(amount=3), ("amount", "payee")) == {"amount": 3}
    assert lg.as_update({"amount": 3}, ("amount",)) == {"amount": 3}
