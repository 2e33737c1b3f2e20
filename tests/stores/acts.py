"""What tests do to a store, one transaction each."""

from datetime import datetime, timedelta

from hitl.models import Decision, GateRow, MailKind, Review, RunRecord, StoredProposal
from hitl.ports import Store, Transaction
from tests.stores.records import MINUTE, NOON


def add_runs(store: Store, *runs: RunRecord) -> None:
    def job(t: Transaction) -> None:
        for run in runs:
            t.add_run(run, None)

    store.write(job)


def claim(
    store: Store, run_id: str, owner: str, *, now: datetime = NOON, lease: timedelta = MINUTE
) -> int | None:
    return store.write(lambda t: t.claim_run(run_id, owner, now=now, lease=lease))


def add_reviews(store: Store, *reviews: Review) -> None:
    def job(t: Transaction) -> None:
        for review in reviews:
            t.add_review(review)

    store.write(job)


def decide(store: Store, review: Review, decision: Decision, *, judged_at: datetime = NOON) -> bool:
    return store.write(lambda t: t.decide_review(review, decision, judged_at=judged_at))


def add_proposals(store: Store, *proposals: StoredProposal) -> None:
    def job(t: Transaction) -> None:
        for proposal in proposals:
            t.add_proposal(proposal)

    store.write(job)


def put_gates(store: Store, *rows: GateRow) -> None:
    def job(t: Transaction) -> None:
        for row in rows:
            t.put_gate(row)

    store.write(job)


def undo(store: Store, *gate_ids: str, by: str = "dec_1", at: datetime = NOON) -> None:
    store.write(lambda t: t.undo_gates("run_1", gate_ids, at=at, by_decision=by))


def put_mail(
    store: Store,
    key: str,
    kind: MailKind = MailKind.WAKE,
    *,
    after: int = 0,
    run_id: str = "run_1",
) -> bool:
    """Give an order that is due `after` minutes past noon; True when it is new."""
    due_at = NOON + after * MINUTE
    return store.write(lambda t: t.put_mail(run_id, kind, key=key, due_at=due_at))
