"""Stores: where runs, reviews, decisions, the gate log and the trail are kept."""

from hitl.stores.lock import Holder
from hitl.stores.shared import borrow, give_back
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
    "borrow",
    "give_back",
    "holder",
    "open_reader",
    "open_store",
    "upgrade",
    "wal_reset_affected",
]
