"""Which fenced saver a store needs. Postgres is loaded only for a store on Postgres."""

import sqlite3
from importlib.util import find_spec

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from hitl.errors import MissingExtra
from hitl.graph.saver import FencedSaver
from hitl.graph.saver_sqlite import FencedSqliteSaver
from hitl.ports import Store
from hitl.stores import open_store


def fenced_saver(store: Store, *, serde: SerializerProtocol) -> FencedSaver:
    """Return the saver of the store's database; its tables are made if they are missing.

    Raises:
        MissingExtra: The store is on Postgres and LangGraph's saver for it is not installed.
    """
    if store.read(lambda r: isinstance(r.connection, sqlite3.Connection)):
        return FencedSqliteSaver(store, serde=serde)
    if find_spec("langgraph.checkpoint.postgres") is None:
        missing = "langgraph-checkpoint-postgres"
        raise MissingExtra("A workflow on Postgres", "postgres", missing)
    from hitl.graph.saver_postgres import FencedPostgresSaver  # noqa: PLC0415 - an extra

    return FencedPostgresSaver(store, serde=serde)


def make_tables(url: str) -> None:
    """Create or upgrade LangGraph's tables in the store `url` names.

    Raises:
        StoreError: It cannot be opened.
        MissingExtra: LangGraph's saver for Postgres is not installed.
    """
    store = open_store(url)
    try:
        fenced_saver(store, serde=JsonPlusSerializer())
    finally:
        store.close()
