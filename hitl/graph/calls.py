"""The gates of `@task`s: each call of a task, by an `@entrypoint` or by another task, is a step.

A call is known by its number in one execution of the body that makes it, never by LangGraph's own
count: that goes on when a body is retried, and would hand one call the result of another.
"""

import asyncio
import concurrent.futures
import functools
import itertools
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.config import get_config
from langgraph.errors import GraphBubbleUp, GraphInterrupt

from hitl.errors import ConfigurationError
from hitl.graph.called import Call, Kept, form_of, is_async, name_of, tags_of
from hitl.graph.gate import adrive, drive
from hitl.graph.lg import CHANNEL, calling_with, number_calls, task_caller
from hitl.graph.questions import is_gate
from hitl.graph.session import Wiring
from hitl.graph.signals import Halt, Leaving
from hitl.graph.takeover import Whole
from hitl.graph.task import OF_TASK, Attempt, GateSpec
from hitl.models import Place
from hitl.models.reviews import FAN_OUT
from hitl.policy import Checkpoint, Step
from hitl.reliability import Standing, Write

_FAR = 1_000_000
"""LangGraph's numbers of the calls of attempt k begin at (k - 1) * _FAR: none has another's."""


class Tasks:
    """The tasks of a workflow's `@entrypoint`s, as they become known."""

    def __init__(self, wiring: Wiring, whole: Whole) -> None:
        self._wiring = wiring
        self._whole = whole
        self._known: dict[str, tuple[Any, GateSpec]] = {}

    def __call__(self, attempt: Attempt) -> "Calls":
        """Return what stands between an attempt's body and the tasks it calls."""
        return Calls(self, attempt)

    def spec(self, path: str, function: Callable[..., Any]) -> GateSpec:
        """Return what is known about the gates of a task."""
        known = self._known.get(path)
        if known is None or known[0] is not function:
            known = self._known[path] = (function, self._look(path, function))
        return known[1]

    def _look(self, path: str, function: Callable[..., Any]) -> GateSpec:
        policy = self._wiring.policy
        policy.meet(Step(path, tags=tags_of(function), is_task=True))
        after, before = policy.at(path, Place.AFTER), policy.at(path, Place.BEFORE)
        return GateSpec(
            wiring=self._wiring,
            path=path,
            name=name_of(function),
            body=_NO_BODY,
            is_graph=False,
            resumes=False,
            fields=(),
            reads_all=False,
            hands_all=False,
            form=form_of(function),
            appending=frozenset(),
            after=after if after or before else (Checkpoint(path),),
            before=before,
            whole=self._whole,
            calls=self,
        )


_NO_BODY: Runnable[Any, Any] = RunnableLambda(lambda _: None)
"""Stands in a task's spec until it is called: its body has the arguments LangGraph adds."""


class Calls:
    """The calls that one execution of a body makes."""

    def __init__(self, tasks: Tasks, attempt: Attempt) -> None:
        self._tasks = tasks
        self._attempt = attempt
        task = attempt.task
        self._of = f"{task.facts.task_id}/{attempt.number}"
        self._kept: Kept = task.session.kept_calls.setdefault(self._of, Kept())
        self._through = task_caller(task.config)
        self._numbers = itertools.count()
        self._nth: Counter[str] = Counter()
        self._indices: deque[int] = deque()
        self._made: list[Any] = []
        self._raised: list[GraphBubbleUp] = []

    def entered(self, config: RunnableConfig) -> RunnableConfig:
        """See `Inside`."""
        self._recall()
        rest = itertools.count(len(self._kept.used))
        number_calls(config, lambda: self._indices.popleft() if self._indices else next(rest))
        return calling_with(config, self._call)

    def standing(self) -> Standing | None:
        """See `Inside`."""
        return self._kept.standing if self._kept.indices else None

    def _recall(self) -> None:
        """Count the calls that committed in an earlier advance: they will not run again."""
        task = self._attempt.task
        for value in task.session.written_in(task.facts, CHANNEL):
            place = value.get(OF_TASK) if isinstance(value, dict) else None
            if place and place["of"] == self._of:
                self._kept.count(place["number"], place["index"], Write.load(value["write"]))

    # -- a call ------------------------------------------------------------------------------------

    def _call(self, function: Callable[..., Any], input: Any, **options: Any) -> Any:
        """Call a task through its gate: LangGraph's signature. A cache is not used (see `seam`)."""
        with self._kept.lock:
            number = next(self._numbers)
            future = self._before(number, function, input)
            if future is None:
                call = self._made_of(number, function, input)
                self._indices.append(call.index)
                own = {**options, "cache_policy": None}
                future = self._through(self._gated(call), input, **own)
                self._kept.futures[number] = (function, input, future)
            self._made.append(future)
        return future

    def _before(self, number: int, function: Callable[..., Any], input: Any) -> Any:
        """Return the result of this call in an earlier try of the body, which a retry must not repeat."""
        then, given, future = self._kept.futures.get(number, (None, None, None))
        over = future is not None and future.done() and not future.cancelled()
        same = over and name_of(then) == name_of(function) and future.exception() is None
        return future if same and _equal(given, input) else None

    def _made_of(self, number: int, function: Callable[..., Any], input: Any) -> Call:
        name, kept = name_of(function), self._kept
        path = f"{self._attempt.task.spec.path}/{name}"
        nth = self._nth[name]
        self._nth[name] += 1
        if nth >= FAN_OUT - 1:
            raise ConfigurationError(
                f"Task {path!r} was called {FAN_OUT - 1} times by one run of what calls it, which is"
                " the most; nothing more was run. Call it from several entrypoints or steps."
            )
        return Call(
            caller=self._attempt,
            key=f"{self._of}/{number}",
            of=self._of,
            number=number,
            nth=nth,
            index=self._index(number),
            before=kept.standing,
            kept=kept,
            spec=self._tasks.spec(path, function),
            function=function,
            input=input,
        )

    def _index(self, number: int) -> int:
        """Return LangGraph's number for a call: that of its result, if there is one, else a new one."""
        kept = self._kept
        index = kept.indices.get(number, (self._attempt.number - 1) * _FAR + number)
        if number not in kept.indices and index in kept.used:
            index = 1 + max(kept.used)
        kept.used.add(index)
        return index

    def _gated(self, call: Call) -> Callable[..., Any]:
        """Return what LangGraph runs in the function's place."""
        given = call.input[1]

        def gated(*_: Any, **kwargs: Any) -> Any:
            added = {k: v for k, v in kwargs.items() if k not in given}
            try:
                return drive(call.task(get_config(), added))
            except GraphBubbleUp as raised:
                self._raised.append(raised)
                raise

        async def agated(*_: Any, **kwargs: Any) -> Any:
            added = {k: v for k, v in kwargs.items() if k not in given}
            try:
                return await adrive(call.task(get_config(), added))
            except GraphBubbleUp as raised:
                self._raised.append(raised)
                raise

        twin = functools.wraps(call.function)(agated if is_async(call.function) else gated)
        twin.__name__ = call.spec.name
        return twin

    # -- the end of the body -----------------------------------------------------------------------

    def wait(self) -> None:
        """See `Inside`."""
        seen = 0
        while seen < len(self._made):
            seen = len(self._made)
            concurrent.futures.wait(self._made)

    async def await_all(self) -> None:
        """See `Inside`."""
        seen = 0
        while seen < len(self._made):
            seen = len(self._made)
            waiting = [f if asyncio.isfuture(f) else asyncio.wrap_future(f) for f in self._made]
            await asyncio.gather(*waiting, return_exceptions=True)

    def end(self, raised: Exception | None = None) -> None:
        """See `Inside`. What ends the run comes before what parks it; parked calls park together."""
        for each in self._raised:
            if isinstance(each, Halt | Leaving):
                raise each
        parks = [e for e in self._raised if isinstance(e, GraphInterrupt) and _is_of_gate(e)]
        if not parks:
            return
        own = [raised] if isinstance(raised, GraphInterrupt) else []
        every = {i.id: i for park in (*parks, *own) for i in park.args[0]}
        raise GraphInterrupt(tuple(every.values()))


def _is_of_gate(raised: GraphInterrupt) -> bool:
    return any(is_gate(interrupt) for interrupt in raised.args[0])


def _equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # whatever an object of the user raises
        return False
