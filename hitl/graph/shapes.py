"""What a policy's patterns see of a graph: the tags of its steps, and the tools of its tool nodes."""

from collections.abc import Collection, Mapping
from typing import Any

from hitl.graph.foreseen import task_steps
from hitl.graph.lg import is_flow
from hitl.graph.seam import Graph, nodes
from hitl.policy import Step, Tool


def shapes(graph: Graph) -> tuple[Step, ...]:
    """Return the steps of a graph as patterns see them, subgraphs and foreseen tasks included.

    A step's tags are those of its metadata (`{"tags": [...]}`), every key of its metadata that is
    True, and LangChain's own tags. The same holds for tools.
    """
    steps = (
        _step(n.path, n.graph.nodes[n.name], calls_tasks=is_flow(n.graph)) for n in nodes(graph)
    )
    return (*steps, *task_steps(graph))


def _step(path: str, node: Any, *, calls_tasks: bool) -> Step:
    bound: Mapping[str, Any] = getattr(node.bound, "config", None) or {}
    tags = _tags(node.tags, node.metadata) | _tags(bound.get("tags"), bound.get("metadata"))
    tools = getattr(node.bound, "tools_by_name", None) or {}
    return Step(
        path,
        tags=tags,
        calls_tasks=calls_tasks,
        tools=tuple(Tool(name, _tags(tool.tags, tool.metadata)) for name, tool in tools.items()),
    )


def _tags(own: Collection[str] | None, metadata: Mapping[str, Any] | None) -> frozenset[str]:
    said = metadata or {}
    listed = said.get("tags") or ()
    listed = (listed,) if isinstance(listed, str) else listed
    marked = (key for key, value in said.items() if value is True)
    return frozenset(map(str, (*(own or ()), *listed, *marked)))
