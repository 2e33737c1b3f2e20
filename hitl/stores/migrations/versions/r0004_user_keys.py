"""Users' keys: who may come in, and as what."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "hitl_user_key",
        sa.Column("id", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hitl_user_key"),
    )
    op.create_index("ix_hitl_user_key_name", "hitl_user_key", ["name"])
