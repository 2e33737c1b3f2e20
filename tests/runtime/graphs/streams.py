"""What a stream said, in a form in which two runs of one graph compare equal.

Ids that LangGraph draws anew for every run are left out. The order of events is kept, except among
tasks that share a superstep: those finish in any order, in a plain graph too.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage
from langgraph.types import Command, Interrupt, Overwrite, Send
from pydantic import BaseModel

MODES = ("values", "updates", "messages", "custom")
BOUNDARY = "checkpoints"
"""A mode that says one thing per superstep and graph, when the superstep is over."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RUN = re.compile(r"\brun_[0-9a-f]{20,}")
_DRAWN = re.compile(r"^(lc_)?run-.*|^#$")


class Event(NamedTuple):
    """One event of a stream; a stream without namespaces or modes has the given ones."""

    ns: tuple[str, ...]
    mode: str
    data: Any


def event(chunk: Any, modes: str | Sequence[str], *, subgraphs: bool) -> Event:
    """Return what a stream yielded, whatever shape the caller's choices give it."""
    if isinstance(modes, str):
        ns, data = chunk if subgraphs else ((), chunk)
        return Event(ns, modes, data)
    ns, mode, data = chunk if subgraphs else ((), *chunk)
    return Event(ns, mode, data)


def plain(value: Any) -> Any:
    """Return `value` as comparable data: types are named, drawn ids are `#`."""
    match value:
        case str():
            return _RUN.sub("run", _UUID.sub("#", value))
        case BaseMessage():
            fields = {k: plain(v) for k, v in value.model_dump().items() if k != "id"}
            drawn = value.id is None or bool(_DRAWN.match(plain(value.id)))
            return (type(value).__name__, {**fields, "id": "#" if drawn else value.id})
        case BaseModel():
            return (type(value).__name__, {k: plain(v) for k, v in dict(value).items()})
        case Interrupt():
            return ("Interrupt", plain(value.value))
        case Command() | Send() | Overwrite():
            return (type(value).__name__, plain(repr(value)))
        case dict():
            return {plain(k): plain(v) for k, v in value.items()}
        case tuple():
            return tuple(plain(v) for v in value)
        case list():
            return [plain(v) for v in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return (type(value).__name__, fields)
        case _:
            return value


def in_order(events: Iterable[Event]) -> list[Any]:
    """Return the events of a graph without parallel tasks."""
    return [tuple(plain(part) for part in e) for e in events]


def by_superstep(events: Iterable[Event]) -> list[Any]:
    """Return the events of a graph with parallel tasks, sorted among the tasks of one superstep.

    Every namespace (a subgraph's execution) is a list of supersteps; the order of the namespaces is
    free as well: they run side by side.
    """
    graphs: dict[tuple[str, ...], list[list[Any]]] = {}
    for e in events:
        steps = graphs.setdefault(e.ns, [[]])
        if e.mode == BOUNDARY:
            steps.append([])
        else:
            steps[-1].append((e.mode, _task(e), plain(e.data)))
    told = [
        (plain(ns), [sorted(s, key=lambda e: e[:2]) for s in steps]) for ns, steps in graphs.items()
    ]
    return sorted(told, key=repr)


def _task(e: Event) -> str:
    """Return which task an event is from; events of one task keep their order."""
    if e.mode == "messages":
        said = e.data[1]
        return f"{said['langgraph_node']} {said['langgraph_path']}"
    if e.mode == "custom" and isinstance(e.data, dict):
        return str(e.data.get("by"))
    parked = isinstance(e.data, dict) and "__interrupt__" in e.data
    return repr(plain(e.data)) if e.mode == "updates" or parked else ""


def without_interrupts(events: Iterable[Event]) -> list[Event]:
    """Return the events that tell of committed work: no park signals, nothing told a second time."""
    kept: list[Event] = []
    for e in events:
        data = e.data
        if isinstance(data, dict):
            if (data.get("__metadata__") or {}).get("cached"):
                continue
            if "__interrupt__" in data:
                data = {k: v for k, v in data.items() if k != "__interrupt__"}
                if not data:
                    continue
        kept.append(Event(e.ns, e.mode, data))
    return kept


def of_mode(events: Iterable[Event], *modes: str) -> list[Event]:
    """Return the events of these modes."""
    return [e for e in events if e.mode in modes]


def changes(events: Iterable[Event]) -> list[Any]:
    """Return a stream of values without repetitions: a run that goes on tells its state again.

    A functional workflow that goes on tells that it has no value yet: None.
    """
    told: list[Any] = []
    for value in (plain(e.data) for e in events):
        if value is not None and (not told or value != told[-1]):
            told.append(value)
    return told
