"""One open store per database and process, however many workflows use it.

A SQLite file has one writer; a notebook that wraps its graph a second time must not be refused by
the first time. On Postgres they share connections.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from hitl.ports import Clock, Store
from hitl.stores.opening import is_postgres, open_store

_FILE = "sqlite:///"


@dataclass
class _Shared:
    store: Store
    users: int = 0


_open: dict[tuple[int, str], _Shared] = {}
_guard = threading.Lock()


def borrow(url: str, *, clock: Clock) -> Store:
    """Return the store at `url`, opened at the first call; each call is matched by a `give_back`.

    A store in memory is never shared.

    Raises:
        StoreError: It cannot be opened; see `open_store`.
    """
    name = _name(url)
    if name is None:
        return open_store(url, clock=clock)
    key = (os.getpid(), name)
    with _guard:
        shared = _open.get(key)
        if shared is None:
            shared = _open[key] = _Shared(open_store(url, clock=clock))
        shared.users += 1
        return shared.store


def give_back(store: Store) -> None:
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


def _name(url: str) -> str | None:
    """Return what names the database in this process; None when it is never shared."""
    if is_postgres(url):
        return url
    if url.startswith(_FILE) and ":memory:" not in url and url != _FILE:
        return str(Path(url.removeprefix(_FILE)).resolve())
    return None
