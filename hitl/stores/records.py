"""From rows to records, and how a page of records follows the one before."""

from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic_core import from_json
from sqlalchemy import Column, ColumnElement, Tuple, literal, tuple_

from hitl.audit import TrailLine
from hitl.errors import NotFound
from hitl.models import (
    AuditEvent,
    Decision,
    Denial,
    GateRow,
    Mail,
    MailKind,
    Review,
    ReviewStatus,
    StoredProposal,
)
from hitl.stores.text import json_value

T = TypeVar("T")

NEVER = datetime.max.replace(tzinfo=UTC)
"""Where reviews without a due time stand in the order of due times."""
REVIEW_COLUMNS = frozenset({"status", "decision"})
"""What a review's record leaves to columns and to the table of decisions."""
GATE_COLUMNS = frozenset({"undone_at", "superseded_by"})
"""What a gate row's record leaves to columns, because a rollback changes it."""
PROPOSAL_COLUMNS = frozenset({"blob", "settled"})
"""What a proposal's record leaves to columns."""


def found(kind: str, id: str, value: T | None) -> T:
    """Return `value`, or raise `NotFound` when there is none."""
    if value is None:
        raise NotFound(kind, id)
    return value


# -- rows to records ----------------------------------------------------------------------------


def review_of(row: Any) -> Review:
    """Return the review of a row with `record`, `status` and the decision's record or None."""
    text = row.decision
    changes = {
        "status": ReviewStatus(row.status),
        "decision": None if text is None else Decision.model_validate_json(text),
    }
    return Review.model_validate_json(row.record).model_copy(update=changes)


def denial_of(row: Any) -> Denial:
    """Return what a retried step sees of a denied review."""
    review, decision = review_of(row), Decision.model_validate_json(row.decision)
    return Denial(
        step=review.name.step,
        attempt=review.attempt,
        reasons=decision.reasons,
        note=decision.note,
        by=decision.by,
        at=decision.decided_at,
    )


def proposal_of(row: Any) -> StoredProposal:
    """Return the proposal of a row with `record`, `blob` and `settled`."""
    kept: dict[str, Any] = json_value(row.record)
    kept |= {"blob": bytes(row.blob), "settled": row.settled}
    return StoredProposal.model_validate(kept)


def gate_of(row: Any) -> GateRow:
    """Return the gate row of a row with `record`, `undone_at` and `superseded_by`."""
    gate = GateRow.model_validate_json(row.record)
    if row.undone_at is None:
        return gate
    changes = {"undone_at": row.undone_at, "superseded_by": row.superseded_by}
    return gate.model_copy(update=changes)


def event_of(line: TrailLine) -> AuditEvent:
    """Return the event of a line of the trail, with what it says about people."""
    return AuditEvent(
        seq=line.seq,
        run_id=line.run_id,
        chain_seq=line.chain_seq,
        prev=line.prev,
        hash=line.hash,
        body=line.body,
        personal=None if line.personal is None else from_json(line.personal),
    )


def mail_of(row: Any) -> Mail:
    """Return the order of a row of the mailbox."""
    return Mail(
        id=row.id,
        run_id=row.run_id,
        kind=MailKind(row.kind),
        key=row.key,
        payload=json_value(row.payload),
        due_at=row.due_at,
        done=row.done_at is not None,
    )


# -- conditions ---------------------------------------------------------------------------------


def one_of(column: Column[Any], values: Collection[StrEnum]) -> ColumnElement[bool]:
    """Return the condition that `column` is one of `values`; an equality when it is one value."""
    plain = [value.value for value in values]
    return column == plain[0] if len(plain) == 1 else column.in_(plain)


def position(time: Column[Any], id: Column[Any]) -> Tuple:
    """Return a row's place in an order by time, then id."""
    return tuple_(time, id)


def place_of(at: datetime, id: str, *, like: Column[Any]) -> Tuple:
    """Return the place to compare `position` with; `like` gives the time's type."""
    return tuple_(literal(at, like.type), literal(id))
