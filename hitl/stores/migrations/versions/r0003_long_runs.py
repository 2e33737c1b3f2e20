"""Indexes for what a long run reads at each step: its newest gates, and what it withholds."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_hitl_gate_newest", "hitl_gate", ["run_id", "seq"])
    op.create_index("ix_hitl_proposal_open", "hitl_proposal", ["run_id", "settled", "seq"])
    op.create_index("ix_hitl_review_run", "hitl_review", ["run_id", "status", "sort_at", "id"])
