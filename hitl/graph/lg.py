"""All contact with LangGraph's private API. Contract-tested on the oldest and newest version we allow.

Nothing outside this module imports a name of LangGraph that starts with an underscore or reads a
`__pregel_` key.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._config import ensure_config
from langgraph._internal._fields import get_cached_annotated_keys, get_update_as_tuples
from langgraph._internal._runnable import RunnableCallable
from langgraph._internal._serde import build_serde_allowlist
from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.constants import START
from langgraph.errors import GraphInterrupt
from langgraph.func import _TaskFunction
from langgraph.graph.state import _CHANNEL_BRANCH_TO
from langgraph.pregel import Pregel
from langgraph.pregel._read import ChannelRead, PregelNode
from langgraph.pregel._write import ChannelWrite, ChannelWriteEntry
from langgraph.types import Command, Interrupt

BRANCH = _CHANNEL_BRANCH_TO.format("")
"""What the name of a channel begins with that starts a step."""
CHANNEL = "__hitl__"
"""The private channel of a gated graph that holds the run's standing."""
SESSION_KEY = "__hitl__"
"""Where an advance's session travels in `configurable`. Dunder keys stay out of metadata."""
EPOCH_KEY = "__hitl_epoch"
INITIATOR_KEY = "hitl_initiator"
"""Where the name of who starts a run travels, until the run is there."""
BASE_KEY = "__hitl_base"
"""The parent graph's standing, for a child graph."""
ABOVE_KEY = "__hitl_above"
"""The graphs around a child graph whose state it was given, the nearest first."""
SHARD_KEY = "__hitl_shard"
"""Which task of a fan-out the child graph is."""

STRIDE = 1000
"""Attempt k of a child graph runs in subgraph namespaces from k * STRIDE on."""

_MOST_ROLLOUTS = 10_001
"""More than a visit has attempts, so that no namespace of a rollout is one of an attempt."""

_SCRATCHPAD = "__pregel_scratchpad"
_RUNTIME = "__pregel_runtime"
_TASK_ID = "__pregel_task_id"
_CHECKPOINT_MAP = "checkpoint_map"
_PUSH = "__pregel_push"
_CALL = "__pregel_call"
_PREVIOUS = "__previous__"

CHECKPOINTER_KEY = "__pregel_checkpointer"
"""Where a server that brings its own saver puts it."""

ERROR = "__error__"
INTERRUPT = "__interrupt__"
RESUME = "__resume__"
ERROR_SOURCE_NODE = "__error_source_node__"


class Counter:
    """Stands in for LangGraph's atomic counter, with a start."""

    def __init__(self, start: int = 0) -> None:
        self.next = start

    def __call__(self) -> int:
        """Return the next number, from `start`."""
        value = self.next
        self.next += 1
        return value


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """Where a node's execution stands in LangGraph's terms."""

    thread_id: str
    task_id: str
    checkpoint_id: str
    root_checkpoint_id: str
    checkpoint_ns: str
    step: int
    shard: int | None
    """Index of the Send that made this task; None for a task made by an edge."""


def task_facts(config: RunnableConfig) -> TaskFacts:
    """Return the facts of the task that runs under `config`."""
    conf = config["configurable"]
    info = conf[_RUNTIME].execution_info
    path: Any = (config.get("metadata") or {}).get("langgraph_path") or ()
    pushed = len(path) > 1 and path[0] == _PUSH and isinstance(path[1], int)
    return TaskFacts(
        thread_id=info.thread_id,
        task_id=conf[_TASK_ID],  # `info` names the failed task when an error handler runs
        checkpoint_id=info.checkpoint_id,
        root_checkpoint_id=(conf.get(_CHECKPOINT_MAP) or {}).get("", info.checkpoint_id),
        checkpoint_ns=conf["checkpoint_ns"],
        step=conf[_SCRATCHPAD].step,
        shard=path[1] if pushed else None,
    )


def task_here() -> str | None:
    """Return the id of the innermost task that runs here, also of a graph without gates; or None."""
    config = var_child_runnable_config.get()
    conf: Mapping[str, Any] = config.get("configurable", {}) if config else {}
    return conf.get(_TASK_ID)


def isolate(
    config: RunnableConfig, attempt: int, answers_used: int, *, resumes: bool
) -> tuple[RunnableConfig, Counter]:
    """Return a config for one attempt of a body, and the counter of its native interrupts.

    Each attempt has its own subgraph namespaces (else a retried subgraph returns what was denied),
    and its own `interrupt()` calls start after the answers that earlier attempts consumed. Cached
    `@task` results are keyed by the live scratchpad's call counter, so that one is moved as well.

    Args:
        config: The config of the task.
        attempt: nth attempt, from 1.
        answers_used: How many answers earlier attempts consumed.
        resumes: Whether a try after an error goes on in the child graph of the try before it;
            LangGraph starts a new one.
    """
    conf = config["configurable"]
    live = conf[_SCRATCHPAD]
    asked = Counter(answers_used)
    offset = (attempt - 1) * STRIDE
    _advance(live.call_counter, offset)
    _advance(live.subgraph_counter, offset)
    subgraphs = Counter(offset) if resumes else live.subgraph_counter
    scratchpad = replace(live, subgraph_counter=subgraphs, interrupt_counter=asked)
    return {**config, "configurable": {**conf, _SCRATCHPAD: scratchpad}}, asked


def isolate_rollout(
    config: RunnableConfig, attempt: int, rollout: int, answers_used: int
) -> RunnableConfig:
    """Return a config for one more try of an attempt's body, in namespaces no other try has.

    Nothing of the live scratchpad is shared, so that tries may run at once.

    Args:
        config: The config of the task.
        attempt: nth attempt, from 1.
        rollout: Which try, from 1; 0 is the attempt itself (see `isolate`).
        answers_used: How many answers earlier attempts consumed.
    """
    conf = config["configurable"]
    scratchpad = replace(
        conf[_SCRATCHPAD],
        subgraph_counter=Counter((attempt * _MOST_ROLLOUTS + rollout) * STRIDE),
        interrupt_counter=Counter(answers_used),
    )
    return {**config, "configurable": {**conf, _SCRATCHPAD: scratchpad}}


def tasks_called(config: RunnableConfig) -> bool:
    """Return whether a first attempt's body called a `@task`: its result is cached for the next."""
    return bool(config["configurable"][_SCRATCHPAD].call_counter() > 0)


def is_flow(graph: Any) -> bool:
    """Return whether a compiled graph is an `@entrypoint`: its body calls tasks."""
    return isinstance(graph, Pregel) and _PREVIOUS in graph.channels


def task_function(value: Any) -> Callable[..., Any] | None:
    """Return the function of a `@task`; None for anything else."""
    return value.func if isinstance(value, _TaskFunction) else None


def body_function(node: PregelNode) -> Callable[..., Any] | None:
    """Return the user's function that is a node's body; None where it is no function."""
    body = node.bound
    return (body.func or body.afunc) if isinstance(body, RunnableCallable) else None


def task_caller(config: RunnableConfig) -> Callable[..., Any]:
    """Return what a body calls `@task`s with: (function, (args, kwargs), options) to a future."""
    caller: Callable[..., Any] = config["configurable"][_CALL]
    return caller


def calling_with(config: RunnableConfig, caller: Callable[..., Any]) -> RunnableConfig:
    """Return a config under which a body calls `@task`s with `caller`."""
    return with_configurable(config, **{_CALL: caller})


def number_calls(config: RunnableConfig, number: Callable[[], int]) -> None:
    """Let `number` say which of the task's calls the next one is: its result is kept by that."""
    config["configurable"][_SCRATCHPAD].call_counter._counter = number


def _advance(counter: Callable[[], int], to: int) -> None:
    """Let a live counter go on from `to` at the earliest."""
    while to and counter() < to - 1:
        pass


@contextmanager
def surrounding(config: RunnableConfig) -> Iterator[None]:
    """Make `config` what `interrupt()`, `get_config()` and graphs called in the block find."""
    token = var_child_runnable_config.set(config)
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


def as_update(value: Any, fields: Sequence[str]) -> Any:
    """Return what a step returned, a state object in it as the fields LangGraph would write of it.

    An object that was stored comes back with every field set: it would write what the step left
    alone.

    Args:
        value: What the step returned.
        fields: The state's fields; empty when the state is one value.
    """
    if isinstance(value, dict) or value is None or not fields:
        return value
    if isinstance(value, Command):
        own = get_cached_annotated_keys(type(value.update))
        return replace(value, update=as_update(value.update, own)) if own else value
    if isinstance(value, (list, tuple)):
        return [as_update(part, fields) for part in value]
    if get_cached_annotated_keys(type(value)):
        return dict(get_update_as_tuples(value, fields))
    return value


def merged_config(*configs: RunnableConfig | None) -> RunnableConfig:
    """Return what LangGraph makes of these configs, the surrounding step's included, as plain data."""
    found = ensure_config(*configs)
    found["metadata"] = dict(found["metadata"])
    found["recursion_limit"] = int(found["recursion_limit"])
    return found


def with_configurable(config: RunnableConfig, **keys: Any) -> RunnableConfig:
    """Return `config` with keys added to `configurable`."""
    return {**config, "configurable": {**config.get("configurable", {}), **keys}}


def park(interrupt_id: str, value: Mapping[str, Any]) -> GraphInterrupt:
    """Return the signal that parks this task. Its answer is never read from LangGraph."""
    return GraphInterrupt((Interrupt(value=dict(value), id=interrupt_id),))


def park_id(review_id: str) -> str:
    """Return the 32-hex interrupt id of a gate's park signal."""
    return hashlib.sha256(f"hitl:{review_id}".encode()).hexdigest()[:32]


def read_channel(config: RunnableConfig) -> dict[str, Any]:
    """Return the private channel's value at the start of this superstep."""
    value = ChannelRead.do_read(config, select=CHANNEL)
    return value if isinstance(value, dict) else {}


def write_channel(config: RunnableConfig, value: dict[str, Any]) -> None:
    """Write to the private channel as part of this task."""
    ChannelWrite.do_write(config, [ChannelWriteEntry(CHANNEL, value)])


def callable_node(
    body: Runnable[Any, Any], name: str, sync: Any, asynchronous: Any
) -> Runnable[Any, Any]:
    """Return an untraced runnable that stands where the node's body stood, and is drawn like it."""
    only_async = is_async_only(body)
    node = RunnableCallable(
        None if only_async else sync, asynchronous, name=name, trace=False, recurse=False
    )
    if (tools := getattr(body, "tools_by_name", None)) is not None:
        vars(node)["tools_by_name"] = tools
    return node


def is_async_only(body: Runnable[Any, Any]) -> bool:
    """Return whether `body` has no synchronous form."""
    return isinstance(body, RunnableCallable) and body.func is None


def shallow_copy(graph: Pregel[Any, Any, Any, Any]) -> Pregel[Any, Any, Any, Any]:
    """Return a copy of a compiled graph whose nodes and channels can be replaced.

    Its cache policy, which holds for nodes without one, is stripped as theirs are.
    """
    new = copy.copy(graph)
    new.cache_policy = None
    new.nodes = dict(graph.nodes)
    new.channels = dict(graph.channels)
    return new


def replace_body(
    node: PregelNode, body: Runnable[Any, Any], subgraphs: Sequence[Any]
) -> PregelNode:
    """Return `node` with another body. A cache would replay one run's yes in another: stripped."""
    return node.copy({"bound": body, "subgraphs": list(subgraphs), "cache_policy": None})


def state_keys(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """Return the names of the user's state channels."""
    keys = graph.stream_channels_asis
    return frozenset([keys] if isinstance(keys, str) else keys)


def state_fields(graph: Pregel[Any, Any, Any, Any]) -> tuple[str, ...]:
    """Return the state's fields, in the graph's order; none when the state is one value."""
    keys = graph.stream_channels_asis
    return () if isinstance(keys, str) else tuple(keys)


def input_keys(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """Return the names of the state channels a graph takes as input."""
    builder = getattr(graph, "builder", None)
    taken = getattr(builder, "schemas", {}).get(getattr(builder, "input_schema", None))
    return state_keys(graph) if taken is None else state_keys(graph) & frozenset(taken)


def node_reads(node: PregelNode) -> frozenset[str]:
    """Return the names of the channels a node is given."""
    return frozenset([node.channels] if isinstance(node.channels, str) else node.channels)


def visible_nodes(graph: Pregel[Any, Any, Any, Any]) -> Iterator[tuple[str, PregelNode]]:
    """Yield the nodes that run code of the user, error handlers too: all but LangGraph's entry."""
    for name, node in graph.nodes.items():
        if name != START:
            yield name, node


def writing_node(update: Mapping[str, Any]) -> PregelNode:
    """Return a node that nothing starts and that writes `update`, by channel."""
    entries = [ChannelWriteEntry(channel, value) for channel, value in update.items()]
    return PregelNode(channels=[], triggers=[], writers=[ChannelWrite(entries)])


class StandingChannel(BinaryOperatorAggregate):  # type: ignore[type-arg]
    """The private channel. A child graph's live instance reports itself to the gate that called it."""

    def from_checkpoint(self, checkpoint: Any) -> "StandingChannel":
        """Return an instance restored from a snapshot."""
        channel: StandingChannel = super().from_checkpoint(checkpoint)
        sink = _SINK.get()
        if sink is not None:
            sink.append(channel)
        return channel


_SINK: ContextVar[list[StandingChannel] | None] = ContextVar("hitl_sink", default=None)


@contextmanager
def collecting(sink: list[StandingChannel]) -> Iterator[None]:
    """Let the child graph that is invoked in the block report its live channel to `sink`."""
    token = _SINK.set(sink)
    try:
        yield
    finally:
        _SINK.reset(token)


def serde_allowlist(
    graph: Pregel[Any, Any, Any, Any], extra: Sequence[type]
) -> set[tuple[str, ...]]:
    """Return the types a snapshot or proposal of this graph may hold, subgraphs included.

    Anything else in a stored row is data, never a constructor call.
    """
    builder = getattr(graph, "builder", None)
    schemas = list(getattr(builder, "schemas", {})) + list(extra)
    allowed: set[tuple[str, ...]] = build_serde_allowlist(
        schemas=schemas, channels=dict(graph.channels)
    )
    allowed |= {(t.__module__, t.__qualname__) for t in extra}
    for _, node in visible_nodes(graph):
        if isinstance(node.bound, Pregel):
            allowed |= serde_allowlist(node.bound, ())
    return allowed


def saved_as_changes(value: Any) -> bool:
    """Return whether a stored value is of a `DeltaChannel`, which stores its whole value rarely."""
    return isinstance(value, _DeltaSnapshot)
