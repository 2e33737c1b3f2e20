"""Running what a gate asks its shell for: a step's body once, several tries at once, a critic.

Each exists twice, in a synchronous and an asynchronous form.
"""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand

from hitl.errors import ConfigurationError
from hitl.graph.asked import Asker
from hitl.graph.context import Current, running
from hitl.graph.lg import (
    Counter,
    StandingChannel,
    as_update,
    calling_with,
    collecting,
    isolate,
    isolate_rollout,
    surrounding,
    with_configurable,
)
from hitl.graph.task import Attempt, GateSpec, Inside, Ran, RunBody, turn_standing
from hitl.models import JsonObject
from hitl.ports import Transaction
from hitl.reliability import Standing

_MOST_THREADS = 16


@dataclass(frozen=True, slots=True)
class RunMany:
    """A request to run several tries at once; answered with what each did, or why it failed."""

    bodies: tuple[RunBody, ...]


@dataclass(frozen=True, slots=True)
class Opine:
    """A request to have a function look at a proposal; answered with a `Said`."""

    function: Callable[[JsonObject], Any]
    view: JsonObject
    current: Current


@dataclass(frozen=True, slots=True)
class Said:
    """What a function said about a proposal."""

    value: Any
    """What it returned, or the exception it raised."""
    seconds: float
    cost: float | None
    """As it reported."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A body that did not come to its end: a question, or a step inside it, waits for a person."""

    signal: GraphInterrupt


Asks = RunBody | RunMany | Opine | Callable[[Transaction], object]
"""What a gate asks its shell for."""


def first_body(attempt: Attempt, state: Any) -> tuple[RunBody, Counter]:
    """Return the attempt's body on `state`, and the counter of its native interrupts."""
    task = attempt.task
    used = task.session.answers_used(task.facts.task_id)
    config, asked = isolate(task.config, attempt.number, used, resumes=task.spec.resumes)
    if task.spec.is_graph:
        config = with_configurable(config, **task.inside())
    inside = task.spec.calls(attempt) if task.spec.calls is not None else None
    if inside is not None:
        config = inside.entered(config)
    here = replace(attempt.current(), asker=Asker(attempt, alone=True))
    return RunBody(state, config, here, inside), asked


def rollout_body(attempt: Attempt, rollout: int) -> RunBody:
    """Return the body of one more try: on its own copy of the input, in namespaces of its own."""
    task = attempt.task
    used = task.session.answers_used(task.facts.task_id)
    config = isolate_rollout(task.config, attempt.number, rollout, used)
    if task.spec.calls is not None:
        config = calling_with(config, _refuse_task)
    here = replace(attempt.current(rollout), asker=Asker(attempt, alone=False))
    return RunBody(deepcopy(task.state), config, here)


def _refuse_task(function: Any, *_: Any, **__: Any) -> Any:
    name = getattr(function, "__name__", "a task")
    raise ConfigurationError(
        f"Task {name!r} was called by one of several tries of a body: its result would reach another."
        " Nothing was committed. Put the checkpoint with tries on the task, not on what calls it."
    )


def perform(spec: GateSpec, ask: Asks) -> Any:
    """Do what a gate asks for, in this thread."""
    match ask:
        case RunBody():
            return _run(spec, ask)
        case RunMany():
            return _run_many(spec, ask.bodies)
        case Opine():
            return _said(ask)
        case _:
            return spec.wiring.store.write(ask)


async def aperform(spec: GateSpec, ask: Asks) -> Any:
    """Do what a gate asks for, in this event loop."""
    match ask:
        case RunBody():
            return await _arun(spec, ask)
        case RunMany():
            return await asyncio.gather(*(_atry(spec, body) for body in ask.bodies))
        case Opine():
            return await asyncio.to_thread(_said, ask)
        case _:
            return await asyncio.wrap_future(spec.wiring.store.submit(ask))


def _run_many(spec: GateSpec, bodies: tuple[RunBody, ...]) -> list[Ran | Exception]:
    if len(bodies) == 1:
        return [_try(spec, bodies[0])]
    with ThreadPoolExecutor(min(len(bodies), _MOST_THREADS)) as pool:
        here = [contextvars.copy_context() for _ in bodies]
        begun = [
            pool.submit(context.run, _try, spec, body)
            for context, body in zip(here, bodies, strict=True)
        ]
        return [each.result() for each in begun]


def _try(spec: GateSpec, body: RunBody) -> Ran | Exception:
    """Return what one more try did; that it failed is no reason to fail the step."""
    try:
        return _tried(_run(spec, body))
    except Exception as problem:
        return _survived(problem)


async def _atry(spec: GateSpec, body: RunBody) -> Ran | Exception:
    """See `_try`."""
    try:
        return _tried(await _arun(spec, body))
    except Exception as problem:
        return _survived(problem)


def _tried(done: Ran | Paused) -> Ran | Exception:
    return done.signal if isinstance(done, Paused) else done


def _survived(problem: Exception) -> Exception:
    """Return why a try failed; what must end the run goes on upwards."""
    if isinstance(problem, GraphBubbleUp) and not isinstance(problem, GraphInterrupt):
        raise problem
    return problem


def _said(ask: Opine) -> Said:
    """Return what a function said, or what it raised: an opinion that failed is one that is missing."""
    started = time.perf_counter()
    try:
        with running(ask.current):
            value = ask.function(deepcopy(ask.view))
    except Exception as problem:
        value = problem
    return Said(value, time.perf_counter() - started, ask.current.said.cost)


def _run(spec: GateSpec, ask: RunBody) -> Ran | Paused:
    sink: list[StandingChannel] = []
    started = time.perf_counter()
    try:
        with running(ask.current), collecting(sink), surrounding(ask.config), _ended(ask.inside):
            value, handed_off = spec.body.invoke(ask.state, ask.config), False
    except ParentCommand as handoff:
        value, handed_off = handoff.args[0], True
    except GraphInterrupt as signal:
        return Paused(signal)
    child = _child(spec, ask, sink)
    return Ran(as_update(value, spec.fields), handed_off, child, time.perf_counter() - started)


async def _arun(spec: GateSpec, ask: RunBody) -> Ran | Paused:
    sink: list[StandingChannel] = []
    started = time.perf_counter()
    try:
        with running(ask.current), collecting(sink), surrounding(ask.config):
            async with _aended(ask.inside):
                value, handed_off = await spec.body.ainvoke(ask.state, ask.config), False
    except ParentCommand as handoff:
        value, handed_off = handoff.args[0], True
    except GraphInterrupt as signal:
        return Paused(signal)
    child = _child(spec, ask, sink)
    return Ran(as_update(value, spec.fields), handed_off, child, time.perf_counter() - started)


@contextmanager
def _ended(inside: Inside | None) -> Iterator[None]:
    """End the tasks a body called when it ends; a no in one of them ends the body's own task too."""
    try:
        yield
    except Exception as problem:
        if inside is not None and isinstance(problem, GraphBubbleUp):
            inside.wait()
        if inside is not None:
            inside.end(problem)
        raise
    if inside is not None:
        inside.wait()
        inside.end()


@asynccontextmanager
async def _aended(inside: Inside | None) -> AsyncIterator[None]:
    """See `_ended`."""
    try:
        yield
    except Exception as problem:
        if inside is not None and isinstance(problem, GraphBubbleUp):
            await inside.await_all()
        if inside is not None:
            inside.end(problem)
        raise
    if inside is not None:
        await inside.await_all()
        inside.end()


def _child(spec: GateSpec, ask: RunBody, sink: list[StandingChannel]) -> Standing | None:
    if ask.inside is not None:
        return ask.inside.standing()
    if not (spec.is_graph and sink and sink[0].is_available()):
        return None
    kept = sink[0].get()
    return turn_standing(kept, kept.get("turn", 0)) if kept else None
