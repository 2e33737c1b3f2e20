"""Where the gates go in: a shallow copy of the compiled graph, each node's body replaced.

The user's graph object, schemas, outputs and streams stay untouched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.channels.last_value import LastValue
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from hitl.errors import ConfigurationError
from hitl.graph.answers import ROOT, AnswerForm, field_types
from hitl.graph.calls import Tasks
from hitl.graph.gate import gated_node
from hitl.graph.lg import (
    CHANNEL,
    StandingChannel,
    input_keys,
    is_async_only,
    is_flow,
    node_reads,
    replace_body,
    shallow_copy,
    state_fields,
    state_keys,
    visible_nodes,
)
from hitl.graph.session import Wiring
from hitl.graph.takeover import Whole
from hitl.graph.task import GateSpec, add_to_channel
from hitl.models import Place
from hitl.policy import Checkpoint

Graph = Pregel[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a workflow, as found in the graph."""

    path: str
    graph: Graph
    """The graph it is in."""
    name: str


def compiled(graph: Any) -> Graph:
    """Return `graph` compiled.

    Raises:
        ConfigurationError: It is no LangGraph graph, or brings its own checkpointer.
    """
    found = graph.compile() if isinstance(graph, StateGraph) else graph
    if not isinstance(found, Pregel):
        raise ConfigurationError(
            f"hitl wraps LangGraph graphs; this is a {type(graph).__name__}. Pass a StateGraph, a"
            " compiled graph or an agent."
        )
    if found.checkpointer not in (None, False):
        raise ConfigurationError(
            f"This graph was compiled with a {type(found.checkpointer).__name__}; hitl keeps the"
            " snapshots in its own store. Compile it without a checkpointer and name the database"
            " in `store=`."
        )
    return found


def nodes(graph: Graph, prefix: str = "") -> Iterator[Node]:
    """Yield the steps of a graph, subgraphs included, parents first.

    Raises:
        ConfigurationError: A subgraph has its own checkpointer setting.
    """
    for name, node in visible_nodes(graph):
        yield Node(prefix + name, graph, name)
        child = node.bound
        if not isinstance(child, Pregel):
            continue
        if child.checkpointer is not None:
            raise ConfigurationError(
                f"Subgraph {prefix + name!r} has a checkpointer setting of its own; a retried gate"
                " would leave denied work in its history. Compile it without one."
            )
        yield from nodes(child, f"{prefix}{name}/")


@dataclass(frozen=True, slots=True)
class Around:
    """Where in the workflow a graph stands, while gates are put into it."""

    whole: Whole
    prefix: str = ""
    """Its path, with the last slash; empty for the outermost."""
    beyond: tuple[str, ...] = ()
    """Steps that may follow it, outside."""

    def onward(self, graph: Graph, name: str, wiring: Wiring) -> tuple[str, ...]:
        """Return the steps that may follow one of the graph's, in the order they are reached."""
        if not wiring.policy.lets_take_over:
            return ()
        return (*(self.prefix + n for n in reached(graph, name)), *self.beyond)

    def inside(self, graph: Graph, name: str, wiring: Wiring) -> "Around":
        """Return where the child graph in the step stands."""
        return Around(self.whole, f"{self.prefix}{name}/", self.onward(graph, name, wiring))


def whole_of(graph: Graph) -> Whole:
    """Return what is known of a run's graph as a whole."""
    keys, returned = state_keys(graph), graph.output_channels
    outputs = (ROOT,) if isinstance(returned, str) else tuple(returned)
    return Whole(_form(graph, keys), outputs, _appending(graph, keys))


def reached(graph: Graph, name: str) -> Iterator[str]:
    """Yield the steps that may follow `name` in its graph, nearest first, itself left out."""
    follows: dict[str, list[str]] = {}
    for edge in graph.get_graph().edges:
        follows.setdefault(edge.source, []).append(edge.target)
    known = {name}
    waiting = [*follows.get(name, ())]
    while waiting:
        step = waiting.pop(0)
        if step in known or step not in graph.nodes:
            continue
        known.add(step)
        yield step
        waiting += follows.get(step, ())


def needs_loop(graph: Graph) -> bool:
    """Return whether some step, subgraphs included, can only run in an event loop."""
    return any(is_async_only(n.graph.nodes[n.name].bound) for n in nodes(graph))


def instrument(graph: Graph, wiring: Wiring, around: Around | None = None) -> Graph:
    """Return a copy of `graph` with a gate in every step, subgraphs included."""
    around = around or Around(whole_of(graph))
    new = shallow_copy(graph)
    channel = StandingChannel(dict, add_to_channel)
    channel.key = CHANNEL
    new.channels[CHANNEL] = channel
    for name, node in visible_nodes(graph):
        body, subgraphs = node.bound, node.subgraphs
        if isinstance(body, Pregel):
            body = instrument(body, wiring, around.inside(graph, name, wiring))
            subgraphs = [body]
        spec = _spec(graph, wiring, around, name, body)
        new.nodes[name] = replace_body(node, gated_node(spec), subgraphs)
    new.validate()
    return new


def _spec(graph: Graph, wiring: Wiring, around: Around, name: str, body: Any) -> GateSpec:
    path = around.prefix + name
    after = wiring.policy.at(path, Place.AFTER)
    before = wiring.policy.at(path, Place.BEFORE)
    keys = state_keys(graph)
    return GateSpec(
        wiring=wiring,
        path=path,
        name=name,
        body=body,
        is_graph=isinstance(body, Pregel),
        resumes=_may_ask(wiring, graph.nodes[name].bound, f"{path}/"),
        fields=state_fields(graph),
        reads_all=node_reads(graph.nodes[name]) >= keys,
        hands_all=isinstance(body, Pregel) and input_keys(body) >= keys,
        form=_form(graph, keys),
        appending=_appending(graph, keys),
        after=after if after or before else (Checkpoint(path),),
        before=before,
        whole=around.whole,
        onward=around.onward(graph, name, wiring),
        calls=Tasks(wiring, around.whole) if is_flow(graph) else None,
    )


def _may_ask(wiring: Wiring, child: Any, prefix: str) -> bool:
    policy = wiring.policy
    if not isinstance(child, Pregel) or wiring.shadow:
        return False
    return policy.reliability_below is not None or any(
        policy.at(n.path, place) for n in nodes(child, prefix) for place in Place
    )


def _form(graph: Graph, keys: frozenset[str]) -> AnswerForm:
    schema = getattr(getattr(graph, "builder", None), "state_schema", None)
    if schema is None or keys == {ROOT}:
        return AnswerForm({ROOT: Any if schema is None else schema})
    types = field_types(schema)
    return AnswerForm({k: types.get(k, Any) for k in sorted(keys)})


def _appending(graph: Graph, keys: frozenset[str]) -> frozenset[str]:
    return frozenset(k for k in keys if not isinstance(graph.channels[k], LastValue))


def notes(graph: Graph, wiring: Wiring) -> Sequence[str]:
    """Return what the embedder should know before the first run, one sentence each."""
    stalls = () if wiring.shadow else _stalls(graph, wiring)
    return (*_unknown(graph, wiring), *stalls, *_uncached(graph), *_only_tasks(graph, wiring))


def _only_tasks(graph: Graph, wiring: Wiring) -> Iterator[str]:
    """Tell which checkpoints can only be of tasks: those are known when an entrypoint calls them."""
    flows = ", ".join(repr(n.path) for n in nodes(graph) if is_flow(n.graph))
    for checkpoint in wiring.policy.unmet() if flows else ():
        yield (
            f"Checkpoint {checkpoint.step!r} names no step; it will stand at tasks of entrypoint"
            f" {flows} that it matches. A run in which there was none says so at its end."
        )


def _unknown(graph: Graph, wiring: Wiring) -> Iterator[str]:
    policy = wiring.policy
    needs = policy.reliability_below is not None
    for node in nodes(graph):
        declared = policy.at(node.path, Place.AFTER) + policy.at(node.path, Place.BEFORE)
        asks = any(
            c.confidence_below is not None or c.reliability_below is not None for c in declared
        )
        if (needs or asks) and not wiring.accuracy.is_known(node.path):
            yield (
                f"Nothing is known of how often step {node.path!r} is right until it reports a"
                " confidence; declare `accuracy=` or calibrate it."
            )


def _uncached(graph: Graph) -> Iterator[str]:
    """Tell whose cache is not used: it would replay one run's yes in another."""
    for node in nodes(graph):
        own = node.graph.nodes[node.name].cache_policy
        if own is not None or node.graph.cache_policy is not None:
            yield f"The cache policy of step {node.path!r} is not used; cache inside the step instead."


def _stalls(graph: Graph, wiring: Wiring) -> Iterator[str]:
    """Warn where a parked branch holds the others: LangGraph's supersteps are barriers."""
    by_graph: dict[int, list[Node]] = {}
    for node in nodes(graph):
        by_graph.setdefault(id(node.graph), []).append(node)
    for members in by_graph.values():
        for node in members:
            if not (
                wiring.policy.at(node.path, Place.AFTER)
                or wiring.policy.at(node.path, Place.BEFORE)
            ):
                continue
            siblings = sorted(m.path for m in members if m is not node and _together(node, m))
            if siblings:
                names = ", ".join(repr(s) for s in siblings)
                yield (
                    f"While step {node.path!r} waits for a person, what follows {names} waits too:"
                    " they run in the same superstep. Put the branches into subgraphs to part them."
                )


def _together(one: Node, other: Node) -> bool:
    triggers = set(one.graph.nodes[one.name].triggers)
    sources = _sources(one) & _sources(other)
    return bool(sources) or bool(triggers & set(other.graph.nodes[other.name].triggers))


def _sources(node: Node) -> set[str]:
    builder = getattr(node.graph, "builder", None)
    edges: set[tuple[str, str]] = getattr(builder, "edges", set())
    return {start for start, end in edges if end == node.name}
