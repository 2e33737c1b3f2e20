"""Stores: where runs, reviews, decisions, the gate log and the trail are kept."""

from hitl.stores.lock import Holder
from hitl.stores.opening import (
    holder,
    is_postgres,
    may_lose,
    open_reader,
    open_store,
    shown,
    upgrade,
)
from hitl.stores.shared import borrow, give_back
from hitl.stores.sqlite import SqliteReadings, SqliteStore, wal_reset_affected

__all__ = [
    "Holder",
    "SqliteReadings",
    "SqliteStore",
    "borrow",
    "give_back",
    "holder",
    "is_postgres",
    "may_lose",
    "open_reader",
    "open_store",
    "shown",
    "upgrade",
    "wal_reset_affected",
]
