"""Records with defaults, and a fixed noon."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hitl.models import (
    DecidedBy,
    Decision,
    GateRow,
    Intent,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    Review,
    RunRecord,
    StepName,
    StoredProposal,
    Verdict,
)

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAY = StepName(step="pay", place=Place.BEFORE, visit=1)


def noon() -> datetime:
    return NOON


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


def make_review(review_id: str = "rev_1", **changes: Any) -> Review:
    facts: dict[str, Any] = {
        "id": review_id,
        "run_id": "run_1",
        "workflow": "payments",
        "workflow_version": "1",
        "policy_name": "payments",
        "policy_version": "7",
        "name": PAY,
        "attempt": 1,
        "task_id": f"task_{review_id}",
        "proposal": Proposal(
            action="pay",
            arguments={"update": {"amount": 1200, "payee": "Alba"}},
            target="payments/pay",
            policy_hash="p" * 64,
            review_id=review_id,
            blob_sha256="0" * 64,
        ),
        "proposal_hash": f"hash of {review_id}",
        "presentation": Presentation(title="Pay 1200 to Alba"),
        "opened_at": NOON,
    }
    return Review(**(facts | changes))


def make_decision(review_id: str = "rev_1", **changes: Any) -> Decision:
    facts: dict[str, Any] = {
        "decision_id": f"dec of {review_id}",
        "review_id": review_id,
        "verdict": Verdict.APPROVE,
        "by": "ana",
        "made_by": DecidedBy.PERSON,
        "decided_at": NOON,
        "proposal_hash": f"hash of {review_id}",
    }
    return Decision(**(facts | changes))


def make_intent(review_id: str = "rev_1", *, commit_at: datetime = NOON + MINUTE) -> Intent:
    return Intent(decision=make_decision(review_id), commit_at=commit_at)


def make_proposal(task_id: str = "task_1", **changes: Any) -> StoredProposal:
    facts: dict[str, Any] = {
        "key": ProposalKey(run_id="run_1", task_id=task_id, place=Place.BEFORE, attempt=1),
        "name": PAY,
        "review_id": f"review of {task_id}",
        "gate_id": f"gate of {task_id}",
        "blob_type": "msgpack",
        "blob": bytes(range(256)),
        "proposal_hash": "h" * 64,
        "meta": {"p": 0.83, "answers": [1, None, "two"]},
    }
    return StoredProposal(**(facts | changes))


def make_gate(gate_id: str = "gate_1", **changes: Any) -> GateRow:
    facts: dict[str, Any] = {
        "id": gate_id,
        "run_id": "run_1",
        "run_key": "run_1",
        "workflow": "payments",
        "workflow_version": "1",
        "name": PAY,
        "step_index": 3,
        "checkpoint_id": f"snapshot before {gate_id}",
        "task_id": f"task of {gate_id}",
        "ts": NOON,
        "policy_hash": "p" * 64,
        "policy_name": "payments",
        "policy_version": "7",
        "action": "act",
        "propensity_ask": 0.0,
        "propensity_label": 0.02,
        "committed_at": NOON,
    }
    return GateRow(**(facts | changes))
