"""Stores as the command line opens them: to read beside a writer, to decide through one, or to own."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Protocol, TypeVar

from hitl.authority import GRANTS, May
from hitl.client import QueueClient
from hitl.errors import StoreError, StoreInUse, UserRefused
from hitl.ports import Reader, Transaction
from hitl.reviews import ReviewQueue
from hitl.stores import holder, open_reader, open_store

T = TypeVar("T")


class Readings(Protocol):
    """What reads a store."""

    url: str

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        ...

    def close(self) -> None:
        """See `Store`."""
        ...


class ReadOnlyStore:
    """A store of another process, or of nobody, that is only looked at. See `hitl.ports.Store`."""

    lease = timedelta(0)

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self.url = readings.url

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        return self._readings.read(work)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Raise `StoreError`."""
        raise StoreError(f"The store {self.url!r} was opened for reading; nothing was written.")

    def submit(self, work: Callable[[Transaction], T], *, run_id: str | None = None) -> "Future[T]":
        """Raise `StoreError`."""
        return self.write(lambda _: Future())  # raises; the type is Store's

    def on_mail(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Return a function that does nothing: a reader gives no orders."""
        return lambda: None

    def close(self) -> None:
        """See `Store`."""
        self._readings.close()


@contextlib.contextmanager
def reading(url: str) -> Iterator[ReviewQueue]:
    """Give the queue of a store for looking, also while another process writes it.

    Raises:
        StoreError: There is no such store, or its tables are of another version.
    """
    with looking(url) as store:
        yield ReviewQueue(store)


@contextlib.contextmanager
def looking(url: str) -> Iterator[ReadOnlyStore]:
    """Give a store for looking, also while another process writes it.

    Raises:
        StoreError: There is no such store, or its tables are of another version.
    """
    store = ReadOnlyStore(open_reader(url))
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def deciding(url: str) -> Iterator[ReviewQueue | QueueClient]:
    """Give what takes decisions on a store: the process that serves it, or the store itself.

    Raises:
        StoreInUse: A process writes it and serves no queue.
        StoreError: It cannot be opened.
    """
    held = holder(url)
    if held is None:
        store = open_store(url)
        try:
            yield ReviewQueue(store)
        finally:
            store.close()
        return
    if held.url is None or held.token is None:
        raise StoreInUse(url, f"process {held.pid}, which serves no queue")
    with QueueClient(held.url, os.environ.get("HITL_KEY") or held.token) as queue:
        yield queue


def check_name(queue: ReviewQueue | QueueClient, by: str, act: May) -> None:
    """Refuse to act in somebody else's name on a store that has users.

    A serving process checks the key itself.

    Args:
        queue: What is about to be asked.
        by: In whose name.
        act: What is about to be done.

    Raises:
        UserRefused: `HITL_KEY` is not that person's key, or may not do this.
    """
    if isinstance(queue, QueueClient) or not queue.users.exist():
        return
    key = queue.users.who(os.environ.get("HITL_KEY", ""))
    if key is None or key.name != by or act not in GRANTS[key.role]:
        raise UserRefused(
            f"This store has users: to {act.value} as {by!r}, set HITL_KEY to a key of {by!r} that"
            " may. Nothing was saved."
        )
