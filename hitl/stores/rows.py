"""The tables: the columns that are queried, and the whole record as JSON. Rows never leave `stores`.

SQLModel's table classes do not validate, so they only describe; records are rebuilt by pydantic from
the JSON. Their own registry keeps them out of the `SQLModel.metadata` of the user's program.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
PREFIX = "hitl_"
VERSION_TABLE = "hitl_version"
REVISION = "0005"
"""The schema's revision that these tables are; the newest migration."""


_LONG = BigInteger().with_variant(Integer(), "sqlite")
"""A number that is given out again and again; SQLite's integers are long enough."""


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMES))):
    """Base of the tables; its metadata holds them all."""


def _json() -> Column[Any]:
    """Return a column of JSON text; the engine is told to pass the text through.

    Never JSONB: it rewrites numbers, which breaks the hashes over them, and refuses NUL.
    """
    return Column(JSON(), nullable=False)


def _only(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index over the rows that fit `where`."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class RunRow(Row, table=True):
    """One run, its lease and the input of its latest turn."""

    __tablename__ = "hitl_run"
    __table_args__ = (
        Index("ix_hitl_run_newest", "created_at", "id"),
        Index("ix_hitl_run_status", "status", "created_at", "id"),
        Index("ix_hitl_run_workflow", "workflow", "created_at", "id"),
    )

    id: str = Field(primary_key=True)
    workflow: str
    status: str
    created_at: datetime
    input_type: str | None = None
    input_blob: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    epoch: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    record: str = Field(sa_column=_json())


class ReviewRow(Row, table=True):
    """One review. `status` is the truth; the record holds neither status nor decision."""

    __tablename__ = "hitl_review"
    __table_args__ = (
        Index("ix_hitl_review_queue", "status", "sort_at", "id"),
        Index("ix_hitl_review_due", "sort_at", "id"),
        Index("ix_hitl_review_visit", "run_id", "step", "place", "visit"),
        Index("ix_hitl_review_run", "run_id", "status", "sort_at", "id"),
    )

    id: str = Field(primary_key=True)
    run_id: str
    workflow: str
    status: str
    step: str
    place: str
    visit: int
    shard: int
    blocking: bool
    proposal_hash: str
    sort_at: datetime
    """When it is due; the end of time when it never is, so that those come last."""
    expires_at: datetime | None = None
    record: str = Field(sa_column=_json())


class ReviewCountRow(Row, table=True):
    """How many reviews are in a status; kept by triggers, because pages show it all the time.

    Each connection to Postgres counts in a part of its own, so that no decision waits for another's
    commit; the parts add up. A part alone may be negative.
    """

    __tablename__ = "hitl_review_count"

    status: str = Field(primary_key=True)
    part: int = Field(primary_key=True)
    n: int


class DecisionRow(Row, table=True):
    """A decision: one for each review at most."""

    __tablename__ = "hitl_decision"
    __table_args__ = (UniqueConstraint("decision_id"), UniqueConstraint("review_id"))

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    decision_id: str
    review_id: str = Field(foreign_key="hitl_review.id")
    verdict: str
    made_by: str
    decided_at: datetime
    record: str = Field(sa_column=_json())


class IntentRow(Row, table=True):
    """A decision that can still be undone; live while `outcome` is null."""

    __tablename__ = "hitl_intent"
    __table_args__ = (
        Index("ix_hitl_intent_review_id", "review_id"),
        _only("uq_hitl_intent_live", "review_id", where="outcome IS NULL", unique=True),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    review_id: str = Field(foreign_key="hitl_review.id")
    commit_at: datetime
    outcome: str | None = None
    ended_at: datetime | None = None
    record: str = Field(sa_column=_json())


class ProposalRow(Row, table=True):
    """A withheld proposal. The record holds neither the blob nor `settled`."""

    __tablename__ = "hitl_proposal"
    __table_args__ = (
        UniqueConstraint(
            "run_id", "task_id", "place", "attempt", "rollout", name="uq_hitl_proposal_key"
        ),
        Index("ix_hitl_proposal_review_id", "review_id"),
        Index("ix_hitl_proposal_open", "run_id", "settled", "seq"),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    run_id: str
    task_id: str
    place: str
    attempt: int
    rollout: int
    review_id: str
    settled: bool = False
    blob: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    record: str = Field(sa_column=_json())


class GateLogRow(Row, table=True):
    """One gate evaluation. The record does not hold what a rollback changes later."""

    __tablename__ = "hitl_gate"
    __table_args__ = (
        UniqueConstraint("id"),
        Index("ix_hitl_gate_visit", "run_id", "step", "place", "visit"),
        Index("ix_hitl_gate_newest", "run_id", "seq"),
        _only("ix_hitl_gate_asked", "workflow", "step", where="review_id IS NOT NULL"),
    )

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    id: str
    run_id: str
    workflow: str
    step: str
    place: str
    visit: int
    shard: int
    checkpoint_id: str
    review_id: str | None = None
    counts: bool = True
    """Whether a person's verdict on its review is a label of the step: the winning rollout, no seed,
    no takeover without a reason."""
    committed_at: datetime | None = None
    undone_at: datetime | None = None
    superseded_by: str | None = None
    record: str = Field(sa_column=_json())


class AuditRow(Row, table=True):
    """One event of the trail. Triggers refuse every change."""

    __tablename__ = "hitl_audit"
    __table_args__ = (UniqueConstraint("run_id", "chain_seq"), {"sqlite_autoincrement": True})

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    run_id: str
    chain_seq: int
    prev: str
    hash: str
    body: str = Field(sa_column=_json())


class AuditPersonalRow(Row, table=True):
    """What an event says about people, apart from it: the event holds its salted digest only."""

    __tablename__ = "hitl_audit_personal"

    run_id: str = Field(primary_key=True)
    chain_seq: int = Field(primary_key=True)
    body: str = Field(sa_column=_json())


class HeadRow(Row, table=True):
    """A sealed head over the trail up to an event. Triggers refuse every change."""

    __tablename__ = "hitl_head"

    seq: int = Field(primary_key=True, sa_type=_LONG)
    record: str = Field(sa_column=_json())


class MailRow(Row, table=True):
    """One order to an engine, or a timer."""

    __tablename__ = "hitl_mail"
    __table_args__ = (
        UniqueConstraint("key"),
        _only("ix_hitl_mail_due", "due_at", where="done_at IS NULL"),
        _only("ix_hitl_mail_run", "run_id", "due_at", where="done_at IS NULL"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    run_id: str
    kind: str
    key: str
    due_at: datetime
    done_at: datetime | None = None
    payload: str = Field(sa_column=_json())


class DeniedEffectRow(Row, table=True):
    """An effect a person denied in a run."""

    __tablename__ = "hitl_denied_effect"

    run_id: str = Field(primary_key=True)
    fingerprint: str = Field(primary_key=True)


class OutcomeRow(Row, table=True):
    """A delayed label of a run."""

    __tablename__ = "hitl_outcome"
    __table_args__ = (UniqueConstraint("id"), Index("ix_hitl_outcome_run_id", "run_id"))

    seq: int | None = Field(default=None, primary_key=True, sa_type=_LONG)
    id: str
    run_id: str
    record: str = Field(sa_column=_json())


class PolicyRow(Row, table=True):
    """A policy's body by content hash."""

    __tablename__ = "hitl_policy"

    policy_hash: str = Field(primary_key=True)
    saved_at: datetime
    body: str = Field(sa_column=_json())


class SettingRow(Row, table=True):
    """A setting; the first value stays."""

    __tablename__ = "hitl_setting"

    key: str = Field(primary_key=True)
    value: str


class UserKeyRow(Row, table=True):
    """One key of one user."""

    __tablename__ = "hitl_user_key"

    id: str = Field(primary_key=True)
    name: str = Field(index=True)
    record: str = Field(sa_column=_json())


def _table(row: type[Row]) -> Table:
    return Row.metadata.tables[str(row.__tablename__)]


RUN = _table(RunRow)
REVIEW = _table(ReviewRow)
REVIEW_COUNT = _table(ReviewCountRow)
DECISION = _table(DecisionRow)
INTENT = _table(IntentRow)
PROPOSAL = _table(ProposalRow)
GATE = _table(GateLogRow)
AUDIT = _table(AuditRow)
AUDIT_PERSONAL = _table(AuditPersonalRow)
HEAD = _table(HeadRow)
MAIL = _table(MailRow)
DENIED_EFFECT = _table(DeniedEffectRow)
OUTCOME = _table(OutcomeRow)
POLICY = _table(PolicyRow)
SETTING = _table(SettingRow)
USER_KEY = _table(UserKeyRow)
