"""Sealed heads over the trail, and what the trail's events say about people in rows of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_REFUSE = " BEGIN SELECT RAISE(ABORT, 'Sealed heads are append-only.'); END"
_IS_THERE = "SELECT 1 FROM hitl_head WHERE seq = NEW.seq"
_TRIGGERS = {
    "postgresql": (
        "CREATE TRIGGER hitl_head_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl_head"
        " FOR EACH STATEMENT EXECUTE FUNCTION hitl_refuse('Sealed heads are append-only.')",
    ),
    "sqlite": (
        "CREATE TRIGGER hitl_head_keeps_update BEFORE UPDATE ON hitl_head" + _REFUSE,
        "CREATE TRIGGER hitl_head_keeps_delete BEFORE DELETE ON hitl_head" + _REFUSE,
        # INSERT OR REPLACE would delete the old row without firing its DELETE trigger
        "CREATE TRIGGER hitl_head_keeps_insert BEFORE INSERT ON hitl_head"
        f" WHEN EXISTS ({_IS_THERE})" + _REFUSE,
    ),
}


def upgrade() -> None:
    """Create the two tables, and the triggers that keep heads as they are."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "hitl_head",
        sa.Column("seq", long, nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_hitl_head"),
    )
    op.create_table(
        "hitl_audit_personal",
        sa.Column("run_id", text, nullable=False),
        sa.Column("chain_seq", sa.Integer(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "chain_seq", name="pk_hitl_audit_personal"),
    )
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
