"""The baseline: every table of the first release."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_REFUSE = " BEGIN SELECT RAISE(ABORT, 'The audit trail is append-only.'); END"
_IS_THERE = (
    "SELECT 1 FROM hitl_audit WHERE seq = NEW.seq"
    " OR (run_id = NEW.run_id AND chain_seq = NEW.chain_seq)"
)
_ONE_LESS = " UPDATE hitl_review_count SET n = n - 1 WHERE status = OLD.status;"
_ONE_MORE = (
    " INSERT INTO hitl_review_count (status, n) VALUES (NEW.status, 1)"
    " ON CONFLICT (status) DO UPDATE SET n = n + 1;"
)
_REFUSED = "hitl_refuse('The audit trail is append-only.')"
_TRIGGERS = {
    "postgresql": (
        "CREATE FUNCTION hitl_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0]; END'",
        "CREATE TRIGGER hitl_audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl_audit"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSED}",
        # reviews are counted from revision 0005 on: no Postgres database is older
    ),
    "sqlite": (
        "CREATE TRIGGER hitl_audit_keeps_update BEFORE UPDATE ON hitl_audit" + _REFUSE,
        "CREATE TRIGGER hitl_audit_keeps_delete BEFORE DELETE ON hitl_audit" + _REFUSE,
        # INSERT OR REPLACE would delete the old row without firing its DELETE trigger
        f"CREATE TRIGGER hitl_audit_keeps_insert BEFORE INSERT ON hitl_audit"
        f" WHEN EXISTS ({_IS_THERE})" + _REFUSE,
        f"CREATE TRIGGER hitl_review_is_counted AFTER INSERT ON hitl_review BEGIN {_ONE_MORE} END",
        "CREATE TRIGGER hitl_review_is_moved AFTER UPDATE OF status ON hitl_review"
        f" WHEN OLD.status <> NEW.status BEGIN {_ONE_LESS} {_ONE_MORE} END",
        f"CREATE TRIGGER hitl_review_is_gone AFTER DELETE ON hitl_review BEGIN {_ONE_LESS} END",
    ),
}


def upgrade() -> None:
    """Create the tables, and the triggers that keep the trail append-only and reviews counted."""
    _runs()
    _reviews()
    _decisions()
    _proposals()
    _gates()
    _trail()
    _mail()
    _smaller_tables()
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def _text(name: str, *, null: bool = False) -> sa.Column[Any]:
    # in the order of its bytes everywhere, whatever language the server sorts by
    kind = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=null)


def _long(name: str) -> sa.Column[Any]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False)


def _int(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _bool(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _time(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _unique(name: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_hitl_{name}")


def _index(
    name: str, table: str, *columns: str, where: str | None = None, unique: bool = False
) -> None:
    only = sa.text(where) if where else None
    op.create_index(
        name, table, list(columns), sqlite_where=only, postgresql_where=only, unique=unique
    )


def _runs() -> None:
    op.create_table(
        "hitl_run",
        _text("id"),
        _text("workflow"),
        _text("status"),
        _time("created_at"),
        _text("input_type", null=True),
        sa.Column("input_blob", sa.LargeBinary(), nullable=True),
        _int("epoch"),
        _text("owner", null=True),
        _time("lease_until", null=True),
        _json("record"),
        _key("hitl_run", "id"),
    )
    _index("ix_hitl_run_newest", "hitl_run", "created_at", "id")
    _index("ix_hitl_run_status", "hitl_run", "status", "created_at", "id")
    _index("ix_hitl_run_workflow", "hitl_run", "workflow", "created_at", "id")


def _reviews() -> None:
    op.create_table(
        "hitl_review",
        _text("id"),
        _text("run_id"),
        _text("workflow"),
        _text("status"),
        _text("step"),
        _text("place"),
        _int("visit"),
        _int("shard"),
        _bool("blocking"),
        _text("proposal_hash"),
        _time("sort_at"),
        _time("expires_at", null=True),
        _json("record"),
        _key("hitl_review", "id"),
    )
    op.create_table(
        "hitl_review_count", _text("status"), _int("n"), _key("hitl_review_count", "status")
    )
    _index("ix_hitl_review_queue", "hitl_review", "status", "sort_at", "id")
    _index("ix_hitl_review_due", "hitl_review", "sort_at", "id")
    _index("ix_hitl_review_visit", "hitl_review", "run_id", "step", "place", "visit")


def _of_review(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["review_id"], ["hitl_review.id"], name=f"fk_{table}_review_id")


def _decisions() -> None:
    op.create_table(
        "hitl_decision",
        _long("seq"),
        _text("decision_id"),
        _text("review_id"),
        _text("verdict"),
        _text("made_by"),
        _time("decided_at"),
        _json("record"),
        _key("hitl_decision", "seq"),
        _unique("decision_decision_id", "decision_id"),
        _unique("decision_review_id", "review_id"),
        _of_review("hitl_decision"),
    )
    op.create_table(
        "hitl_intent",
        _long("seq"),
        _text("review_id"),
        _time("commit_at"),
        _text("outcome", null=True),
        _time("ended_at", null=True),
        _json("record"),
        _key("hitl_intent", "seq"),
        _of_review("hitl_intent"),
    )
    _index("ix_hitl_intent_review_id", "hitl_intent", "review_id")
    _index("uq_hitl_intent_live", "hitl_intent", "review_id", where="outcome IS NULL", unique=True)


def _proposals() -> None:
    op.create_table(
        "hitl_proposal",
        _long("seq"),
        _text("run_id"),
        _text("task_id"),
        _text("place"),
        _int("attempt"),
        _int("rollout"),
        _text("review_id"),
        _bool("settled"),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        _json("record"),
        _key("hitl_proposal", "seq"),
        _unique("proposal_key", "run_id", "task_id", "place", "attempt", "rollout"),
    )
    _index("ix_hitl_proposal_review_id", "hitl_proposal", "review_id")


def _gates() -> None:
    op.create_table(
        "hitl_gate",
        _long("seq"),
        _text("id"),
        _text("run_id"),
        _text("workflow"),
        _text("step"),
        _text("place"),
        _int("visit"),
        _int("shard"),
        _text("checkpoint_id"),
        _text("review_id", null=True),
        _bool("counts"),
        _time("committed_at", null=True),
        _time("undone_at", null=True),
        _text("superseded_by", null=True),
        _json("record"),
        _key("hitl_gate", "seq"),
        _unique("gate_id", "id"),
    )
    _index("ix_hitl_gate_visit", "hitl_gate", "run_id", "step", "place", "visit")
    _index("ix_hitl_gate_asked", "hitl_gate", "workflow", "step", where="review_id IS NOT NULL")


def _trail() -> None:
    op.create_table(
        "hitl_audit",
        _long("seq"),
        _text("run_id"),
        _int("chain_seq"),
        _text("prev"),
        _text("hash"),
        _json("body"),
        _key("hitl_audit", "seq"),
        _unique("audit_run_id_chain_seq", "run_id", "chain_seq"),
        sqlite_autoincrement=True,
    )


def _mail() -> None:
    op.create_table(
        "hitl_mail",
        _long("id"),
        _text("run_id"),
        _text("kind"),
        _text("key"),
        _time("due_at"),
        _time("done_at", null=True),
        _json("payload"),
        _key("hitl_mail", "id"),
        _unique("mail_key", "key"),
        sqlite_autoincrement=True,
    )
    _index("ix_hitl_mail_due", "hitl_mail", "due_at", where="done_at IS NULL")
    _index("ix_hitl_mail_run", "hitl_mail", "run_id", "due_at", where="done_at IS NULL")


def _smaller_tables() -> None:
    op.create_table(
        "hitl_denied_effect",
        _text("run_id"),
        _text("fingerprint"),
        _key("hitl_denied_effect", "run_id", "fingerprint"),
    )
    op.create_table(
        "hitl_outcome",
        _long("seq"),
        _text("id"),
        _text("run_id"),
        _json("record"),
        _key("hitl_outcome", "seq"),
        _unique("outcome_id", "id"),
    )
    _index("ix_hitl_outcome_run_id", "hitl_outcome", "run_id")
    op.create_table(
        "hitl_policy",
        _text("policy_hash"),
        _time("saved_at"),
        _json("body"),
        _key("hitl_policy", "policy_hash"),
    )
    op.create_table("hitl_setting", _text("key"), _text("value"), _key("hitl_setting", "key"))
