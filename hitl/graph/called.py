"""One call of a `@task`: what it is given, what it may return, and what it counts for."""

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

from langchain_core.runnables import Runnable, RunnableConfig

from hitl.canonical import canonical_json, sha256_hex
from hitl.graph.answers import ROOT, AnswerForm
from hitl.graph.presentation import input_view
from hitl.graph.task import OF_TASK, Attempt, GatedTask, GateSpec
from hitl.policy import Step
from hitl.reliability import Standing, Write

F = TypeVar("F", bound=Callable[..., Any])

_TAGS = "__hitl_tags__"


def tagged(*tags: str) -> Callable[[F], F]:
    """Return a decorator, to stand below `@task`, that gives a task tags for a policy's patterns.

    Example:
        @task
        @hitl.tagged("effect")
        def pay(amount: int) -> str: ...
    """

    def mark(function: F) -> F:
        setattr(function, _TAGS, frozenset(tags))
        return function

    return mark


def tags_of(function: Callable[..., Any]) -> frozenset[str]:
    """Return the tags that `tagged` gave a task."""
    return frozenset(getattr(function, _TAGS, ()))


def name_of(function: Any) -> str:
    """Return the name LangGraph gives a task of this function."""
    named = getattr(function, "__name__", None) or getattr(
        getattr(function, "func", None), "__name__", None
    )
    return str(named or type(function).__name__)


def task_step(caller: str, function: Any) -> Step:
    """Return a task of the step `caller` as a policy's patterns see it."""
    return Step(f"{caller}/{name_of(function)}", tags=tags_of(function), is_task=True)


def is_async(function: Any) -> bool:
    """Return whether calls of the function must be awaited."""
    called = getattr(function, "__call__", None)  # noqa: B004 - an object's, as LangGraph looks
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def form_of(function: Any) -> AnswerForm:
    """Return what a person may answer in a task's place: a value of the type it returns."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (TypeError, NameError):
        hints = {}
    return AnswerForm({ROOT: hints.get("return", Any)})


@dataclass
class Kept:
    """What the calls of one execution of a body came to, over all its tries in this advance."""

    standing: Standing = field(default_factory=Standing)
    called: bool = False
    futures: dict[int, tuple[Any, Any, Any]] = field(default_factory=dict)
    """By number of the call: its function, its input, and the future of its result."""
    indices: dict[int, int] = field(default_factory=dict)
    """By number of a call that committed: LangGraph's own number of it."""
    used: set[int] = field(default_factory=set)
    """LangGraph's numbers that are taken."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def count(self, number: int, index: int, write: Write) -> None:
        """Count a call that committed."""
        with self.lock:
            if number in self.indices:
                return
            self.indices[number] = index
            self.used.add(index)
            self.standing = self.standing.then(write)


@dataclass(frozen=True)
class Call:
    """One call of a task."""

    caller: Attempt
    """The attempt of the body that made it."""
    key: str
    """What it is known by in the ledger: the body's task, its attempt, and the call's number."""
    of: str
    """The key without the number."""
    number: int
    """Which of all calls of the body, from 0."""
    nth: int
    """Which of its calls of this task, from 0."""
    index: int
    """LangGraph's number of it."""
    before: Standing
    """What the body's calls that were over by then had come to."""
    kept: Kept
    spec: GateSpec
    function: Callable[..., Any]
    input: tuple[tuple[Any, ...], dict[str, Any]]

    def task(self, config: RunnableConfig, injected: dict[str, Any]) -> "CalledTask":
        """Return the gated task of this call.

        Args:
            config: What LangGraph runs it under.
            injected: Arguments that LangGraph adds to those of the caller.

        Raises:
            TypeError: The arguments do not fit the function.
        """
        signature = inspect.signature(self.function)
        args, kwargs = self.input
        given = dict(signature.bind_partial(*args, **kwargs).arguments)
        body = TaskBody(self.function, signature, injected)
        return CalledTask(replace(self.spec, body=body), config, given, self)


class TaskBody(Runnable[Any, Any]):
    """The function of a task, run on the arguments that went through its gate."""

    def __init__(
        self, function: Callable[..., Any], signature: inspect.Signature, injected: dict[str, Any]
    ) -> None:
        self.name = name_of(function)
        self._function = function
        self._signature = signature
        self._injected = injected

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:
        """Return what the function returns."""
        bound = inspect.BoundArguments(self._signature, OrderedDict(input))
        own = {"config": config} if "config" in self._injected else {}
        return self._function(*bound.args, **{**bound.kwargs, **self._injected, **own})

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:
        """See `invoke`, for a function that is awaited."""
        return await self.invoke(input, config)


class CalledTask(GatedTask):
    """A task of a gated graph that is a call of a `@task`. It is given its arguments, no state."""

    def __init__(self, spec: GateSpec, config: RunnableConfig, state: Any, call: Call) -> None:
        super().__init__(spec, config, state)
        self.facts = replace(self.facts, task_id=call.key, shard=call.nth)
        self._call = call
        self._given = input_view(state)[0]

    @cached_property
    def standing(self) -> Standing:
        """How sure the run is: the caller's prefix, and the calls that were over before this one."""
        return self._call.before.under(self._call.caller.task.standing)

    @property
    def outer(self) -> int:
        """The shard of what calls it."""
        return self._call.caller.task.shard

    @cached_property
    def asked_with(self) -> str:
        """A hash of its arguments: a proposal is never committed for a call with others."""
        return sha256_hex(canonical_json(self._given))

    def written(self, total: Write) -> dict[str, Any]:
        """Return what goes into the private channel; the caller reads it when it runs again."""
        call = self._call
        if self.spec.before:
            self.session.acted_calls[call.key] = self.spec.path
        call.kept.count(call.number, call.index, total)
        place = {"of": call.of, "number": call.number, "index": call.index}
        return {**super().written(total), OF_TASK: place}
