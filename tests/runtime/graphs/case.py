"""A graph of the matrix, and the tally of what its bodies did."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command
from pydantic import BaseModel

import hitl

Graph = Pregel[Any, Any, Any, Any]
Builder = StateGraph[Any, Any, Any, Any]

DENIED = "DENIED"
"""In everything a step returns that must never be committed."""
WRONG_NUMBER = -999_999


def added(kept: Any, new: Any) -> Any:
    """Reduce a field by `+`. LangGraph reads a reducer's signature: of `operator.add` that is slow."""
    return kept + new


class Tally:
    """Counts executions of bodies, and spoils what they return until their step was denied.

    Attributes:
        began: Executions by body; `interrupt()` and a failed try begin without an end.
        ended: Executions that came to their end.
        denies: Step paths of which the first attempt will be denied.
        paths: Where each body was seen to run, in a wrapped graph that is asked about.
    """

    def __init__(self) -> None:
        self.began: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.denies: frozenset[str] = frozenset()
        self.paths: dict[str, set[str]] = {}

    def clear(self) -> None:
        """Forget every execution: the same graph runs again."""
        self.began.clear()
        self.ended.clear()
        self.paths.clear()

    def begin(self, body: str) -> None:
        """Count a body that may not come to its end."""
        self.began[body] += 1

    def end(self, body: str, value: Any, *, wrong: Any = None) -> Any:
        """Count a body that came to its end; return `value`, or what is to be denied instead."""
        self.ended[body] += 1
        if not self.is_spoilt(body):
            return value
        return spoilt(value) if wrong is None else wrong

    def is_spoilt(self, body: str) -> bool:
        """Return whether this execution will be denied: a gate around it has not said no yet."""
        if not self.denies:
            return False
        here = hitl.current()
        self.paths.setdefault(body, set()).add(here.step)
        said = {denial.step for denial in here.denials}
        return any(path not in said for path in self.around(here.step))

    def around(self, step: str) -> list[str]:
        """Return the denied paths that hold `step`: its own and its parents'."""
        return [p for p in self.denies if step == p or step.startswith(f"{p}/")]

    def times(self, body: str) -> int:
        """Return how often the body runs for each time the plain graph runs it.

        Every gate around it says no once. When a child graph runs again, its steps are come to again
        in the same visit: what was denied in it stays said, and is not denied a second time.
        """
        counts = {1 + len(self.around(path)) for path in self.paths.get(body, ())} or {1}
        assert len(counts) == 1, f"{body} runs at places with different gates"
        return counts.pop()


def spoilt(value: Any) -> Any:
    """Return something of the same shape of which no part may ever be seen again."""
    match value:
        case None | bool():
            return value
        case str():
            return DENIED
        case int() | float():
            return WRONG_NUMBER
        case dict():
            return {key: spoilt(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)(spoilt(item) for item in value)
        case _:
            return _spoilt_object(value)


def _spoilt_object(value: Any) -> Any:
    match value:
        case BaseMessage():
            return value.model_copy(update={"content": DENIED})
        case Command():
            return dataclasses.replace(value, update=spoilt(value.update))
        case BaseModel():
            return value.model_copy(update={k: spoilt(v) for k, v in dict(value).items()})
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            wrong = {f.name: spoilt(getattr(value, f.name)) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **wrong)
        case _:
            raise TypeError(f"Tell the tally how a {type(value).__name__} goes wrong.")


@dataclass(frozen=True, eq=False)
class Case:
    """One graph of the matrix."""

    name: str
    build: Callable[[Tally], Graph | Builder]
    """Makes a fresh graph, without a checkpointer, whose bodies report to the tally."""
    given: Callable[[], Any]
    """Makes the input."""
    colours: tuple[str, ...] = ("sync", "async")
    parallel: bool = False
    """Whether several tasks share a superstep: then their events come in any order."""
    answers: tuple[Any, ...] = ()
    """What the graph's own `interrupt()` questions are answered with, in order."""
    context: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """Parts of the caller's config besides the thread."""
    types: tuple[type, ...] = ()
    """For `wrap(allow_types=...)`."""
    resumed: tuple[str, ...] = ()
    """Bodies of a retried subgraph. LangGraph starts the subgraph anew, one whose gates may ask goes
    on where it failed: what a person said yes to is not run again."""
    unsaved: tuple[str, ...] = ()
    """Fields that LangGraph never saves: any run that parks goes on without them."""
