"""Reads, in SQL that every supported database speaks. The methods of `hitl.ports.Reader`."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, select

from hitl.models import (
    Decision,
    Denial,
    GateRow,
    Intent,
    JsonObject,
    Mail,
    Outcome,
    ProposalKey,
    Review,
    ReviewStatus,
    RunRecord,
    RunStatus,
    StepName,
    StoredProposal,
)
from hitl.stores import statements as s
from hitl.stores.figures import FigureReads
from hitl.stores.finding import Finding
from hitl.stores.keys import KeyReads
from hitl.stores.line import Line
from hitl.stores.records import (
    denial_of,
    found,
    gate_of,
    mail_of,
    one_of,
    place_of,
    position,
    proposal_of,
    review_of,
)
from hitl.stores.rows import GATE, REVIEW, RUN
from hitl.stores.text import json_value
from hitl.stores.trail import TrailReads

_GATE_ORDER = (GATE.c.committed_at.is_(None), GATE.c.committed_at, GATE.c.seq)
_AT_ONCE = 32
"""Gate rows fetched at a time when looking back."""
_AFTER_ALL = 2**63 - 1
"""More than any row's number: the most a BIGINT holds."""


class SqlReader(FigureReads, TrailReads, KeyReads, Finding):
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
        text = self._line.value(s.RUN_BY_ID, id=run_id)
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
            at = found("run", before, self.find_run(before)).created_at
            seen = place_of(at, before, like=RUN.c.created_at)
            query = query.where(position(RUN.c.created_at, RUN.c.id) < seen)
        rows = self._rows(query.limit(limit))
        return [RunRecord.model_validate_json(row.record) for row in rows]

    def count_runs(self) -> dict[RunStatus, int]:
        """See `Reader`."""
        return {RunStatus(status): n for status, n in self._line.rows(s.COUNT_RUNS)}

    def run_input(self, run_id: str) -> tuple[str, bytes] | None:
        """See `Reader`."""
        for kind, blob in self._line.rows(s.RUN_INPUT, id=run_id):
            return None if kind is None else (kind, bytes(blob))
        return None

    def epoch(self, run_id: str) -> int | None:
        """See `Reader`."""
        return cast("int | None", self._line.value(s.EPOCH, id=run_id))

    # -- reviews and decisions ------------------------------------------------------------------

    def review(self, review_id: str) -> Review:
        """See `Reader`."""
        rows = self._line.rows(s.REVIEW_BY_ID, id=review_id)
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
        query = s.REVIEWS.order_by(REVIEW.c.sort_at, REVIEW.c.id)
        if status:
            query = query.where(one_of(REVIEW.c.status, status))
        wanted = {"run_id": run_id, "workflow": workflow, "blocking": blocking}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(REVIEW.c[name] == value)
        if after is not None:
            at = found("review", after, self._line.value(s.REVIEW_PLACE, id=after))
            seen = place_of(at, after, like=REVIEW.c.sort_at)
            query = query.where(position(REVIEW.c.sort_at, REVIEW.c.id) > seen)
        return [review_of(row) for row in self._rows(query.limit(limit))]

    def count_reviews(self) -> dict[ReviewStatus, int]:
        """See `Reader`."""
        return {ReviewStatus(status): n for status, n in self._line.rows(s.COUNT_REVIEWS)}

    def decision(self, review_id: str) -> Decision | None:
        """See `Reader`."""
        text = self._line.value(s.DECISION_OF, review_id=review_id)
        return None if text is None else Decision.model_validate_json(text)

    def decision_by_id(self, decision_id: str) -> Decision | None:
        """See `Reader`."""
        text = self._line.value(s.DECISION_BY_ID, decision_id=decision_id)
        return None if text is None else Decision.model_validate_json(text)

    def intent(self, review_id: str) -> Intent | None:
        """See `Reader`."""
        text = self._line.value(s.LIVE_INTENT, the_review=review_id)
        return None if text is None else Intent.model_validate_json(text)

    def denials(self, run_id: str, name: StepName) -> list[tuple[Review, Decision]]:
        """See `Reader`."""
        rows = self._line.rows(s.DENIALS, run_id=run_id, **name.model_dump(mode="json"))
        return [(review_of(row), Decision.model_validate_json(row.decision)) for row in rows]

    def denials_that_undid(self, run_id: str, name: StepName) -> list[Denial]:
        """See `Reader`."""
        rows = self._line.rows(s.UNDOING_DENIALS, run_id=run_id, **name.model_dump(mode="json"))
        return [denial_of(row) for row in rows]

    # -- proposals ------------------------------------------------------------------------------

    def proposal(self, key: ProposalKey) -> StoredProposal | None:
        """See `Reader`."""
        rows = self._line.rows(s.PROPOSAL_BY_KEY, **key.model_dump(mode="json"))
        return proposal_of(rows[0]) if rows else None

    def proposal_of(self, review_id: str) -> StoredProposal | None:
        """See `Reader`."""
        rows = self._line.rows(s.PROPOSAL_OF, review_id=review_id)
        return proposal_of(rows[0]) if rows else None

    def open_proposals(self, run_id: str) -> list[StoredProposal]:
        """See `Reader`."""
        return [proposal_of(row) for row in self._line.rows(s.OPEN_PROPOSALS, run_id=run_id)]

    # -- the gate log ---------------------------------------------------------------------------

    def last_visit(
        self, run_id: str, step: str, place: str, *, shards: range
    ) -> tuple[int, str] | None:
        """See `Reader`."""
        among = {"first": shards[0], "last": shards[-1]}
        rows = self._line.rows(s.LAST_VISIT, run_id=run_id, step=step, place=place, **among)
        return (rows[0].visit, rows[0].checkpoint_id) if rows else None

    def denied_effects(self, run_id: str) -> set[str]:
        """See `Reader`."""
        return {row.fingerprint for row in self._line.rows(s.DENIED_EFFECTS, run_id=run_id)}

    def gate(self, gate_id: str) -> GateRow:
        """See `Reader`."""
        rows = self._line.rows(s.GATE_BY_ID, id=gate_id)
        return gate_of(found("gate row", gate_id, rows[0] if rows else None))

    def gates(
        self, run_id: str, *, live_only: bool = False, limit: int | None = None
    ) -> list[GateRow]:
        """See `Reader`."""
        query = s.GATES.where(GATE.c.run_id == run_id).order_by(*_GATE_ORDER).limit(limit)
        if live_only:
            query = query.where(GATE.c.undone_at.is_(None))
        return [gate_of(row) for row in self._rows(query)]

    def newest_gates(self, run_id: str) -> Iterator[GateRow]:
        """See `Reader`."""
        before = _AFTER_ALL
        while rows := self._line.rows(s.NEWEST_GATES, run_id=run_id, before=before, most=_AT_ONCE):
            yield from map(gate_of, rows)
            before = rows[-1].seq

    def label_counts(self, workflow: str, step: str) -> tuple[int, int]:
        """See `Reader`."""
        counted = self._line.rows(s.LABEL_COUNTS, workflow=workflow, step=step)[0]
        return int(counted.right), int(counted.judged)

    # -- the mailbox and the rest ----------------------------------------------------

    def mail(self, run_id: str, *, now: datetime) -> list[Mail]:
        """See `Reader`."""
        return [mail_of(row) for row in self._line.rows(s.MAIL_OF_RUN, run_id=run_id, now=now)]

    def due_runs(self, *, now: datetime, limit: int = 100) -> list[str]:
        """See `Reader`."""
        at = self._line.lease_time(now)
        found = self._line.rows(s.DUE_RUNS, now=now, lease_time=at, most=limit)
        return [row.run_id for row in found]

    def next_due(self) -> datetime | None:
        """See `Reader`."""
        return cast("datetime | None", self._line.value(s.NEXT_DUE))

    def due_timers(self, *, now: datetime, limit: int = 100) -> list[Mail]:
        """See `Reader`."""
        return [mail_of(row) for row in self._line.rows(s.DUE_TIMERS, now=now, most=limit)]

    def policy(self, policy_hash: str) -> JsonObject | None:
        """See `Reader`."""
        text = self._line.value(s.POLICY_BODY, policy_hash=policy_hash)
        return None if text is None else json_value(text)

    def outcomes(self, run_id: str) -> list[Outcome]:
        """See `Reader`."""
        rows = self._line.rows(s.OUTCOMES, run_id=run_id)
        return [Outcome.model_validate_json(row.record) for row in rows]

    def setting(self, key: str) -> str | None:
        """See `Reader`."""
        return cast("str | None", self._line.value(s.SETTING_VALUE, key=key))

    def _rows(self, query: Select[Any]) -> list[Any]:
        """Run a query whose shape depends on what was asked for."""
        return list(self._line.sql.execute(query).all())
