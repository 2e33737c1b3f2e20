"""The gate of one step: run the body, withhold its result where the policy says so, commit a yes.

The protocol is a generator that asks its shell to run the body or to do work in the store, so that
it exists once; `drive` and `adrive` are its synchronous and asynchronous shells.
"""

from collections.abc import Generator
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import ParentCommand

from hitl.failpoints import reach
from hitl.graph.ask import question
from hitl.graph.assess import assess
from hitl.graph.bodies import Asks, aperform, first_body, perform
from hitl.graph.context import Report
from hitl.graph.doubt import Picked, first_try, in_doubt, input_for
from hitl.graph.inside import undo_denied
from hitl.graph.lg import (
    callable_node,
    park,
    park_id,
    write_channel,
)
from hitl.graph.pausing import has_asked, to_its_end
from hitl.graph.rollouts import rollouts, shots
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
from hitl.graph.task import Attempt, GatedTask, GateSpec, Ran
from hitl.graph.view import view_of_writes
from hitl.models import Place, Review, Verdict
from hitl.policy import Escalate
from hitl.reliability import both

Protocol = Generator[Asks, Any, Any]


def gate_steps(task: GatedTask) -> Protocol:
    """Yield what the shell must do for one task; return what the node's writers commit."""
    spec = task.spec
    task.session.forget(task.commits_as)
    if task.session.stop_sentence:
        raise StopRun("", task.session.stop_sentence)
    before: Settled | None = None
    if spec.before:
        before = yield from _before(task)
        if before.is_answer:
            return _commit(task, [before])
        task.state = before.value
        # Written as well when the step fails and its error handler acts: an effect may have happened.
        task.session.stage(task.commits_as, Staged(task.facts.checkpoint_ns, before.work))
        reach("effect.before_call")
    if spec.after:
        after = yield from _after(task)
        return _commit(task, [after] if before is None else [before.without_write(), after])
    ask, _ = first_body(Attempt.of(task, Place.BEFORE), task.state)
    ran = task.with_handoff((yield from to_its_end(ask)))
    assert before is not None  # noqa: S101 - a gated step has a gate
    reach("effect.after_call_before_record")
    return _commit(task, [before.with_result(ran, ask.current.said.cost)])


def _before(task: GatedTask) -> Generator[Asks, Any, Settled]:
    """Gate a step that has not run: what is withheld is its input."""
    attempt = Attempt.of(task, Place.BEFORE)
    shown = task.shown
    if attempt.withheld is None:
        first = first_try(Ran(task.state), Report(), shown)
        picked = yield from in_doubt(attempt, first, assess(attempt, *shown))
        if not isinstance(picked.found.verdict, Escalate) or task.session.wiring.shadow:
            return passed(attempt, picked.found, picked.ran)
        yield from _withhold(attempt, picked, answers=0)
    return _decided(attempt)


def _after(task: GatedTask) -> Generator[Asks, Any, Settled]:
    """Gate a step that ran: what is withheld is what it returned."""
    attempt = Attempt.of(task, Place.AFTER)
    if attempt.withheld is None:
        if undo := undo_denied(attempt):
            yield undo
        answers = task.session.answers_used(task.facts.task_id)
        count = rollouts(attempt)
        if count > 1:
            picked = yield from shots(attempt, count)
        else:
            picked, answers = yield from _single(attempt, answers)
        if not isinstance(picked.found.verdict, Escalate) or task.session.wiring.shadow:
            return passed(attempt, picked.found, picked.ran)
        yield from _withhold(attempt, picked, answers=answers)
    return _decided(attempt)


def _single(attempt: Attempt, answers: int) -> Generator[Asks, Any, tuple[Picked, int]]:
    """Run the body, again where it is in doubt; return what came of it, and the answers it used."""
    ask, asked = first_body(attempt, input_for(attempt))
    ran = attempt.task.with_handoff((yield from to_its_end(ask)))
    if attempt.task.spec.before:
        reach("effect.after_call_before_record")
    view, said = view_of_writes(ran.value), ask.current.said
    found = assess(attempt, *view, ran=ran, said=said)
    first = first_try(ran, said, view)
    picked = yield from in_doubt(attempt, first, found, asks=has_asked(ask) or asked.next > answers)
    return picked, asked.next


def _withhold(attempt: Attempt, picked: Picked, *, answers: int) -> Protocol:
    """Put the proposal before a person, whoever opened the review first."""
    session = attempt.task.session
    yield withheld(attempt, question(attempt, picked, answers=answers), picked.ran.work)
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


def _commit(task: GatedTask, settled: list[Settled]) -> Any:
    """Stage what belongs to the commit, write the standing, and return the value to the writers."""
    last, facts, session = settled[-1], task.facts, task.session
    writes = [s.write for s in settled if s.write is not None]
    work = tuple(w for s in settled for w in s.work)
    total = writes[0]
    for write in writes[1:]:
        total = both(total, write)
    session.stage(task.commits_as, Staged(facts.checkpoint_ns, work, total))
    write_channel(task.config, task.written(total))
    if last.handed_off:
        raise ParentCommand(last.value)
    return last.value


# -- the shells: everything above exists once, these two have a colour ----------------------------


def gated_node(spec: GateSpec) -> Runnable[Any, Any]:
    """Return the runnable that stands where the step's body stood."""

    def gated(state: Any, config: RunnableConfig) -> Any:
        return drive(GatedTask(spec, config, state))

    async def agated(state: Any, config: RunnableConfig) -> Any:
        return await adrive(GatedTask(spec, config, state))

    return callable_node(spec.body, spec.name, gated, agated)


def drive(task: GatedTask) -> Any:
    """Take a task through its gates in this thread; return what is committed."""
    protocol = gate_steps(task)
    reply: Any = None
    while True:
        try:
            ask = protocol.send(reply)
        except StopIteration as end:
            return end.value
        reply = perform(task.spec, ask)


async def adrive(task: GatedTask) -> Any:
    """See `drive`, in this event loop."""
    protocol = gate_steps(task)
    reply: Any = None
    while True:
        try:
            ask = protocol.send(reply)
        except StopIteration as end:
            return end.value
        reply = await aperform(task.spec, ask)
