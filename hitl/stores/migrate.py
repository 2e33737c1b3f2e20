"""The schema over time, by Alembic. The caller opens and commits the transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from hitl.errors import NewerDatabase
from hitl.stores.rows import VERSION_TABLE


def revision(connection: Connection) -> str | None:
    """Return the schema's revision; None when hitl has no tables in this database yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant


def known_revisions() -> set[str]:
    """Return the revisions this version of hitl knows."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def migrate(connection: Connection, url: str) -> None:
    """Bring the schema to this version's revision.

    Raises:
        NewerDatabase: A later version of hitl wrote this database.
    """
    refuse_newer(connection, url)
    command.upgrade(_config(connection), "head")


def refuse_newer(connection: Connection, url: str) -> None:
    """Raise `NewerDatabase` when the schema's revision is not known to this version of hitl."""
    current = revision(connection)
    if current is not None and current not in known_revisions():
        raise NewerDatabase(url, current)


def drift(connection: Connection) -> None:
    """Raise when the tables of `rows` differ from what the migrations make."""
    command.check(_config(connection))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
