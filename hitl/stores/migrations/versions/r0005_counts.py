"""Counts of reviews in parts: on Postgres no decision waits for another's commit to be counted."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LESS = " UPDATE hitl_review_count SET n = n - 1 WHERE status = OLD.status;"
_MORE = (
    " INSERT INTO hitl_review_count (status, part, n) VALUES (NEW.status, 0, 1)"
    " ON CONFLICT (status, part) DO UPDATE SET n = n + 1;"
)
_NAMES = ("hitl_review_is_counted", "hitl_review_is_moved", "hitl_review_is_gone")
_TRIGGERS = {
    "postgresql": (
        "CREATE FUNCTION hitl_count_reviews(at text, by integer) RETURNS void LANGUAGE sql AS"
        " 'INSERT INTO hitl_review_count AS c (status, part, n)"
        " VALUES (at, mod(pg_backend_pid(), 128), by)"
        " ON CONFLICT (status, part) DO UPDATE SET n = c.n + excluded.n'",
        "CREATE FUNCTION hitl_count_review() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN"
        " IF TG_OP <> ''INSERT'' THEN PERFORM hitl_count_reviews(OLD.status, -1); END IF;"
        " IF TG_OP <> ''DELETE'' THEN PERFORM hitl_count_reviews(NEW.status, 1); END IF;"
        " RETURN NULL; END'",
        f"CREATE TRIGGER {_NAMES[0]} AFTER INSERT OR DELETE ON hitl_review"
        " FOR EACH ROW EXECUTE FUNCTION hitl_count_review()",
        f"CREATE TRIGGER {_NAMES[1]} AFTER UPDATE OF status ON hitl_review FOR EACH ROW"
        " WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION hitl_count_review()",
    ),
    "sqlite": (
        f"CREATE TRIGGER {_NAMES[0]} AFTER INSERT ON hitl_review BEGIN {_MORE} END",
        f"CREATE TRIGGER {_NAMES[1]} AFTER UPDATE OF status ON hitl_review"
        f" WHEN OLD.status <> NEW.status BEGIN {_LESS} {_MORE} END",
        f"CREATE TRIGGER {_NAMES[2]} AFTER DELETE ON hitl_review BEGIN {_LESS} END",
    ),
}


def upgrade() -> None:
    """Count again into a table with parts; the triggers that keep it follow."""
    database = op.get_bind().dialect.name
    if database == "sqlite":
        for name in _NAMES:
            op.execute(f"DROP TRIGGER {name}")
    op.drop_table("hitl_review_count")
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.create_table(
        "hitl_review_count",
        sa.Column("status", text, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("status", "part", name="pk_hitl_review_count"),
    )
    op.execute(
        "INSERT INTO hitl_review_count (status, part, n)"
        " SELECT status, 0, count(*) FROM hitl_review GROUP BY status"
    )
    for statement in _TRIGGERS[database]:
        op.execute(statement)
