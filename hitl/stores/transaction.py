"""Writes, in SQL that every supported database speaks. The methods of `hitl.ports.Transaction`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from hitl.audit import GENESIS, link
from hitl.errors import LeaseLost, NotFound, ReviewClosed, StoreError
from hitl.models import (
    AuditEvent,
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
from hitl.stores.line import Line
from hitl.stores.reader import SqlReader
from hitl.stores.records import (
    GATE_COLUMNS,
    NEVER,
    PROPOSAL_COLUMNS,
    REVIEW_COLUMNS,
    found,
    is_proposal,
    lease_is_free,
)
from hitl.stores.rows import (
    AUDIT,
    DECISION,
    DENIED_EFFECT,
    GATE,
    INTENT,
    MAIL,
    OUTCOME,
    POLICY,
    PROPOSAL,
    REVIEW,
    RUN,
    SETTING,
)
from hitl.stores.text import checked, json_text, json_value, record_text

_STATUS_AFTER = {Verdict.APPROVE: ReviewStatus.APPROVED, Verdict.DENY: ReviewStatus.DENIED}
_AT_ONCE = 500
"""How many ids one statement names; databases limit the number of parameters."""


class SqlTransaction(SqlReader):
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
        values = _run_columns(run) | {"id": run.id, "input_type": kind, "input_blob": blob}
        with _new(f"There is a run with id {run.id!r} already; nothing was written."):
            self._line.sql.execute(RUN.insert().values(**values))

    def set_run(self, run: RunRecord) -> None:
        """See `Transaction`."""
        self._change("run", run.id, update(RUN).where(RUN.c.id == run.id), _run_columns(run))

    def set_run_input(self, run_id: str, input: tuple[str, bytes]) -> None:
        """See `Transaction`."""
        values = {"input_type": input[0], "input_blob": input[1]}
        self._change("run", run_id, update(RUN).where(RUN.c.id == run_id), values)

    def claim_run(self, run_id: str, owner: str, *, now: datetime, lease: timedelta) -> int | None:
        """See `Transaction`."""
        claim = (
            update(RUN)
            .where(RUN.c.id == run_id, lease_is_free(now))
            .values(epoch=RUN.c.epoch + 1, owner=owner, lease_until=now + lease)
            .returning(RUN.c.epoch)
        )
        epoch = self._line.sql.execute(claim).scalar()
        if epoch is None:
            found("run", run_id, self.epoch(run_id))
        return epoch

    def renew_lease(self, run_id: str, epoch: int, *, now: datetime, lease: timedelta) -> bool:
        """See `Transaction`."""
        renew = _held(run_id, epoch).values(lease_until=now + lease).returning(RUN.c.id)
        return self._line.sql.execute(renew).scalar() is not None

    def break_leases(self, *, keep_owner: str) -> None:
        """See `Transaction`."""
        others = and_(RUN.c.lease_until.is_not(None), RUN.c.owner != keep_owner)
        self._line.sql.execute(update(RUN).where(others).values(owner=None, lease_until=None))

    def release_run(self, run_id: str, epoch: int) -> None:
        """See `Transaction`."""
        self._line.sql.execute(_held(run_id, epoch).values(owner=None, lease_until=None))

    def check_epoch(self, run_id: str, epoch: int | None) -> None:
        """See `Transaction`."""
        if epoch is None or self.epoch(run_id) != epoch:
            raise LeaseLost(run_id, epoch)

    # -- reviews and decisions ------------------------------------------------------------------

    def add_review(self, review: Review) -> None:
        """See `Transaction`."""
        values = _review_columns(review) | {"id": review.id}
        with _new(f"There is a review with id {review.id!r} already; nothing was written."):
            self._line.sql.execute(REVIEW.insert().values(**values))

    def set_review(self, review: Review) -> None:
        """See `Transaction`.

        Raises:
            ReviewClosed: The review would become pending again.
            StoreError: The review would become approved or denied without a decision.
        """
        change = update(REVIEW).where(REVIEW.c.id == review.id)
        if review.status in (ReviewStatus.PENDING, *_STATUS_AFTER.values()):
            # a record read before somebody's decision must not undo it, nor stand in for one
            change = change.where(REVIEW.c.status == review.status.value)
        changed = change.values(**_review_columns(review)).returning(REVIEW.c.id)
        if self._line.sql.execute(changed).scalar() is None:
            raise _unchanged(self.review(review.id), review)

    def decide_review(
        self, review: Review, decision: Decision, *, judged_at: datetime, expires: bool = True
    ) -> bool:
        """See `Transaction`."""
        conditions = [
            REVIEW.c.id == review.id,
            REVIEW.c.status == ReviewStatus.PENDING.value,
            REVIEW.c.proposal_hash == decision.proposal_hash,
        ]
        if expires:
            conditions.append(or_(REVIEW.c.expires_at.is_(None), REVIEW.c.expires_at > judged_at))
        decide = (
            update(REVIEW)
            .where(and_(*conditions))
            .values(status=_STATUS_AFTER[decision.verdict].value)
            .returning(REVIEW.c.id)
        )
        if self._line.sql.execute(decide).scalar() is None:
            return False
        self._add_decision(review.id, decision)
        return True

    def _add_decision(self, review_id: str, decision: Decision) -> None:
        id = decision.decision_id
        values = {
            "decision_id": checked("A decision's id", id),
            "review_id": review_id,
            "verdict": decision.verdict.value,
            "made_by": decision.made_by.value,
            "decided_at": decision.decided_at,
            "record": record_text(decision),
        }
        with _new(f"Decision {id!r} belongs to another review already; nothing was written."):
            self._line.sql.execute(DECISION.insert().values(**values))

    def put_intent(self, intent: Intent) -> None:
        """See `Transaction`."""
        review_id = intent.decision.review_id
        self.end_intent(review_id, outcome="replaced")
        values = {
            "review_id": review_id,
            "commit_at": intent.commit_at,
            "record": record_text(intent),
        }
        with _new(f"There is no review with id {review_id!r}; nothing was written."):
            self._line.sql.execute(INTENT.insert().values(**values))

    def end_intent(self, review_id: str, *, outcome: str) -> None:
        """See `Transaction`."""
        live = and_(INTENT.c.review_id == review_id, INTENT.c.outcome.is_(None))
        end = update(INTENT).where(live).values(outcome=outcome, ended_at=self._clock())
        self._line.sql.execute(end)

    # -- proposals ------------------------------------------------------------------------------

    def add_proposal(self, proposal: StoredProposal) -> StoredProposal:
        """See `Transaction`."""
        values = proposal.key.model_dump(mode="json") | {
            "review_id": proposal.review_id,
            "settled": proposal.settled,
            "blob": proposal.blob,
            "record": record_text(proposal, without=PROPOSAL_COLUMNS),
        }
        add = self._line.insert(PROPOSAL).values(**values)
        first = add.on_conflict_do_nothing(index_elements=list(proposal.key.model_dump()))
        if self._line.sql.execute(first.returning(PROPOSAL.c.seq)).scalar() is not None:
            return proposal
        return found("proposal", proposal.gate_id, self.proposal(proposal.key))

    def settle_proposal(self, key: ProposalKey) -> None:
        """See `Transaction`."""
        settle = update(PROPOSAL).where(is_proposal(key))
        self._change("proposal of task", key.task_id, settle, {"settled": True})

    def drop_proposals(self, run_id: str) -> None:
        """See `Transaction`."""
        still_open = and_(PROPOSAL.c.run_id == run_id, PROPOSAL.c.settled.is_(False))
        self._line.sql.execute(update(PROPOSAL).where(still_open).values(settled=True))

    # -- the gate log ---------------------------------------------------------------------------

    def put_gate(self, row: GateRow) -> None:
        """See `Transaction`."""
        name = row.name
        self._line.hot.put_gate.run(
            self._line.raw,
            {
                "id": row.id,
                "run_id": row.run_id,
                "workflow": row.workflow,
                "step": name.step,
                "place": name.place.value,
                "visit": name.visit,
                "shard": name.shard,
                "checkpoint_id": row.checkpoint_id,
                "review_id": row.review_id,
                "counts": row.winner and not row.is_seed,
                "committed_at": row.committed_at,
                "undone_at": row.undone_at,
                "superseded_by": row.superseded_by,
                "record": record_text(row, without=GATE_COLUMNS),
            },
        )

    def undo_gates(
        self, run_id: str, gate_ids: Sequence[str], *, at: datetime, by_decision: str
    ) -> None:
        """See `Transaction`."""
        undo = update(GATE).where(GATE.c.run_id == run_id)
        undo = undo.values(undone_at=at, superseded_by=by_decision)
        for ids in _in_parts(gate_ids):
            self._line.sql.execute(undo.where(GATE.c.id.in_(ids)))

    def deny_effect(self, run_id: str, fingerprint: str) -> None:
        """See `Transaction`."""
        add = self._line.insert(DENIED_EFFECT).values(run_id=run_id, fingerprint=fingerprint)
        self._line.sql.execute(add.on_conflict_do_nothing())

    # -- the trail, the mailbox and the rest ----------------------------------------------------

    def append_audit(self, run_id: str, body: JsonObject) -> AuditEvent:
        """See `Transaction`."""
        head = select(AUDIT.c.chain_seq, AUDIT.c.hash).where(AUDIT.c.run_id == run_id)
        last = self._line.sql.execute(head.order_by(AUDIT.c.chain_seq.desc()).limit(1)).first()
        number, prev = (1, GENESIS) if last is None else (last.chain_seq + 1, last.hash)
        text = json_text("An audit event", body)
        values = {
            "run_id": run_id,
            "chain_seq": number,
            "prev": prev,
            "hash": _link(prev, number, body),
            "body": text,
        }
        add = AUDIT.insert().values(**values).returning(AUDIT.c.seq)
        seq = self._line.sql.execute(add).scalar_one()
        return AuditEvent.model_validate(values | {"seq": seq, "body": json_value(text)})

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
        values = {
            "run_id": run_id,
            "kind": kind.value,
            "key": key,
            "due_at": due_at,
            "payload": json_text("A mail's payload", payload or {}),
        }
        add = self._line.insert(MAIL).values(**values)
        add = add.on_conflict_do_nothing(index_elements=[MAIL.c.key])
        is_new = self._line.sql.execute(add.returning(MAIL.c.id)).scalar() is not None
        self.gave_order = self.gave_order or is_new
        return is_new

    def finish_mail(self, ids: Sequence[int]) -> None:
        """See `Transaction`."""
        done = update(MAIL).where(MAIL.c.done_at.is_(None)).values(done_at=self._clock())
        for part in _in_parts(ids):
            self._line.sql.execute(done.where(MAIL.c.id.in_(part)))

    def save_policy(self, policy_hash: str, body: JsonObject) -> None:
        """See `Transaction`."""
        values = {
            "policy_hash": policy_hash,
            "saved_at": self._clock(),
            "body": json_text("A policy", body),
        }
        self._line.sql.execute(self._line.insert(POLICY).values(**values).on_conflict_do_nothing())

    def add_outcome(self, outcome: Outcome) -> None:
        """See `Transaction`."""
        values = {"id": outcome.id, "run_id": outcome.run_id, "record": record_text(outcome)}
        with _new(f"There is an outcome with id {outcome.id!r} already; nothing was written."):
            self._line.sql.execute(OUTCOME.insert().values(**values))

    def set_setting(self, key: str, value: str) -> str:
        """See `Transaction`."""
        add = self._line.insert(SETTING).values(key=key, value=checked("A setting", value))
        self._line.sql.execute(add.on_conflict_do_nothing())
        return found("setting", key, self.setting(key))

    def _change(self, kind: str, id: str, change: Update, values: dict[str, Any]) -> None:
        """Run an update of one row; raise `NotFound` when there is none."""
        if self._line.sql.execute(change.values(**values)).rowcount == 0:
            raise NotFound(kind, id)


def _run_columns(run: RunRecord) -> dict[str, Any]:
    return {
        "workflow": run.workflow,
        "status": run.status.value,
        "created_at": run.created_at,
        "record": record_text(run),
    }


def _review_columns(review: Review) -> dict[str, Any]:
    return {
        "run_id": review.run_id,
        "workflow": review.workflow,
        "status": review.status.value,
        **review.name.model_dump(mode="json"),
        "blocking": review.blocking,
        "proposal_hash": review.proposal_hash,
        "sort_at": review.due_at or NEVER,
        "expires_at": review.expires_at,
        "record": record_text(review, without=REVIEW_COLUMNS),
    }


def _held(run_id: str, epoch: int) -> Update:
    return update(RUN).where(RUN.c.id == run_id, RUN.c.epoch == epoch)


def _unchanged(current: Review, wanted: Review) -> Exception:
    if wanted.status is ReviewStatus.PENDING:
        return ReviewClosed(current.id, current.status.value)
    return StoreError(
        f"Review {current.id!r} is {current.status.value}; it becomes {wanted.status.value} by a"
        " decision only. Nothing was written."
    )


def _link(prev: str, number: int, body: JsonObject) -> str:
    try:
        return link(prev, number, body)
    except ValueError as problem:
        raise StoreError(f"An audit event cannot be stored: {problem}.") from problem


def _in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


@contextmanager
def _new(sentence: str) -> Iterator[None]:
    """Say `sentence` when the row that is inserted collides with one that is there."""
    try:
        yield
    except IntegrityError as problem:
        raise StoreError(sentence) from problem
