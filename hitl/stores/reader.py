"""Reads, in SQL that every supported database speaks. The methods of `hitl.ports.Reader`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, and_, case, func, select

from hitl.models import (
    AuditEvent,
    DecidedBy,
    Decision,
    Denial,
    GateRow,
    Intent,
    JsonObject,
    Mail,
    MailKind,
    Outcome,
    ProposalKey,
    Review,
    ReviewStatus,
    RunRecord,
    RunStatus,
    StepName,
    StoredProposal,
    Verdict,
)
from hitl.stores.line import Line
from hitl.stores.records import (
    denial_of,
    event_of,
    found,
    gate_of,
    is_due,
    is_proposal,
    is_visit,
    lease_is_free,
    mail_of,
    one_of,
    place_of,
    position,
    proposal_of,
    review_of,
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
from hitl.stores.text import json_value

_REVIEWS = select(
    REVIEW.c.record, REVIEW.c.status, DECISION.c.record.label("decision")
).select_from(REVIEW.outerjoin(DECISION, DECISION.c.review_id == REVIEW.c.id))
_DECISIONS = select(DECISION.c.record)
_PROPOSALS = select(PROPOSAL.c.record, PROPOSAL.c.blob, PROPOSAL.c.settled)
_GATES = select(GATE.c.record, GATE.c.undone_at, GATE.c.superseded_by)
_GATE_ORDER = (GATE.c.committed_at.is_(None), GATE.c.committed_at, GATE.c.seq)
_MAIL = select(MAIL)
_TIMERS = [MailKind.EXPIRY.value, MailKind.COMMIT.value]


class SqlReader:
    """Implements `hitl.ports.Reader` on one open read view."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def connection(self) -> Any:
        """See `Reader`."""
        return self._line.raw

    # -- runs -----------------------------------------------------------------------------------

    def run(self, run_id: str) -> RunRecord:
        """See `Reader`."""
        return found("run", run_id, self.find_run(run_id))

    def find_run(self, run_id: str) -> RunRecord | None:
        """See `Reader`."""
        text = self._value(select(RUN.c.record).where(RUN.c.id == run_id))
        return None if text is None else RunRecord.model_validate_json(text)

    def runs(
        self,
        *,
        workflow: str | None = None,
        status: Collection[RunStatus] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """See `Reader`."""
        query = select(RUN.c.record).order_by(RUN.c.created_at.desc(), RUN.c.id.desc())
        if workflow is not None:
            query = query.where(RUN.c.workflow == workflow)
        if status:
            query = query.where(one_of(RUN.c.status, status))
        if before is not None:
            seen = select(RUN.c.created_at).where(RUN.c.id == before)
            at = found("run", before, self._value(seen))
            query = query.where(
                position(RUN.c.created_at, RUN.c.id) < place_of(at, before, like=RUN.c.created_at)
            )
        return [RunRecord.model_validate_json(text) for text in self._column(query.limit(limit))]

    def count_runs(self) -> dict[RunStatus, int]:
        """See `Reader`."""
        query = select(RUN.c.status, func.count()).group_by(RUN.c.status)
        return {RunStatus(status): count for status, count in self._rows(query)}

    def run_input(self, run_id: str) -> tuple[str, bytes] | None:
        """See `Reader`."""
        query = select(RUN.c.input_type, RUN.c.input_blob).where(RUN.c.id == run_id)
        rows = [row for row in self._rows(query) if row.input_type is not None]
        return (rows[0].input_type, bytes(rows[0].input_blob)) if rows else None

    def epoch(self, run_id: str) -> int | None:
        """See `Reader`."""
        row = self._line.hot.epoch.run(self._line.raw, {"run_id": run_id}).fetchone()
        return None if row is None else row[0]

    # -- reviews and decisions ------------------------------------------------------------------

    def review(self, review_id: str) -> Review:
        """See `Reader`."""
        rows = self._rows(_REVIEWS.where(REVIEW.c.id == review_id))
        return review_of(found("review", review_id, rows[0] if rows else None))

    def reviews(
        self,
        *,
        status: Collection[ReviewStatus] = (),
        run_id: str | None = None,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """See `Reader`."""
        query = _REVIEWS.order_by(REVIEW.c.sort_at, REVIEW.c.id)
        if status:
            query = query.where(one_of(REVIEW.c.status, status))
        wanted = {"run_id": run_id, "workflow": workflow, "blocking": blocking}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(REVIEW.c[name] == value)
        if after is not None:
            seen = select(REVIEW.c.sort_at).where(REVIEW.c.id == after)
            at = found("review", after, self._value(seen))
            query = query.where(
                position(REVIEW.c.sort_at, REVIEW.c.id) > place_of(at, after, like=REVIEW.c.sort_at)
            )
        return [review_of(row) for row in self._rows(query.limit(limit))]

    def count_reviews(self) -> dict[ReviewStatus, int]:
        """See `Reader`."""
        query = select(REVIEW.c.status, func.count()).group_by(REVIEW.c.status)
        return {ReviewStatus(status): count for status, count in self._rows(query)}

    def decision(self, review_id: str) -> Decision | None:
        """See `Reader`."""
        text = self._value(_DECISIONS.where(DECISION.c.review_id == review_id))
        return None if text is None else Decision.model_validate_json(text)

    def decision_by_id(self, decision_id: str) -> Decision | None:
        """See `Reader`."""
        text = self._value(_DECISIONS.where(DECISION.c.decision_id == decision_id))
        return None if text is None else Decision.model_validate_json(text)

    def intent(self, review_id: str) -> Intent | None:
        """See `Reader`."""
        live = and_(INTENT.c.review_id == review_id, INTENT.c.outcome.is_(None))
        text = self._value(select(INTENT.c.record).where(live))
        return None if text is None else Intent.model_validate_json(text)

    def denials(self, run_id: str, name: StepName) -> list[tuple[Review, Decision]]:
        """See `Reader`."""
        query = _REVIEWS.where(
            is_visit(REVIEW, run_id, name), DECISION.c.verdict == Verdict.DENY.value
        )
        rows = self._rows(query.order_by(DECISION.c.seq))
        return [(review_of(row), Decision.model_validate_json(row.decision)) for row in rows]

    def denials_that_undid(self, run_id: str, name: StepName) -> list[Denial]:
        """See `Reader`."""
        undoing = select(GATE.c.superseded_by).where(
            is_visit(GATE, run_id, name), GATE.c.undone_at.is_not(None)
        )
        query = _REVIEWS.where(
            DECISION.c.decision_id.in_(undoing), DECISION.c.verdict == Verdict.DENY.value
        )
        return [denial_of(review_of(row)) for row in self._rows(query.order_by(DECISION.c.seq))]

    # -- proposals ------------------------------------------------------------------------------

    def proposal(self, key: ProposalKey) -> StoredProposal | None:
        """See `Reader`."""
        rows = self._rows(_PROPOSALS.where(is_proposal(key)))
        return proposal_of(rows[0]) if rows else None

    def proposal_of(self, review_id: str) -> StoredProposal | None:
        """See `Reader`."""
        query = _PROPOSALS.where(PROPOSAL.c.review_id == review_id).order_by(PROPOSAL.c.seq)
        rows = self._rows(query.limit(1))
        return proposal_of(rows[0]) if rows else None

    def open_proposals(self, run_id: str) -> list[StoredProposal]:
        """See `Reader`."""
        query = _PROPOSALS.where(PROPOSAL.c.run_id == run_id, PROPOSAL.c.settled.is_(False))
        return [proposal_of(row) for row in self._rows(query.order_by(PROPOSAL.c.seq))]

    # -- the gate log ---------------------------------------------------------------------------

    def last_visit(self, run_id: str, step: str, place: str) -> tuple[int, str] | None:
        """See `Reader`."""
        wanted = {"run_id": run_id, "step": step, "place": place}
        row = self._line.hot.last_visit.run(self._line.raw, wanted).fetchone()
        return None if row is None else (row[0], row[1])

    def denied_effects(self, run_id: str) -> set[str]:
        """See `Reader`."""
        query = select(DENIED_EFFECT.c.fingerprint).where(DENIED_EFFECT.c.run_id == run_id)
        return set(self._column(query))

    def gate(self, gate_id: str) -> GateRow:
        """See `Reader`."""
        rows = self._rows(_GATES.where(GATE.c.id == gate_id))
        return gate_of(found("gate row", gate_id, rows[0] if rows else None))

    def gates(
        self, run_id: str, *, live_only: bool = False, limit: int | None = None
    ) -> list[GateRow]:
        """See `Reader`."""
        query = _GATES.where(GATE.c.run_id == run_id).order_by(*_GATE_ORDER).limit(limit)
        if live_only:
            query = query.where(GATE.c.undone_at.is_(None))
        return [gate_of(row) for row in self._rows(query)]

    def label_counts(self, workflow: str, step: str) -> tuple[int, int]:
        """See `Reader`."""
        right = func.coalesce(
            func.sum(case((DECISION.c.verdict == Verdict.APPROVE.value, 1), else_=0)), 0
        )
        query = (
            select(right, func.count())
            .select_from(GATE.join(DECISION, DECISION.c.review_id == GATE.c.review_id))
            .where(GATE.c.workflow == workflow, GATE.c.step == step, GATE.c.review_id.is_not(None))
            .where(GATE.c.counts.is_(True), DECISION.c.made_by == DecidedBy.PERSON.value)
        )
        counted = self._rows(query)[0]
        return int(counted[0]), int(counted[1])

    # -- the trail, the mailbox and the rest ----------------------------------------------------

    def audit(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[AuditEvent]:
        """See `Reader`."""
        query = select(AUDIT).where(AUDIT.c.seq > after).order_by(AUDIT.c.seq).limit(limit)
        if run_id is not None:
            query = query.where(AUDIT.c.run_id == run_id)
        return [event_of(row) for row in self._rows(query)]

    def mail(self, run_id: str, *, now: datetime) -> list[Mail]:
        """See `Reader`."""
        query = _MAIL.where(MAIL.c.run_id == run_id, is_due(now)).order_by(MAIL.c.id)
        return [mail_of(row) for row in self._rows(query)]

    def due_runs(self, *, now: datetime, limit: int = 100) -> list[str]:
        """See `Reader`."""
        query = (
            select(MAIL.c.run_id)
            .select_from(MAIL.join(RUN, RUN.c.id == MAIL.c.run_id))
            .where(is_due(now), lease_is_free(now))
            .group_by(MAIL.c.run_id)
            .order_by(func.min(MAIL.c.due_at), MAIL.c.run_id)
        )
        return self._column(query.limit(limit))

    def next_due(self) -> datetime | None:
        """See `Reader`."""
        query = select(MAIL.c.due_at).where(MAIL.c.done_at.is_(None)).order_by(MAIL.c.due_at)
        return cast("datetime | None", self._value(query.limit(1)))

    def due_timers(self, *, now: datetime, limit: int = 100) -> list[Mail]:
        """See `Reader`."""
        query = _MAIL.where(is_due(now), MAIL.c.kind.in_(_TIMERS)).order_by(
            MAIL.c.due_at, MAIL.c.id
        )
        return [mail_of(row) for row in self._rows(query.limit(limit))]

    def policy(self, policy_hash: str) -> JsonObject | None:
        """See `Reader`."""
        text = self._value(select(POLICY.c.body).where(POLICY.c.policy_hash == policy_hash))
        return None if text is None else json_value(text)

    def outcomes(self, run_id: str) -> list[Outcome]:
        """See `Reader`."""
        query = select(OUTCOME.c.record).where(OUTCOME.c.run_id == run_id).order_by(OUTCOME.c.seq)
        return [Outcome.model_validate_json(text) for text in self._column(query)]

    def setting(self, key: str) -> str | None:
        """See `Reader`."""
        return cast("str | None", self._value(select(SETTING.c.value).where(SETTING.c.key == key)))

    # -- how a query runs -----------------------------------------------------------------------

    def _rows(self, query: Select[Any]) -> list[Any]:
        return list(self._line.sql.execute(query).all())

    def _column(self, query: Select[Any]) -> list[Any]:
        return list(self._line.sql.execute(query).scalars())

    def _value(self, query: Select[Any]) -> Any:
        return self._line.sql.execute(query).scalar()
