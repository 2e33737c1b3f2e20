"""The gate log of a store: its gate rows with what people said about them."""

from collections.abc import Callable, Collection, Iterator

from hitl.lab.log.columns import GateLog, Value
from hitl.models import (
    DecidedBy,
    Decision,
    GateRow,
    Place,
    RemedyKind,
    Review,
    ReviewStatus,
    RunRecord,
    Verdict,
)
from hitl.ports import Reader
from hitl.reviews.timeline import with_parents

_PAGE = 500

Progress = Callable[[int, int], None]
"""Called with (done, in all)."""


def read_gate_log(
    reader: Reader,
    *,
    workflow: str | None = None,
    not_wrong: Collection[str] = (),
    progress: Progress | None = None,
) -> GateLog:
    """Return the gate log of a store, oldest run first.

    Questions that a step asks by itself are left out: they propose nothing that could be wrong.

    Args:
        reader: One consistent view of the store.
        workflow: Only runs of this workflow.
        not_wrong: Reasons that do not mean wrong: a deny for these alone is no label.
        progress: Called after each run.
    """
    total = sum(reader.count_runs().values())
    found = []
    for done, run in enumerate(_runs(reader, workflow), start=1):
        found.append(list(_rows(reader, run, not_wrong)))
        if progress is not None:
            progress(done, max(total, done))
    return GateLog.of(row for rows in reversed(found) for row in rows)


def _runs(reader: Reader, workflow: str | None) -> Iterator[RunRecord]:
    before: str | None = None
    while page := reader.runs(workflow=workflow, limit=_PAGE, before=before):
        yield from page
        before = page[-1].id


def _rows(reader: Reader, run: RunRecord, not_wrong: Collection[str]) -> Iterator[dict[str, Value]]:
    reviews: dict[str, Review] = {}
    after: str | None = None
    while page := reader.reviews(run_id=run.id, limit=_PAGE, after=after):
        reviews.update((review.id, review) for review in page)
        after = page[-1].id
    for gate in with_parents(reader.gates(run.id)):
        if gate.name.place is not Place.QUESTION and gate.winner:
            record = record_of(gate, reviews.get(gate.review_id or ""), not_wrong=not_wrong)
            yield {**record, "run_status": run.status.value}


def record_of(
    gate: GateRow, review: Review | None, *, not_wrong: Collection[str] = ()
) -> dict[str, Value]:
    """Return one row of the log: a gate evaluation and what became of its review.

    Only a person's decision is a label, and a deny only when one of its reasons means wrong.

    Args:
        gate: The evaluation.
        review: Its review; None when none was opened.
        not_wrong: Reasons that do not mean wrong.
    """
    return {**_gate_columns(gate), **_review_columns(review, not_wrong)}


def _gate_columns(gate: GateRow) -> dict[str, Value]:
    return {
        "id": gate.id,
        "parents": "|".join(gate.parents),
        "run_id": gate.run_id,
        "run_key": gate.run_key,
        "workflow": gate.workflow,
        "workflow_version": gate.workflow_version,
        "step": gate.name.step,
        "place": gate.name.place.value,
        "policy_hash": gate.policy_hash,
        "policy_name": gate.policy_name,
        "policy_version": gate.policy_version,
        "kind": gate.confidence_kind.value,
        "calibrator": gate.calibrator,
        "triggers": "|".join(fired.kind for fired in gate.triggers),
        "ts": gate.ts.timestamp(),
        "turn": gate.turn,
        "visit": gate.name.visit,
        "attempt": gate.attempt,
        "step_index": gate.step_index,
        "p": gate.p,
        "threshold": gate.threshold,
        "propensity_label": gate.propensity_label,
        "coin_u": gate.coin_u,
        "coin_rate": gate.coin_rate,
        "reliability_before": gate.reliability_before,
        "reliability_after": gate.reliability_after,
        "unknown_steps": gate.unknown_steps,
        "seed_truth": gate.seed_truth,
        "step_seconds": gate.step_seconds,
        "step_cost": gate.step_cost,
        "rework_cost": gate.rework_cost,
        "silent_error_cost": gate.silent_error_cost,
        "asked": gate.action == "ask" and not gate.shadow,
        "spot_check": gate.spot_check,
        "committed": gate.committed_at is not None,
        "undone": gate.undone_at is not None,
        "is_seed": gate.is_seed,
    }


def _review_columns(review: Review | None, not_wrong: Collection[str]) -> dict[str, Value]:
    columns: dict[str, Value] = {"wrong": None}
    if review is None:
        return columns
    columns |= {"verdict": _end(review), "reset_to": review.presentation.reset_to}
    decision = review.decision
    if decision is None or decision.made_by is not DecidedBy.PERSON:
        return columns
    seconds = None if decision.shown_ms is None else decision.shown_ms / 1000.0
    return {
        **columns,
        "wrong": _wrong(decision, not_wrong),
        "reviewer": decision.by,
        "reasons": "|".join(decision.reasons),
        "review_seconds": seconds,
        "wait_seconds": max(0.0, (decision.decided_at - review.opened_at).total_seconds()),
    }


def _wrong(decision: Decision, not_wrong: Collection[str]) -> float | None:
    if decision.verdict is Verdict.APPROVE:
        return 0.0
    if decision.remedy is RemedyKind.TAKEOVER and not decision.reasons:
        return None  # who does it themselves has not said that it was wrong
    meant = [reason for reason in decision.reasons if reason not in not_wrong]
    return 1.0 if meant or not decision.reasons else None


def _end(review: Review) -> str:
    if review.decision is not None:
        by_person = review.decision.made_by is DecidedBy.PERSON
        return review.decision.verdict.value if by_person else "expired"
    if review.status in (ReviewStatus.PENDING, ReviewStatus.EXPIRED):
        return review.status.value
    return "cancelled"
