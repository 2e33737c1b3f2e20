"""The gate of one step: run the body, withhold its result where the policy says so, commit a yes.

The protocol is a generator that asks its shell to run the body or to do work in the store, so that
it exists once; `gated_node` wraps it in a synchronous and an asynchronous shell.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import ParentCommand

from hitl.graph.ask import question
from hitl.graph.assess import Assessment, assess
from hitl.graph.context import running
from hitl.graph.inside import undo_denied
from hitl.graph.lg import (
    StandingChannel,
    as_update,
    callable_node,
    collecting,
    isolate,
    park,
    park_id,
    surrounding,
    with_configurable,
    write_channel,
)
from hitl.graph.session import Staged
from hitl.graph.settle import (
    Settled,
    after_no,
    answered,
    approved,
    passed,
    standing_review,
    withheld,
)
from hitl.graph.signals import StopRun
from hitl.graph.task import Attempt, GatedTask, GateSpec, Ran, RunBody, turn_standing
from hitl.graph.view import view_of_writes
from hitl.models import Place, Review, Verdict
from hitl.policy import Escalate
from hitl.ports import Transaction
from hitl.reliability import both

Asks = RunBody | Callable[[Transaction], object]
"""What a gate asks its shell for."""

Protocol = Generator[Asks, Any, Any]


def gate_steps(spec: GateSpec, state: Any, config: RunnableConfig) -> Protocol:
    """Yield what the shell must do for one task; return what the node's writers commit."""
    task = GatedTask(spec, config, state)
    task.session.forget(task.facts.task_id)
    if task.session.stop_sentence:
        raise StopRun("", task.session.stop_sentence)
    before: Settled | None = None
    if spec.before:
        before = yield from _before(task)
        if before.is_answer:
            return _commit(task, [before])
        task.state = before.value
        # Written as well when the step fails and its error handler acts: an effect may have happened.
        task.session.stage(task.facts.task_id, Staged(task.facts.checkpoint_ns, before.work))
    if spec.after:
        after = yield from _after(task)
        return _commit(task, [after] if before is None else [before.without_write(), after])
    ask, _ = _body(Attempt.of(task, Place.BEFORE))
    ran = task.with_handoff((yield ask))
    assert before is not None  # noqa: S101 - a gated step has a gate
    return _commit(task, [before.with_result(ran, ask.current.said.cost)])


def _before(task: GatedTask) -> Generator[Asks, Any, Settled]:
    """Gate a step that has not run: what is withheld is its input."""
    attempt = Attempt.of(task, Place.BEFORE)
    shown = task.shown
    if attempt.withheld is None:
        found = assess(attempt, *shown)
        if not isinstance(found.verdict, Escalate) or task.session.wiring.shadow:
            return passed(attempt, found, Ran(task.state))
        yield from _withhold(attempt, found, Ran(task.state), answers=0)
    return _decided(attempt)


def _after(task: GatedTask) -> Generator[Asks, Any, Settled]:
    """Gate a step that ran: what is withheld is what it returned."""
    attempt = Attempt.of(task, Place.AFTER)
    if attempt.withheld is None:
        if undo := undo_denied(attempt):
            yield undo
        ask, asked = _body(attempt)
        ran = task.with_handoff((yield ask))
        found = assess(attempt, *view_of_writes(ran.value), ran=ran, said=ask.current.said)
        if not isinstance(found.verdict, Escalate) or task.session.wiring.shadow:
            return passed(attempt, found, ran)
        yield from _withhold(attempt, found, ran, answers=asked.next)
    return _decided(attempt)


def _withhold(attempt: Attempt, found: Assessment, ran: Ran, *, answers: int) -> Protocol:
    """Put the proposal before a person, whoever opened the review first."""
    session = attempt.task.session
    opened = question(attempt, found, ran.value, answers=answers, handed_off=ran.handed_off)
    yield withheld(attempt, opened, ran.work)
    stored = session.wiring.store.read(lambda r: r.proposal(attempt.key))
    assert stored is not None  # noqa: S101 - just written
    session.keep(stored)


def _decided(attempt: Attempt) -> Settled:
    """Follow the decision on a withheld proposal; park while there is none."""
    stored, review = standing_review(attempt)
    if review.decision is None:
        _park(review)
    assert review.decision is not None  # noqa: S101 - parked otherwise
    if review.decision.verdict is Verdict.APPROVE:
        return approved(attempt, stored, review)
    return answered(attempt, stored, review, after_no(attempt, stored, review))


def _park(review: Review) -> None:
    shown = {
        "hitl": "review",
        "review_id": review.id,
        "step": review.name.step,
        "attempt": review.attempt,
        "title": review.presentation.title,
    }
    raise park(park_id(review.id), shown)


def _body(attempt: Attempt) -> tuple[RunBody, Any]:
    task = attempt.task
    used = task.session.answers_used(task.facts.task_id)
    config, asked = isolate(task.config, attempt.number, used, resumes=task.spec.resumes)
    if task.spec.is_graph:
        config = with_configurable(config, **task.inside())
    return RunBody(task.state, config, attempt.current()), asked


def _commit(task: GatedTask, settled: list[Settled]) -> Any:
    """Stage what belongs to the commit, write the standing, and return the value to the writers."""
    last, facts, session = settled[-1], task.facts, task.session
    writes = [s.write for s in settled if s.write is not None]
    work = tuple(w for s in settled for w in s.work)
    total = writes[0]
    for write in writes[1:]:
        total = both(total, write)
    session.stage(facts.task_id, Staged(facts.checkpoint_ns, work, total))
    write_channel(task.config, {"turn": session.run.turn, "write": total.dump()})
    if last.handed_off:
        raise ParentCommand(last.value)
    return last.value


# -- the shells: everything above exists once, these two have a colour ----------------------------


def gated_node(spec: GateSpec) -> Runnable[Any, Any]:
    """Return the runnable that stands where the step's body stood."""

    def gated(state: Any, config: RunnableConfig) -> Any:
        protocol = gate_steps(spec, state, config)
        reply: Any = None
        while True:
            try:
                ask = protocol.send(reply)
            except StopIteration as end:
                return end.value
            reply = _run(spec, ask) if isinstance(ask, RunBody) else spec.wiring.store.write(ask)

    async def agated(state: Any, config: RunnableConfig) -> Any:
        protocol = gate_steps(spec, state, config)
        reply: Any = None
        while True:
            try:
                ask = protocol.send(reply)
            except StopIteration as end:
                return end.value
            if isinstance(ask, RunBody):
                reply = await _arun(spec, ask)
            else:
                reply = await asyncio.wrap_future(spec.wiring.store.submit(ask))

    return callable_node(spec.body, spec.name, gated, agated)


def _run(spec: GateSpec, ask: RunBody) -> Ran:
    sink: list[StandingChannel] = []
    started = time.perf_counter()
    try:
        with running(ask.current), collecting(sink), surrounding(ask.config):
            value, handed_off = spec.body.invoke(ask.state, ask.config), False
    except ParentCommand as handoff:
        value, handed_off = handoff.args[0], True
    return _ran(spec, value, handed_off=handed_off, sink=sink, started=started)


async def _arun(spec: GateSpec, ask: RunBody) -> Ran:
    sink: list[StandingChannel] = []
    started = time.perf_counter()
    try:
        with running(ask.current), collecting(sink), surrounding(ask.config):
            value, handed_off = await spec.body.ainvoke(ask.state, ask.config), False
    except ParentCommand as handoff:
        value, handed_off = handoff.args[0], True
    return _ran(spec, value, handed_off=handed_off, sink=sink, started=started)


def _ran(
    spec: GateSpec, value: Any, *, handed_off: bool, sink: list[StandingChannel], started: float
) -> Ran:
    child = None
    if spec.is_graph and sink and sink[0].is_available():
        kept = sink[0].get()
        child = turn_standing(kept, kept.get("turn", 0)) if kept else None
    return Ran(as_update(value, spec.fields), handed_off, child, time.perf_counter() - started)
