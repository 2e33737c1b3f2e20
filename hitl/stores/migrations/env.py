"""How Alembic runs here: on a connection that the caller gives, in the caller's transaction."""

from typing import Any

from alembic import context

from hitl.failpoints import reach
from hitl.stores.rows import PREFIX, VERSION_TABLE, Row


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave the tables of LangGraph and of the user's program alone."""
    return kind != "table" or (name or "").startswith(PREFIX)


def _after_step(*_: Any, **__: Any) -> None:
    reach("migrate.mid_step")


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Row.metadata,
    version_table=VERSION_TABLE,
    include_name=_is_ours,
    render_as_batch=connection.dialect.name == "sqlite",
    on_version_apply=_after_step,
)
with context.begin_transaction():
    context.run_migrations()
