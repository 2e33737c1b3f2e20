"""What the timeline of a run shows. Pure: a timeline in, lines out, newest first."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hitl.models import AuditEvent, GateRow, Place, RemedyKind, Review, ReviewStatus, Verdict
from hitl.reviews import RunTimeline, TimelineStep
from review_ui import phrases
from review_ui.charts import Curve
from review_ui.curves import curve_of
from review_ui.queue_views import RunRow, run_row
from review_ui.review_views import SignalLine, signal_line
from review_ui.verdict_views import verdict_words

MOST_LINES = 500
"""Steps on one page; the newest ones of a longer run."""
MOST_EVENTS = 500

_PLACES = {Place.AFTER: "", Place.BEFORE: "before it ran", Place.QUESTION: "question"}


@dataclass(frozen=True, slots=True)
class Line:
    """One gate evaluation."""

    id: str
    number: int
    step: str
    place: str
    attempt: int
    summary: str
    p: str
    basis: str
    reliability: str
    state: str
    """`passed`, `verified`, `waiting`, `denied`, `undone`, `withheld`."""
    state_words: str
    when: str
    why: tuple[str, ...]
    signals: tuple[SignalLine, ...]
    review_id: str | None
    decision: str
    by: str
    reasons: tuple[str, ...]
    note: str
    reset: str
    spot_check: str
    seconds: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of the trail."""

    seq: int
    when: str
    action: str
    actor: str
    subject: str
    rest: str
    hash: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything the page of one run shows. Agent text is untrusted; templates filter it."""

    run: RunRow
    version: str
    turn: int
    initiator: str
    notes: tuple[str, ...]
    lasted: str
    steps: int
    verified: int
    denied: int
    waiting: tuple[Review, ...]
    curve: Curve
    lines: tuple[Line, ...]
    left_out: int
    events: tuple[EventLine, ...]
    events_left_out: int


def run_page(timeline: RunTimeline, *, now: datetime) -> RunPage:
    """Return the page of a run."""
    run = timeline.run
    lines = tuple(_lines(timeline))
    decisions = [r.decision for r in timeline.reviews if r.decision is not None]
    return RunPage(
        run=run_row(run, now),
        version=run.workflow_version,
        turn=run.turn,
        initiator=run.initiator or "",
        notes=run.notes,
        lasted=phrases.duration(run.updated_at - run.created_at),
        steps=sum(step.is_live for step in timeline.steps),
        verified=sum(step.gate.verified and step.is_live for step in timeline.steps),
        denied=sum(d.verdict is Verdict.DENY for d in decisions),
        waiting=tuple(
            r for r in timeline.reviews if r.status is ReviewStatus.PENDING and r.blocking
        ),
        curve=curve_of(timeline),
        lines=lines[:MOST_LINES],
        left_out=max(0, len(lines) - MOST_LINES),
        events=tuple(_event(e) for e in timeline.events[-MOST_EVENTS:]),
        events_left_out=max(0, len(timeline.events) - MOST_EVENTS),
    )


def _lines(timeline: RunTimeline) -> Iterator[Line]:
    for number in range(len(timeline.steps), 0, -1):
        yield _line(timeline.steps[number - 1], number)


def _line(step: TimelineStep, number: int) -> Line:
    gate, review = step.gate, step.review
    state = _state(step)
    decision = review.decision if review else None
    return Line(
        id=gate.id,
        number=number,
        step=gate.name.step,
        place=_PLACES[gate.name.place],
        attempt=gate.attempt,
        summary=gate.summary,
        p="" if gate.is_of_the_end else phrases.probability(gate.p),
        basis=phrases.rests_on_short(gate.confidence_kind),
        reliability=phrases.probability(gate.reliability_after) if step.is_live else "",
        state=state,
        state_words=_words(step, state),
        when=phrases.moment(gate.committed_at or gate.ts),
        why=tuple(t.sentence for t in gate.triggers),
        signals=tuple(signal_line(s) for s in gate.signals),
        review_id=review.id if review else None,
        decision=verdict_words(decision) if decision else "",
        by=f"{decision.by}, {phrases.moment(decision.decided_at)}" if decision else "",
        reasons=decision.reasons if decision else (),
        note=decision.note if decision else "",
        reset=_reset(gate, review) if state == "verified" else "",
        spot_check=_spot_check(step),
        seconds=f"{gate.step_seconds:.1f} s" if gate.step_seconds is not None else "",
    )


def _state(step: TimelineStep) -> str:
    gate, review = step.gate, step.review
    if gate.undone_at is not None:
        return "undone"
    if step.is_live:
        return "verified" if gate.verified else "passed"
    if review is None or not review.blocking:
        return "withheld"
    if review.status is ReviewStatus.PENDING:
        return "waiting"
    decision = review.decision
    return "denied" if decision is not None and decision.verdict is Verdict.DENY else "withheld"


def _words(step: TimelineStep, state: str) -> str:
    decision = step.review.decision if step.review else None
    answered = decision is not None and decision.has_answer
    if step.gate.name.place is Place.QUESTION and state in ("withheld", "denied"):
        if answered:
            return "Answered"
        if decision is not None and decision.remedy is RemedyKind.JUDGEMENT:
            return "Left to the step"
    return {
        "undone": "Undone by a rollback",
        "verified": "A person's answer" if answered else "A person said yes",
        "passed": "Passed, nobody looked",
        "waiting": "Waits for a person",
        "denied": "Denied",
        "withheld": "Not committed",
    }[state]


def _reset(gate: GateRow, review: Review | None) -> str:
    basis = review.presentation.reset_basis if review else "assumed"
    return f"{phrases.probability(gate.reliability_after)}, {basis}"


def _spot_check(step: TimelineStep) -> str:
    if not step.gate.spot_check:
        return ""
    decision = step.review.decision if step.review else None
    if decision is None:
        return "Spot check, not looked at yet"
    right = decision.verdict is Verdict.APPROVE
    return f"Spot check: {'right' if right else 'wrong'}, says {decision.by}"


def _event(event: AuditEvent) -> EventLine:
    body = event.told
    known = {"at", "actor", "action", "run_id", "subject", "salt", "personal_sha256"}
    rest = {k: v for k, v in body.items() if k not in known and v not in (None, [], "")}
    return EventLine(
        seq=event.chain_seq,
        when=phrases.moment(datetime.fromisoformat(str(body["at"]))) if "at" in body else "",
        action=str(body.get("action", "")),
        actor=str(body.get("actor", "")),
        subject=str(body.get("subject", "")),
        rest=json.dumps(rest, ensure_ascii=False) if rest else "",
        hash=event.hash[:12],
    )
