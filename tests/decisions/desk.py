"""Facts the tests start from: a fixed noon, a clock moved by hand, and records with defaults."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hitl.canonical import sha256_hex
from hitl.models import (
    GateRow,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    RemedyKind,
    Review,
    RungOffer,
    RunRecord,
    StepName,
    StoredProposal,
)
from hitl.ports import Store
from hitl.reviews import ReviewQueue, open_review, proposal_hash

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BLOB = b"the bytes that were shown"
AMOUNT = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "payee": {"type": "string"}},
    "required": ["amount"],
    "additionalProperties": False,
}
RUNGS = tuple(
    RungOffer(kind=kind, label=kind.capitalize())
    for kind in (RemedyKind.RETRY, RemedyKind.ANSWER, RemedyKind.STOP)
)


class HandClock:
    """A clock that stands until it is moved; backwards too."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def move(self, by: timedelta) -> None:
        with self._lock:
            self._now += by


def make_run(run_id: str = "run_1", **changes: Any) -> RunRecord:
    facts: dict[str, Any] = {
        "id": run_id,
        "workflow": "payments",
        "workflow_version": "1",
        "policy_hash": "p" * 64,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return RunRecord(**(facts | changes))


def make_review(
    review_id: str = "rev_1",
    *,
    run_id: str = "run_1",
    place: Place = Place.AFTER,
    step: str = "read_amount",
    arguments: dict[str, Any] | None = None,
    answer_schema: dict[str, Any] | None = AMOUNT,
    **changes: Any,
) -> Review:
    proposal = Proposal(
        action=step,
        arguments=arguments or {"update": {"amount": 1200}},
        target=f"payments/{step}",
        policy_hash="p" * 64,
        review_id=review_id,
        blob_sha256=sha256_hex(BLOB),
    )
    facts: dict[str, Any] = {
        "id": review_id,
        "run_id": run_id,
        "workflow": "payments",
        "workflow_version": "1",
        "policy_name": "payments",
        "policy_version": "7",
        "name": StepName(step=step, place=place, visit=1),
        "attempt": 1,
        "task_id": f"task_{review_id}",
        "proposal": proposal,
        "proposal_hash": proposal_hash(proposal),
        "presentation": Presentation(title="Amount 1200", answer_schema=answer_schema),
        "rungs": RUNGS,
        "opened_at": NOON,
        "initiator": "ina",
    }
    return Review(**(facts | changes))


def make_proposal(review: Review) -> StoredProposal:
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


def make_gate(review: Review, **changes: Any) -> GateRow:
    facts: dict[str, Any] = {
        "id": f"gate_{review.id}",
        "run_id": review.run_id,
        "run_key": review.run_id,
        "workflow": review.workflow,
        "workflow_version": review.workflow_version,
        "name": review.name,
        "step_index": 1,
        "checkpoint_id": "snapshot_1",
        "task_id": review.task_id,
        "ts": NOON,
        "policy_hash": "p" * 64,
        "policy_name": "payments",
        "policy_version": "7",
        "action": "ask" if review.blocking else "act",
        "propensity_ask": 1.0,
        "propensity_label": 1.0,
    }
    return GateRow(**(facts | changes))


@dataclass
class Desk:
    """A queue over a real store, with a clock moved by hand."""

    store: Store
    clock: HandClock
    queue: ReviewQueue

    def run(self, run_id: str = "run_1", **changes: Any) -> RunRecord:
        run = make_run(run_id, **changes)
        self.store.write(lambda t: t.add_run(run, None))
        return run

    def open(self, review_id: str = "rev_1", *, run_id: str = "run_1", **changes: Any) -> Review:
        """Open a review as the runtime does, its run included."""
        if self.store.read(lambda r: r.find_run(run_id)) is None:
            self.run(run_id)
        review = make_review(review_id, run_id=run_id, **changes)
        return self.store.write(
            lambda t: open_review(
                t, review, make_proposal(review), make_gate(review), now=self.clock()
            )
        )

    def mail_keys(self, run_id: str = "run_1") -> list[str]:
        """Return the keys of the run's due, undone mail."""
        far = self.clock() + timedelta(days=3650)
        return [m.key for m in self.store.read(lambda r: r.mail(run_id, now=far))]

    def actions(self, run_id: str = "run_1") -> list[str]:
        """Return what the run's trail says happened, in order."""
        events = self.store.read(lambda r: r.audit(run_id=run_id, limit=10_000))
        return [event.body["action"] for event in events]


def together(*actions: Callable[[], object]) -> list[object]:
    """Run every action in its own thread at the same moment; return results and errors in order."""
    gate = threading.Barrier(len(actions))
    results: list[object] = [None] * len(actions)

    def act(index: int, action: Callable[[], object]) -> None:
        gate.wait()
        try:
            results[index] = action()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=act, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
