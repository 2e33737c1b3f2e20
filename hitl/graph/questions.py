"""LangGraph's own `interrupt()`: it becomes a review, and its answer reaches the right place.

An answer is handed over by interrupt id, only while that interrupt is pending, and the review is
marked as executed in the transaction that stores the answer in LangGraph's tables: handing the same
answer over again would answer the step's next question.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from langgraph.types import Interrupt, StateSnapshot
from pydantic import JsonValue

from hitl.audit import entry
from hitl.canonical import canonical_json, content_hash
from hitl.errors import ResumeRefused
from hitl.graph.blob import digest
from hitl.graph.presentation import fill
from hitl.graph.session import ASKER, Session, executed
from hitl.graph.signals import StopRun, no_sentence
from hitl.graph.view import view_of
from hitl.ids import new_id
from hitl.lifecycle import moved
from hitl.models import (
    GateRow,
    JsonObject,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    RemedyKind,
    Review,
    ReviewStatus,
    RungOffer,
    StepName,
    StoredProposal,
    TriggerFired,
    Verdict,
)
from hitl.ports import Reader, Transaction
from hitl.reviews import open_review, proposal_hash

QUESTION_TYPE = "question"
_RUNGS = (
    RungOffer(kind=RemedyKind.ANSWER, label="Answer no, or in your own words"),
    RungOffer(kind=RemedyKind.STOP, label="Stop the run"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One pending native interrupt."""

    interrupt: Interrupt
    task_id: str
    path: str


def pending(snapshot: StateSnapshot, prefix: str = "") -> Iterator[Asked]:
    """Yield the pending native interrupts of a run, each with the task that raised it."""
    for task in snapshot.tasks:
        if task.result is not None:
            continue
        inner = task.state if isinstance(task.state, StateSnapshot) else None
        deeper = list(pending(inner, f"{prefix}{task.name}/")) if inner is not None else []
        known = {a.interrupt.id for a in deeper}
        yield from deeper
        for interrupt in task.interrupts:
            if interrupt.id not in known and not is_gate(interrupt):
                yield Asked(interrupt, task.id, prefix + task.name)


def is_gate(interrupt: Interrupt) -> bool:
    """Return whether this is the park signal of one of our gates, or of `hitl.ask`."""
    value = interrupt.value
    return isinstance(value, dict) and value.get("hitl") in ("review", "ask")


def open_questions(t: Transaction, session: Session, asked: list[Asked]) -> None:
    """Open a review for each pending native interrupt that has none."""
    now = session.wiring.clock()
    for question in asked:
        open_review(t, *_review(session, question), now=now)


def answers(reader: Reader, session: Session, asked: list[Asked]) -> dict[str, Any]:
    """Return the resume map of the decided questions that are still pending.

    The session is told which reviews each task's answers belong to.

    Raises:
        StopRun: One of them was answered by stopping the run.
    """
    found: dict[str, Any] = {}
    for question in asked:
        stored = reader.proposal(_key(session, question))
        if stored is None or stored.settled:
            continue
        review = reader.review(stored.review_id)
        decision = review.decision
        if decision is None:
            continue
        if decision.remedy is RemedyKind.STOP:
            raise StopRun(review.id, no_sentence(review))
        yes = decision.verdict is Verdict.APPROVE
        found[question.interrupt.id] = decision.answer if decision.has_answer else yes
        session.delivering.setdefault(question.task_id, []).append(review.id)
    return found


def settle_answered(t: Transaction, session: Session, asked: list[Asked]) -> None:
    """Mark the answers as delivered that were given and whose questions are gone.

    A later attempt of a child graph runs where LangGraph's snapshots do not show it: its question is
    known by the task of the child graph, the answer is stored with the task that asked.
    """
    pending_now = {_key(session, question) for question in asked}
    for stored in t.open_proposals(session.run.id):
        native = stored.key.place is Place.QUESTION and ASKER not in stored.meta
        gone = native and stored.key not in pending_now
        if gone and t.review(stored.review_id).decision is not None:
            executed(stored.review_id)(t)


def close_answered(t: Transaction, session: Session, asked: list[Asked], *, now: datetime) -> None:
    """Close the reviews of questions that a caller answers with `Command(resume=...)`.

    Raises:
        ResumeRefused: Somebody answered one of them already; that answer stands.
    """
    for question in asked:
        stored = t.proposal(_key(session, question))
        if stored is None or stored.settled:
            continue
        review = t.review(stored.review_id)
        if review.decision is not None:
            raise ResumeRefused(
                f"The question of step {review.name.step!r} was decided by {review.decision.by}, and"
                " the first decision stands. Nothing was run. Go on with `app.invoke(None, ...)`."
            )
        t.settle_proposal(stored.key)
        if review.status is ReviewStatus.PENDING:
            _answered_elsewhere(t, review, now=now)


def _answered_elsewhere(t: Transaction, review: Review, *, now: datetime) -> None:
    reason = "It was answered with `Command(resume=...)`."
    t.set_review(moved(review, ReviewStatus.SUPERSEDED, reason=reason))
    body = entry(
        "review.superseded",
        at=now,
        actor="caller",
        run_id=review.run_id,
        subject=review.id,
        reason=reason,
    )
    t.append_audit(review.run_id, body)


def _key(session: Session, question: Asked) -> ProposalKey:
    """Questions of one task are told apart by the interrupt's id, kept as the key's task."""
    return ProposalKey(
        run_id=session.run.id,
        task_id=f"{question.task_id}:{question.interrupt.id}",
        place=Place.QUESTION,
        attempt=1,
    )


def _review(session: Session, question: Asked) -> tuple[Review, StoredProposal, GateRow]:
    wiring, now = session.wiring, session.wiring.clock()
    shown, elided = view_of(question.interrupt.value)
    arguments: JsonObject = {"question": shown}
    name = StepName(
        step=question.path,
        place=Place.QUESTION,
        visit=session.visit(question.path, Place.QUESTION, question.task_id),
    )
    blob = canonical_json(arguments)
    review_id, gate_id = new_id("rev", now), new_id("gate", now)
    proposal = Proposal(
        action="answer",
        arguments=arguments,
        target=f"{wiring.workflow}:{question.path}",
        policy_hash=wiring.policy_hash,
        review_id=review_id,
        blob_sha256=digest(blob),
        elided=elided,
    )
    hashed = proposal_hash(proposal)
    review = Review(
        id=review_id,
        run_id=session.run.id,
        workflow=wiring.workflow,
        workflow_version=wiring.version,
        policy_name=wiring.policy.name,
        policy_version=wiring.policy.version,
        name=name,
        attempt=1,
        task_id=question.task_id,
        proposal=proposal,
        proposal_hash=hashed,
        presentation=_presentation(question, shown),
        rungs=_RUNGS,
        opened_at=now,
        initiator=session.run.initiator,
        interrupt_id=question.interrupt.id,
    )
    stored = StoredProposal(
        key=_key(session, question),
        name=name,
        review_id=review_id,
        gate_id=gate_id,
        blob_type=QUESTION_TYPE,
        blob=blob,
        proposal_hash=hashed,
        meta={"interrupt": question.interrupt.id},
    )
    return review, stored, _row(session, question, name, gate_id)


def _presentation(question: Asked, shown: JsonValue) -> Presentation:
    schema = question.interrupt.response_schema
    return Presentation(
        title=_title(question.path, shown),
        why=(f"Step {question.path!r} asks a question.",),
        if_approved="Your answer, or a plain yes, goes to the step.",
        if_denied="A plain no, or your own words, goes to the step.",
        answer_schema=schema if isinstance(schema, dict) else {"title": "Answer"},
    )


def _title(path: str, shown: JsonValue) -> str:
    if isinstance(shown, str) and shown.strip():
        return shown.strip()[:200]
    if isinstance(shown, dict):
        for key in ("question", "title", "description", "message", "prompt"):
            if isinstance(shown.get(key), str):
                return fill("{text}", {"text": shown[key]})[:200]
    return f"Step {path!r} asks for an answer"


def _row(session: Session, question: Asked, name: StepName, gate_id: str) -> GateRow:
    wiring, run = session.wiring, session.run
    return GateRow(
        id=gate_id,
        run_id=run.id,
        turn=run.turn,
        run_key=run.id,
        workflow=wiring.workflow,
        workflow_version=wiring.version,
        name=name,
        branch=run.branch,
        step_index=-1,
        checkpoint_id=question.task_id,
        task_id=question.task_id,
        ts=wiring.clock(),
        policy_hash=wiring.policy_hash,
        policy_name=wiring.policy.name,
        policy_version=wiring.policy.version,
        action="ask",
        triggers=(TriggerFired(kind="always", sentence="The step asks a question."),),
        propensity_ask=1.0,
        propensity_label=1.0,
        audit_stratum=f"{wiring.policy.name}/{question.path}/question",
        summary=content_hash({"question": question.interrupt.id})[:12],
    )
