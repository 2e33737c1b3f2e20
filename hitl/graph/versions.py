"""What a workflow looks like to the runs that began under it, and what a deploy changed before them.

A run is pinned to the shape it began with. What is changed after the step it stands at is as good as
never having been otherwise; what is changed at that step or before it could pass a gate by, or put
an answer to another question, so the run waits for a person who says how it goes on.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from hitl.canonical import content_hash
from hitl.graph.lg import is_flow, node_reads, shallow_copy
from hitl.graph.seam import Graph, nodes
from hitl.models import JsonObject

SETTING = "workflow:"
"""Where a shape is kept: this and the version."""


def shape(graph: Graph) -> JsonObject:
    """Return the steps of a workflow, what leads to them, and the tools they hold, by path."""
    steps: dict[str, Any] = {}
    edges: set[tuple[str, str]] = set()
    for node in nodes(graph):
        prefix = node.path.removesuffix(node.name)
        bound = node.graph.nodes[node.name]
        steps[node.path] = {
            "triggers": sorted(bound.triggers),
            "reads": sorted(node_reads(bound)),
            "tools": _tools(bound.bound),
            "calls": is_flow(node.graph),
        }
        if f"{prefix}__start__" not in {start for start, _ in edges}:
            edges |= {(prefix + e.source, prefix + e.target) for e in _edges(node.graph)}
    found: list[Any] = sorted([start, end] for start, end in edges)
    return {"steps": steps, "edges": found}


def _edges(graph: Graph) -> Iterator[Any]:
    """Yield the edges of one graph; drawn from a copy, because nodes remember what drawing asked."""
    drawn = shallow_copy(graph)
    drawn.nodes = {name: copy(node) for name, node in graph.nodes.items()}
    yield from drawn.get_graph().edges


def version_of(whole: JsonObject) -> str:
    """Return a hash of a workflow's shape."""
    return content_hash(whole)[:16]


def _tools(body: Any) -> dict[str, str]:
    """Return the tools of a step with a hash of what each takes."""
    found: Mapping[str, Any] = getattr(body, "tools_by_name", None) or {}
    return {name: content_hash(_taken(tool))[:16] for name, tool in found.items()}


def _taken(tool: Any) -> JsonObject:
    return {name: repr(about) for name, about in sorted(tool.args.items())}


def knows(now: JsonObject, step: str) -> bool:
    """Return whether a workflow has a step, or the entrypoint that calls it."""
    steps: Any = now["steps"]
    above = step.rpartition("/")[0]
    return step in steps or bool(above and steps.get(above, {}).get("calls"))


def difference(then: JsonObject, now: JsonObject, standing: Iterable[str]) -> str | None:
    """Return what a deploy changed at or before the steps a run stands at, in words, or None.

    Args:
        then: The shape the run began with.
        now: The shape of today.
        standing: Paths of the steps it stands at.
    """
    for step in sorted(_with_parents(standing)):
        before, after = _before(then, step), _before(now, step)
        if before == after:
            continue
        old, new = _names(before) - {step}, _names(after) - {step}
        if new - old:
            return f"{_listed(new - old)} now stands before step {step!r}, and the run never came there"
        if old - new:
            return f"{_listed(old - new)} does not stand before step {step!r} any more"
        return f"the steps before {step!r} follow each other in another order"
    return None


def changed_tools(then: JsonObject, now: JsonObject, step: str) -> tuple[set[str], set[str]]:
    """Return the tools a step does not have any more, and those that take something else now."""
    old, new = (_at(each, step).get("tools", {}) for each in (then, now))
    gone = set(old) - set(new)
    return gone, {name for name in old.keys() & new.keys() if old[name] != new[name]}


def _at(whole: JsonObject, step: str) -> Mapping[str, Any]:
    steps: Any = whole["steps"]
    found: Mapping[str, Any] = steps.get(step, {})
    return found


def _before(whole: JsonObject, step: str) -> set[tuple[str, str]]:
    """Return the edges by which a step is reached, back to its graph's start."""
    edges: Any = whole["edges"]
    found: set[tuple[str, str]] = set()
    waiting = [step]
    while waiting:
        target = waiting.pop()
        leading = {(start, end) for start, end in edges if end == target} - found
        found |= leading
        waiting += [start for start, _ in leading]
    return found


def _names(edges: set[tuple[str, str]]) -> set[str]:
    return {n for edge in edges for n in edge if not n.rpartition("/")[2].startswith("__")}


def _with_parents(steps: Iterable[str]) -> Iterator[str]:
    for step in set(steps):
        parts = step.split("/")
        yield from ("/".join(parts[: n + 1]) for n in range(len(parts)))


def _listed(names: Iterable[str]) -> str:
    return " and ".join(f"step {name!r}" for name in sorted(names))
