"""The fenced saver on Postgres."""

import contextlib
from collections.abc import Iterator
from typing import Any

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg import Cursor
from psycopg.rows import DictRow, dict_row

from hitl.graph.saver import FencedSaver
from hitl.ports import Store, Transaction

_LOCK = 0x6869_7403
"""An advisory lock's number: processes that start together make the tables one after the other."""


class FencedPostgresSaver(FencedSaver, PostgresSaver):
    """LangGraph's saver for Postgres, fenced; see `FencedSaver`."""

    def __init__(self, store: Store, *, serde: SerializerProtocol) -> None:
        FencedSaver.__init__(self, store)
        PostgresSaver.__init__(self, store.write(lambda t: t.connection), serde=serde)
        if store.read(lambda r: _version(r.connection)) < len(self.MIGRATIONS) - 1:
            store.write(lambda t: _create_tables(t, self.MIGRATIONS))

    @property
    def conn(self) -> Any:
        """The connection of the store's work that is under way in this thread."""
        return self._connection

    @conn.setter
    def conn(self, connection: Any) -> None:
        """Ignore what the parent class is given: which connection it is depends on the thread."""

    @contextlib.contextmanager
    def _cursor(self, *, pipeline: bool = False) -> Iterator[Cursor[DictRow]]:
        """Yield a cursor inside the store's work that is under way in this thread."""
        with self.conn.cursor(binary=True, row_factory=dict_row) as cursor:
            yield cursor


def _create_tables(t: Transaction, migrations: list[str]) -> None:
    """Bring LangGraph's tables to its version, as its own `setup` does, in one transaction."""
    raw = t.connection
    raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    for number in range(_version(raw) + 1, len(migrations)):
        # an index that is built beside others' writes cannot be built in a transaction
        raw.execute(migrations[number].replace("CONCURRENTLY", ""))
        raw.execute("INSERT INTO checkpoint_migrations (v) VALUES (%s)", [number])


def _version(raw: Any) -> int:
    """Return the version of LangGraph's tables; -1 when there are none."""
    if raw.execute("SELECT to_regclass('checkpoint_migrations')").fetchone()[0] is None:
        return -1
    newest = raw.execute("SELECT max(v) FROM checkpoint_migrations").fetchone()[0]
    return -1 if newest is None else int(newest)
