"""Facts the page tests start from: records with defaults, put into a real store."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from hitl.canonical import sha256_hex
from hitl.models import (
    ConfidenceKind,
    Covers,
    Evidence,
    FieldChange,
    GateRow,
    JsonObject,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    Question,
    RemedyKind,
    Review,
    RungOffer,
    RunRecord,
    Signal,
    StepName,
    StoredProposal,
    TriggerFired,
    Vouched,
    Workspace,
)
from hitl.ports import Store, Transaction
from hitl.reviews import ReviewQueue, open_review, proposal_hash

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BLOB = b"the bytes that were shown"
AMOUNT: JsonObject = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}},
    "required": ["amount"],
    "additionalProperties": False,
}
WORK = Workspace(
    answer_schema={
        "type": "object",
        "properties": {
            "amount": {"title": "Amount", "type": "number", "default": None},
            "payee": {"title": "Payee", "type": "string", "default": None},
            "log": {"title": "Log", "type": "array", "items": {"type": "string"}, "default": None},
        },
        "additionalProperties": False,
        "title": "Answer",
    },
    values={"payee": "Alba Components", "log": ["read"]},
    appends=("log",),
    missing=("amount",),
)
RUNGS = (
    RungOffer(kind=RemedyKind.RETRY, label="Retry, 2 left"),
    RungOffer(kind=RemedyKind.ANSWER, label="I give the answer"),
    RungOffer(kind=RemedyKind.ROLLBACK, label="Back to the last verified point"),
    RungOffer(kind=RemedyKind.TAKEOVER, label="I take over"),
    RungOffer(kind=RemedyKind.STOP, label="Stop the run"),
)


def png(width: int = 220, height: int = 120) -> bytes:
    """Return a small picture: a dark seven on light paper."""

    def ink(x: int, y: int) -> bool:
        top = height * 0.2 < y < height * 0.3 and width * 0.3 < x < width * 0.7
        leg = (
            height * 0.2 < y < height * 0.85 and abs(x - width * 0.7 + (y - height * 0.2) * 0.5) < 7
        )
        return top or leg

    rows = b"".join(
        b"\0" + bytes(40 if ink(x, y) else 246 for x in range(width)) for y in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def make_run(run_id: str = "run_1", **changes: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "id": run_id,
        "workflow": "cheque-desk",
        "workflow_version": "1",
        "policy_hash": "p" * 64,
        "status": "waiting",
        "created_at": NOON - timedelta(minutes=18),
        "updated_at": NOON,
    }
    return RunRecord(**(facts | changes))


def make_presentation(**changes: Any) -> Presentation:
    facts: dict[str, Any] = {
        "title": "Read the amount as 1,207.40",
        "why": ("Confidence 0.71 is below 0.90.", "Reliability 0.56 is below 0.70."),
        "if_approved": "The amount goes to the payer.",
        "if_denied": "Nothing is paid; the reader tries again.",
        "reasons": ("Wrong digit", "Wrong payee", "Unreadable"),
        "changes": (
            FieldChange(field="amount", before=None, after=1207.4),
            FieldChange(field="payee", before="Alba Components", after="Alba Components SRL"),
        ),
        "evidence": (
            Evidence(
                claim="The fourth box reads 7",
                quote="Softmax puts .71 on 7 and .27 on 1.",
                source="reader, digit 4",
                image_png=png(),
            ),
        ),
        "signals": (
            Signal(name="Control total", kind="trusted", passed=True, detail="4 boxes, sum 14"),
            Signal(name="Payee list", kind="trusted", passed=False),
            Signal(name="Judge", kind="noisy", score=0.83, detail="calibrated on 120 answers"),
        ),
        "covers": Covers.SINCE_RESET,
        "vouched": (
            Vouched(gate_id="gate_b", step="read_digit", p=0.95, summary="digit 2 is 2"),
            Vouched(gate_id="gate_c", step="read_digit", p=0.83, summary="digit 3 is 0"),
        ),
        "confidence": 0.71,
        "confidence_kind": ConfidenceKind.CALIBRATED,
        "reliability_before": 0.7885,
        "reliability_now": 0.5598,
        "reliability_floor": 0.70,
        "answer_schema": AMOUNT,
        "workspace": WORK,
    }
    return Presentation(**(facts | changes))


def make_review(
    review_id: str = "rev_1",
    *,
    run_id: str = "run_1",
    place: Place = Place.AFTER,
    step: str = "read_digit",
    visit: int = 4,
    arguments: JsonObject | None = None,
    presentation: Presentation | None = None,
    **changes: Any,
) -> Review:
    proposal = Proposal(
        action=step,
        arguments=arguments or {"update": {"amount": 1207.4, "payee": "Alba Components SRL"}},
        target=f"cheque-desk:{step}",
        policy_hash="p" * 64,
        review_id=review_id,
        blob_sha256=sha256_hex(BLOB),
    )
    facts: dict[str, Any] = {
        "id": review_id,
        "run_id": run_id,
        "workflow": "cheque-desk",
        "workflow_version": "1",
        "policy_name": "cheques",
        "policy_version": "7",
        "name": StepName(step=step, place=place, visit=visit),
        "attempt": 1,
        "task_id": f"task_{review_id}",
        "proposal": proposal,
        "proposal_hash": proposal_hash(proposal),
        "presentation": presentation or make_presentation(),
        "rungs": RUNGS,
        "opened_at": NOON - timedelta(minutes=2),
        "due_at": NOON + timedelta(minutes=24),
        "initiator": "ina",
    }
    return Review(**(facts | changes))


def make_question(review_id: str = "rev_1", *, visit: int = 4, **shown: Any) -> Review:
    """Return a question of `hitl.ask`; which of two payees is meant, unless `shown` says else."""
    text = "Which Alba is meant?"
    schema: JsonObject = {"title": "Answer", "enum": ["Alba & Sons", "Alba GmbH"]}
    facts = {"title": text, "answer_schema": schema, "changes": (), "vouched": ()} | shown
    return make_review(
        review_id,
        place=Place.QUESTION,
        step="read_payee",
        visit=visit,
        arguments={"question": text, "options": ["Alba & Sons", "Alba GmbH"]},
        presentation=make_presentation(**facts),
        rungs=(
            RungOffer(kind=RemedyKind.JUDGEMENT, label="Use your judgement"),
            RungOffer(kind=RemedyKind.STOP, label="Stop the run"),
        ),
        question=Question(text=text, index=0, sha256="q" * 64),
    )


def make_gate(gate_id: str, *, step: str = "read_digit", visit: int = 1, **changes: Any) -> GateRow:
    at = NOON - timedelta(minutes=10) + timedelta(minutes=visit)
    facts: dict[str, Any] = {
        "id": gate_id,
        "run_id": "run_1",
        "run_key": "run_1",
        "workflow": "cheque-desk",
        "workflow_version": "1",
        "name": StepName(step=step, place=Place.AFTER, visit=visit),
        "step_index": visit,
        "checkpoint_id": "snapshot_1",
        "task_id": f"task_{gate_id}",
        "ts": at,
        "confidence_kind": ConfidenceKind.CALIBRATED,
        "policy_hash": "p" * 64,
        "policy_name": "cheques",
        "policy_version": "7",
        "action": "act",
        "propensity_ask": 0.0,
        "propensity_label": 0.02,
        "committed_at": at,
        "step_seconds": 0.4,
    }
    return GateRow(**(facts | changes))


def gate_of(review: Review, **changes: Any) -> GateRow:
    """Return the gate row that opened `review`."""
    shown = review.presentation
    facts: dict[str, Any] = {
        "run_id": review.run_id,
        "run_key": review.run_id,
        "review_id": review.id,
        "name": review.name,
        "attempt": review.attempt,
        "step_index": review.name.visit,
        "p": shown.confidence,
        "reliability_before": shown.reliability_before,
        "reliability_after": shown.reliability_now,
        "action": "ask" if review.blocking else "act",
        "triggers": tuple(
            TriggerFired(kind="reliability", sentence=s, threshold=shown.reliability_floor)
            for s in shown.why
        ),
        "propensity_ask": 1.0 if review.blocking else 0.0,
        "committed_at": None if review.blocking else NOON,
        "spot_check": not review.blocking,
        "covers": shown.covers,
        "summary": shown.title,
        "ts": NOON,
    }
    return make_gate(f"gate_{review.id}", visit=review.name.visit).model_copy(
        update=facts | changes
    )


def ledger_entry(review: Review) -> StoredProposal:
    """Return the withheld proposal of `review`."""
    return StoredProposal(
        key=ProposalKey(
            run_id=review.run_id,
            task_id=review.task_id,
            place=review.name.place,
            attempt=review.attempt,
        ),
        name=review.name,
        review_id=review.id,
        gate_id=f"gate_{review.id}",
        blob_type="msgpack",
        blob=BLOB,
        proposal_hash=review.proposal_hash,
        meta={},
    )


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass(frozen=True, slots=True)
class Desk:
    """A store, the clock of its queue, and the queue."""

    store: Store
    clock: Callable[[], datetime]
    queue: ReviewQueue

    def open(self, *reviews: Review) -> None:
        """Put reviews into the store, their runs too."""
        for review in reviews:
            self.add_run(make_run(review.run_id))
            self.store.write(partial(self._open, review))

    def _open(self, review: Review, t: Transaction) -> None:
        open_review(t, review, ledger_entry(review), gate_of(review), now=self.clock())

    def add_run(self, run: RunRecord) -> None:
        """Put a run into the store, unless it is there."""
        if self.store.read(lambda r: r.find_run(run.id)) is None:
            self.store.write(lambda t: t.add_run(run, None))

    def add_gates(self, *gates: GateRow) -> None:
        """Put gate rows into the store."""
        for gate in gates:
            self.add_run(make_run(gate.run_id))
            self.store.write(partial(_put, gate))


def _put(gate: GateRow, t: Transaction) -> None:
    t.put_gate(gate)


def history(run_id: str = "run_1") -> tuple[GateRow, ...]:
    """Return three committed steps, the first of them verified by a person."""
    rows = (
        ("gate_a", 1, 0.90, 1.0, 1.0, True),
        ("gate_b", 2, 0.95, 1.0, 0.95, False),
        ("gate_c", 3, 0.83, 0.95, 0.7885, False),
    )
    return tuple(
        make_gate(
            gate_id if run_id == "run_1" else f"{gate_id}_{run_id}",
            visit=visit,
            run_id=run_id,
            run_key=run_id,
            p=p,
            reliability_before=before,
            reliability_after=after,
            verified=verified,
            summary=f"digit {visit} is {visit}",
        )
        for gate_id, visit, p, before, after, verified in rows
    )
