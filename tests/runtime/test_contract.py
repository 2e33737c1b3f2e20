"""What `hitl.graph.lg` relies on in LangGraph's private API, held against the installed version."""

import operator
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph._internal import _constants
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.graph import END, START, StateGraph
from langgraph.types import CachePolicy, Send, interrupt
from packaging.version import Version

from hitl.graph import lg


class Fan(TypedDict, total=False):
    seen: Annotated[list[Any], operator.add]


def test_the_installed_langgraph_is_one_we_allow() -> None:
    assert Version("1.2.22") <= Version(version("langgraph")) < Version("1.3")


def test_the_keys_are_langgraphs_own() -> None:
    assert lg._SCRATCHPAD == _constants.CONFIG_KEY_SCRATCHPAD
    assert lg._RUNTIME == _constants.CONFIG_KEY_RUNTIME
    assert lg._TASK_ID == _constants.CONFIG_KEY_TASK_ID
    assert lg._CHECKPOINT_MAP == _constants.CONFIG_KEY_CHECKPOINT_MAP
    assert lg._PUSH == _constants.PUSH
    assert lg.CHECKPOINTER_KEY == _constants.CONFIG_KEY_CHECKPOINTER
    assert lg.ERROR == _constants.ERROR
    assert lg.INTERRUPT == _constants.INTERRUPT
    assert lg.RESUME == _constants.RESUME
    assert lg.ERROR_SOURCE_NODE == _constants.ERROR_SOURCE_NODE


def test_the_scratchpad_has_the_counters_that_isolate_replaces() -> None:
    fields = set(PregelScratchpad.__dataclass_fields__)
    assert {"step", "call_counter", "interrupt_counter", "subgraph_counter", "resume"} <= fields


def fan_out(inner: Any) -> Any:
    graph = StateGraph(Fan)
    graph.add_node("split", lambda _: {"seen": []})
    graph.add_node("shard", inner)
    graph.add_edge(START, "split")
    graph.add_conditional_edges("split", lambda _: [Send("shard", {}), Send("shard", {})])
    graph.add_edge("shard", END)
    return graph.compile()


def test_a_task_knows_its_thread_its_step_and_its_place_in_a_fan_out() -> None:
    facts: list[lg.TaskFacts] = []

    def shard(state: Fan, config: RunnableConfig) -> Fan:
        facts.append(lg.task_facts(config))
        return {"seen": [1]}

    fan_out(shard).invoke({}, {"configurable": {"thread_id": "t1"}})
    assert sorted(str(f.shard) for f in facts) == ["0", "1"]
    assert {f.step for f in facts} == {2}
    assert len({f.task_id for f in facts}) == 2
    assert len({f.checkpoint_id for f in facts}) == 1
    assert all(f.root_checkpoint_id == f.checkpoint_id for f in facts)


def test_an_isolated_attempt_counts_its_questions_after_the_answers_used() -> None:
    ids: list[int] = []

    def ask(state: Fan, config: RunnableConfig) -> Fan:
        _, asked = lg.isolate(config, 2, 3, resumes=False)
        ids.append(asked.next)
        ids.append(config["configurable"][lg._SCRATCHPAD].call_counter())
        return {"seen": []}

    fan_out(ask).invoke({}, {"configurable": {"thread_id": "t1"}})
    assert ids[0] == 3
    assert ids[1] >= lg.STRIDE - 1


def test_a_replaced_body_keeps_the_node_and_loses_its_cache() -> None:
    graph = StateGraph(Fan)
    graph.add_node("one", lambda _: {"seen": [1]}, cache_policy=CachePolicy())
    graph.add_edge(START, "one")
    node = graph.compile().nodes["one"]
    other = lg.callable_node(node.bound, "one", lambda _: {"seen": [2]}, None)
    replaced = lg.replace_body(node, other, [])
    assert replaced.bound is other
    assert replaced.cache_policy is None
    assert replaced.triggers == node.triggers
    assert node.cache_policy is not None


def test_our_park_signal_surfaces_under_its_own_id_beside_native_ones() -> None:
    def parks(state: Fan) -> Fan:
        raise lg.park(lg.park_id("rev_1"), {"hitl": "review"})

    def asks(state: Fan) -> Fan:
        return {"seen": [interrupt("which?")]}

    graph = StateGraph(Fan)
    graph.add_node("parks", parks)
    graph.add_node("asks", asks)
    graph.add_edge(START, "parks")
    graph.add_edge(START, "asks")
    found = graph.compile().invoke({})["__interrupt__"]
    ids = {i.id for i in found}
    assert lg.park_id("rev_1") in ids
    assert len(ids) == 2
    assert all(len(i) == 32 for i in ids)
