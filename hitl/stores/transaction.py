"""Writes, in SQL that every supported database speaks. The methods of `hitl.ports.Transaction`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from hitl.errors import LeaseLost, NotFound, ReviewClosed, StoreError
from hitl.models import (
    Decision,
    GateRow,
    Intent,
    JsonObject,
    MailKind,
    Outcome,
    ProposalKey,
    Review,
    ReviewStatus,
    RunRecord,
    StoredProposal,
    Verdict,
)
from hitl.ports import Clock
from hitl.stores import statements as s
from hitl.stores.erasing import Erasing
from hitl.stores.keys import KeyWrites
from hitl.stores.line import Line, Statement
from hitl.stores.reader import SqlReader
from hitl.stores.records import GATE_COLUMNS, NEVER, PROPOSAL_COLUMNS, REVIEW_COLUMNS, found
from hitl.stores.text import json_text, record_text
from hitl.stores.trail import TrailWrites

_STATUS_AFTER = {Verdict.APPROVE: ReviewStatus.APPROVED, Verdict.DENY: ReviewStatus.DENIED}
_BY_DECISION_ONLY = (ReviewStatus.PENDING, *_STATUS_AFTER.values())
"""A review that is not in one of these gets there by being born, or by a decision."""


class SqlTransaction(TrailWrites, KeyWrites, Erasing, SqlReader):
    """Implements `hitl.ports.Transaction` on a transaction that somebody else begins and commits."""

    def __init__(self, line: Line, *, clock: Clock) -> None:
        super().__init__(line)
        self._clock = clock
        self.gave_order = False
        """Whether `put_mail` gave a new order, so that engines are woken after the commit."""

    def reader(self) -> SqlReader:
        """Return a reader that sees what this transaction sees."""
        return SqlReader(self._line)

    # -- runs -----------------------------------------------------------------------------------

    def add_run(self, run: RunRecord, input: tuple[str, bytes] | None) -> None:
        """See `Transaction`."""
        kind, blob = input or (None, None)
        self._add(
            "run",
            run.id,
            s.add_run,
            id=run.id,
            **_run_columns(run),
            input_type=kind,
            input_blob=blob,
            epoch=0,
            owner=None,
            lease_until=None,
        )

    def set_run(self, run: RunRecord) -> None:
        """See `Transaction`."""
        _must_exist("run", run.id, self._line.run(s.SET_RUN, the_id=run.id, **_run_columns(run)))

    def set_run_input(self, run_id: str, input: tuple[str, bytes]) -> None:
        """See `Transaction`."""
        changed = self._line.run(
            s.SET_RUN_INPUT, the_id=run_id, input_type=input[0], input_blob=input[1]
        )
        _must_exist("run", run_id, changed)

    def claim_run(self, run_id: str, owner: str, *, now: datetime, lease: timedelta) -> int | None:
        """See `Transaction`."""
        at = self._line.lease_time(now)
        epoch = self._line.value(
            s.CLAIM_RUN, the_id=run_id, lease_time=at, owner=owner, lease_until=at + lease
        )
        if epoch is None:
            found("run", run_id, self.epoch(run_id))
        return cast("int | None", epoch)

    def renew_lease(self, run_id: str, epoch: int, *, now: datetime, lease: timedelta) -> bool:
        """See `Transaction`."""
        held = {"the_id": run_id, "the_epoch": epoch}
        until = self._line.lease_time(now) + lease
        return self._line.value(s.RENEW_LEASE, lease_until=until, **held) is not None

    def break_leases(self, *, keep_owner: str) -> None:
        """See `Transaction`."""
        self._line.run(s.BREAK_LEASES, the_owner=keep_owner)

    def release_run(self, run_id: str, epoch: int) -> None:
        """See `Transaction`."""
        self._line.run(s.RELEASE_RUN, the_id=run_id, the_epoch=epoch)

    def check_epoch(self, run_id: str, epoch: int | None) -> None:
        """See `Transaction`."""
        if epoch is None or self.epoch(run_id) != epoch:
            raise LeaseLost(run_id, epoch)

    # -- reviews and decisions ------------------------------------------------------------------

    def add_review(self, review: Review) -> None:
        """See `Transaction`."""
        self._add("review", review.id, s.add_review, id=review.id, **_review_columns(review))

    def set_review(self, review: Review) -> None:
        """See `Transaction`.

        Raises:
            ReviewClosed: The review would become pending again.
            StoreError: The review would become approved or denied without a decision.
        """
        columns = _review_columns(review)
        if review.status in _BY_DECISION_ONLY:
            # A record read before somebody's decision must not undo it, nor stand in for one.
            in_status = {"the_id": review.id, "the_status": review.status.value}
            changed = self._line.value(s.SET_REVIEW_IN_STATUS, **in_status, **columns)
        else:
            changed = self._line.value(s.SET_REVIEW, the_id=review.id, **columns)
        if changed is None:
            raise _stays(self.review(review.id), review)

    def decide_review(
        self, review: Review, decision: Decision, *, judged_at: datetime, expires: bool = True
    ) -> bool:
        """See `Transaction`."""
        values: dict[str, Any] = {
            "the_id": review.id,
            "the_hash": decision.proposal_hash,
            "status": _STATUS_AFTER[decision.verdict].value,
        }
        if expires:
            won = self._line.value(s.DECIDE, judged_at=judged_at, **values)
        else:
            won = self._line.value(s.DECIDE_EXPIRED, **values)
        if won is None:
            return False
        self._add_decision(review.id, decision)
        return True

    def _add_decision(self, review_id: str, decision: Decision) -> None:
        self._add(
            "decision",
            decision.decision_id,
            s.add_decision,
            decision_id=decision.decision_id,
            review_id=review_id,
            verdict=decision.verdict.value,
            made_by=decision.made_by.value,
            decided_at=decision.decided_at,
            record=record_text(decision),
        )

    def put_intent(self, intent: Intent) -> None:
        """See `Transaction`."""
        review_id = intent.decision.review_id
        self.end_intent(review_id, outcome="replaced")
        found("review", review_id, self._line.value(s.REVIEW_PLACE, id=review_id))
        self._line.run(
            s.ADD_INTENT,
            review_id=review_id,
            commit_at=intent.commit_at,
            record=record_text(intent),
        )

    def end_intent(self, review_id: str, *, outcome: str) -> None:
        """See `Transaction`."""
        ended = {"outcome": outcome, "ended_at": self._clock()}
        self._line.run(s.END_INTENT, the_review=review_id, **ended)

    # -- proposals ------------------------------------------------------------------------------

    def add_proposal(self, proposal: StoredProposal) -> StoredProposal:
        """See `Transaction`."""
        number = self._line.value(
            s.add_proposal,
            **proposal.key.model_dump(mode="json"),
            review_id=proposal.review_id,
            settled=proposal.settled,
            blob=proposal.blob,
            record=record_text(proposal, without=PROPOSAL_COLUMNS),
        )
        if number is not None:
            return proposal
        return found("proposal", proposal.gate_id, self.proposal(proposal.key))

    def settle_proposal(self, key: ProposalKey) -> None:
        """See `Transaction`."""
        settled = self._line.run(s.SETTLE_PROPOSAL, **key.model_dump(mode="json"))
        _must_exist("proposal of task", key.task_id, settled)

    def drop_proposals(self, run_id: str) -> None:
        """See `Transaction`."""
        self._line.run(s.DROP_PROPOSALS, run_id=run_id)

    def drop_proposal_of(self, review_id: str) -> None:
        """See `Transaction`."""
        self._line.run(s.DROP_PROPOSAL_OF, review_id=review_id)

    # -- the gate log ---------------------------------------------------------------------------

    def put_gate(self, row: GateRow) -> None:
        """See `Transaction`."""
        name = row.name
        self._line.run(
            s.put_gate,
            id=row.id,
            run_id=row.run_id,
            workflow=row.workflow,
            step=name.step,
            place=name.place.value,
            visit=name.visit,
            shard=name.shard,
            checkpoint_id=row.checkpoint_id,
            review_id=row.review_id,
            counts=row.winner and row.is_label and not row.is_seed,
            committed_at=row.committed_at,
            undone_at=row.undone_at,
            superseded_by=row.superseded_by,
            record=record_text(row, without=GATE_COLUMNS),
        )

    def undo_gates(
        self, run_id: str, gate_ids: Sequence[str], *, at: datetime, by_decision: str
    ) -> None:
        """See `Transaction`."""
        undone = {"the_run": run_id, "undone_at": at, "superseded_by": by_decision}
        for gate_id in gate_ids:
            self._line.run(s.UNDO_GATE, the_id=gate_id, **undone)

    def deny_effect(self, run_id: str, fingerprint: str) -> None:
        """See `Transaction`."""
        self._line.run(s.deny_effect, run_id=run_id, fingerprint=fingerprint)

    # -- the mailbox and the rest ----------------------------------------------------

    def put_mail(
        self,
        run_id: str,
        kind: MailKind,
        *,
        key: str,
        due_at: datetime,
        payload: JsonObject | None = None,
    ) -> bool:
        """See `Transaction`."""
        number = self._line.value(
            s.put_mail,
            run_id=run_id,
            kind=kind.value,
            key=key,
            due_at=due_at,
            payload=json_text("A mail's payload", payload or {}),
        )
        self.gave_order = self.gave_order or number is not None
        return number is not None

    def finish_mail(self, ids: Sequence[int]) -> None:
        """See `Transaction`."""
        for number in ids:
            self._line.run(s.FINISH_MAIL, the_id=number, done_at=self._clock())

    def save_policy(self, policy_hash: str, body: JsonObject) -> None:
        """See `Transaction`."""
        text = json_text("A policy", body)
        self._line.run(s.save_policy, policy_hash=policy_hash, saved_at=self._clock(), body=text)

    def add_outcome(self, outcome: Outcome) -> None:
        """See `Transaction`."""
        ids = {"id": outcome.id, "run_id": outcome.run_id}
        self._add("outcome", outcome.id, s.add_outcome, **ids, record=record_text(outcome))

    def set_setting(self, key: str, value: str) -> str:
        """See `Transaction`."""
        self._line.run(s.set_setting, key=key, value=value)
        return found("setting", key, self.setting(key))

    def _add(self, kind: str, name: str, statement: Statement, /, **values: Any) -> None:
        """Insert a row, or say in a sentence that it collides with what is there.

        The collision is no error of the database, because on Postgres that would end the transaction.
        """
        if self._line.value(statement, **values) is None:
            raise StoreError(f"The {kind} {name!r} is there already. Nothing was written.")


def _must_exist(kind: str, id: str, changed: int) -> None:
    """Raise `NotFound` when an update changed nothing."""
    if changed == 0:
        raise NotFound(kind, id)


def _run_columns(run: RunRecord) -> dict[str, Any]:
    return {
        "workflow": run.workflow,
        "status": run.status.value,
        "created_at": run.created_at,
        "record": record_text(run),
    }


def _review_columns(review: Review) -> dict[str, Any]:
    name = review.name
    return {
        "run_id": review.run_id,
        "workflow": review.workflow,
        "status": review.status.value,
        "step": name.step,
        "place": name.place.value,
        "visit": name.visit,
        "shard": name.shard,
        "blocking": review.blocking,
        "proposal_hash": review.proposal_hash,
        "sort_at": review.due_at or NEVER,
        "expires_at": review.expires_at,
        "record": record_text(review, without=REVIEW_COLUMNS),
    }


def _stays(current: Review, wanted: Review) -> Exception:
    if wanted.status is ReviewStatus.PENDING:
        return ReviewClosed(current.id, current.status.value)
    return StoreError(
        f"Review {current.id!r} is {current.status.value}; it becomes {wanted.status.value} by a"
        " decision only. Nothing was written."
    )
