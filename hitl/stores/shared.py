"""One open store per database file and process, however many workflows use it.

A SQLite file has one writer; a notebook that wraps its graph a second time must not be refused by
the first time.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from hitl.ports import Clock
from hitl.stores.sqlite import SqliteStore, open_store

_FILE = "sqlite:///"


@dataclass
class _Shared:
    store: SqliteStore
    users: int = 0


_open: dict[tuple[int, str], _Shared] = {}
_guard = threading.Lock()


def borrow(url: str, *, clock: Clock) -> SqliteStore:
    """Return the store at `url`, opened at the first call; each call is matched by a `give_back`.

    A store in memory is never shared.

    Raises:
        StoreError: It cannot be opened; see `open_store`.
    """
    if not _is_file(url):
        return open_store(url, clock=clock)
    key = (os.getpid(), str(Path(url.removeprefix(_FILE)).resolve()))
    with _guard:
        shared = _open.get(key)
        if shared is None:
            shared = _open[key] = _Shared(open_store(url, clock=clock))
        shared.users += 1
        return shared.store


def give_back(store: SqliteStore) -> None:
    """Close the store when nobody else in this process uses it."""
    with _guard:
        for key, shared in list(_open.items()):
            if shared.store is not store:
                continue
            shared.users -= 1
            if shared.users > 0:
                return
            del _open[key]
    store.close()


def _is_file(url: str) -> bool:
    return url.startswith(_FILE) and ":memory:" not in url and url != _FILE
