"""The fenced saver on SQLite."""

import contextlib
import sqlite3
from collections.abc import Iterator

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite import SqliteSaver

from hitl.graph.saver import FencedSaver
from hitl.ports import Store, Transaction


class FencedSqliteSaver(FencedSaver, SqliteSaver):
    """LangGraph's saver for SQLite, fenced; see `FencedSaver`."""

    def __init__(self, store: Store, *, serde: SerializerProtocol) -> None:
        FencedSaver.__init__(self, store)
        SqliteSaver.__init__(self, store.write(lambda t: t.connection), serde=serde)
        store.write(_create_tables)
        self.is_setup = True

    @property
    def conn(self) -> sqlite3.Connection:
        """The connection of the store's work that is under way in this thread."""
        found: sqlite3.Connection = self._connection
        return found

    @conn.setter
    def conn(self, connection: sqlite3.Connection) -> None:
        """Ignore what the parent class is given: which connection it is depends on the thread."""

    @contextlib.contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:  # noqa: FBT001, FBT002 - the parent's signature
        """Yield a cursor inside the store's work that is under way in this thread."""
        cursor = self.conn.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


def _create_tables(t: Transaction) -> None:
    for statement in _TABLES:
        t.connection.execute(statement)
    columns = {row[1] for row in t.connection.execute("PRAGMA table_info(writes)")}
    if "task_path" not in columns:
        t.connection.execute("ALTER TABLE writes ADD COLUMN task_path TEXT NOT NULL DEFAULT ''")


_TABLES = (
    """CREATE TABLE IF NOT EXISTS checkpoints (
        thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
        checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT, type TEXT,
        checkpoint BLOB, metadata BLOB,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))""",
    """CREATE TABLE IF NOT EXISTS writes (
        thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
        checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, task_path TEXT NOT NULL DEFAULT '',
        idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB,
        PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))""",
)
