"""Stores: where runs, reviews, decisions, the gate log and the trail are kept."""

from hitl.stores.lock import Holder
from hitl.stores.sqlite import (
    SqliteReadings,
    SqliteStore,
    holder,
    open_reader,
    open_store,
    upgrade,
    wal_reset_affected,
)

__all__ = [
    "Holder",
    "SqliteReadings",
    "SqliteStore",
    "holder",
    "open_reader",
    "open_store",
    "upgrade",
    "wal_reset_affected",
]
