"""The SQLite store: one file, one writer thread, many readers, no services."""

import atexit
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import TypeVar

from hitl import failpoints
from hitl.errors import StoreError, StoreUnavailable
from hitl.ports import Clock, Reader, Transaction, system_clock
from hitl.stores import sqlite_open
from hitl.stores.line import Line
from hitl.stores.listeners import Listeners
from hitl.stores.lock import Holder, WriterLock, holder_of
from hitl.stores.reader import SqlReader
from hitl.stores.sqlite_refusals import FROM_THE_DATABASE, refusal
from hitl.stores.sqlite_writer import Writer

T = TypeVar("T")

_IDLE_READERS = 8
"""Reading connections kept open; more are opened when more threads read at once."""
_WIPE_WAIT = 10.0
"""Seconds `wipe` waits for readers to let go of the log."""
_UPGRADE_WAIT = 60.0
"""Seconds `upgrade` waits for another process's upgrade."""


class SqliteStore:
    """Implements `hitl.ports.Store` on a SQLite file, or in memory.

    Writes of this process are committed together by one thread; a second process that opens the same
    file gets `StoreInUse`. Reads never wait for writes.
    """

    lease = timedelta(seconds=30)
    """Long: whoever opens the file next ends the leases of the one before."""

    def __init__(self, url: str, *, clock: Clock = system_clock) -> None:
        """Open the database, create or upgrade its tables, and start the writer.

        Raises:
            StoreUnavailable: It cannot be opened.
            StoreInUse: Another process writes it.
            NewerDatabase: A later version of hitl wrote it.
        """
        failpoints.armed()  # said here, and not in the middle of a run
        sqlite_open.refuse_old_sqlite(url)
        self.url = url
        self._pid = os.getpid()
        self._at = sqlite_open.locate(url)
        self._lock: WriterLock | None = sqlite_open.take_lock(self._at)
        self._mail = Listeners()
        try:
            self._writer = Writer(
                lambda: sqlite_open.open_writer(self._at),
                url=url,
                clock=clock,
                on_orders=self._mail.tell,
            )
        except BaseException:
            self._release()
            raise
        self._readers = _Readers(self._at)
        atexit.register(self.close)

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`. Inside a job it reads what the job's own transaction sees."""
        if self._writer.is_here() and self._writer.under_way is not None:
            return work(self._writer.under_way.reader())
        self._refuse_fork()
        if self._at.path is None:
            return self._writer.submit(lambda t: work(t.reader())).result()
        return self._readers.read(work)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """See `Store`."""
        if self._writer.is_here():
            msg = "`write` was called inside a job of the same store; use the job's transaction."
            raise StoreError(msg)
        return self.submit(work).result()

    def submit(self, work: Callable[[Transaction], T], *, run_id: str | None = None) -> "Future[T]":
        """See `Store`. All jobs are done in the order in which they were submitted."""
        self._refuse_fork()
        return self._writer.submit(work)

    def on_mail(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `Store`. Listeners run in a thread of their own, one after the other."""
        return self._mail.add(listener)

    def wipe(self) -> None:
        """See `Wiping`. Deleted rows are overwritten when they are deleted; this empties the log.

        Raises:
            StoreError: A reader holds on to the log; what was deleted is still in it.
        """
        self._refuse_fork()
        if self._at.path is None:
            return
        self._readers.drop_idle()
        until = time.monotonic() + _WIPE_WAIT
        while not self._writer.submit_alone(sqlite_open.empty_log).result():
            if time.monotonic() > until:
                raise StoreError(
                    f"What was deleted is gone from {self.url!r}, but somebody reads it, so the log"
                    " beside it could not be emptied. End other readers and do it again."
                )
            time.sleep(0.05)

    def announce(self, url: str, token: str) -> None:
        """Tell other processes of this user where this store's queue is served, and its key.

        Args:
            url: Where `hitl decide` of another process finds the queue.
            token: What opens it; kept in the lock file, readable by this user only.
        """
        if self._lock is not None:
            self._lock.announce(url, token)

    def close(self) -> None:
        """See `Store`."""
        atexit.unregister(self.close)
        if os.getpid() != self._pid:
            return  # a forked child shares the files, but owns nothing
        if self._writer.is_here():
            raise StoreError("`close` was called inside a job of the same store; call it outside.")
        self._readers.close()  # before the writer: the last to close tidies the file up
        self._writer.close()
        self._mail.close()
        self._release()

    def _refuse_fork(self) -> None:
        if os.getpid() != self._pid:
            msg = f"The store {self.url!r} was opened before this process was forked; open it here."
            raise StoreError(msg)

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class SqliteReadings:
    """A read-only view of a SQLite file that another process may be writing; needs no lock."""

    def __init__(self, url: str) -> None:
        """Open the file.

        Raises:
            StoreUnavailable: It does not exist, cannot be opened, or has no tables of this version.
            NewerDatabase: A later version of hitl wrote it.
        """
        self.url = url
        at = sqlite_open.locate(url)
        if at.path is None or not at.path.is_file():
            raise StoreUnavailable(url, "there is no such file to read.")
        self._readers = _Readers(at)
        try:
            self._readers.check()
        except BaseException:
            self.close()
            raise

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        return self._readers.read(work)

    def close(self) -> None:
        """Let go of the file. Closing twice is fine."""
        self._readers.close()


def holder(url: str) -> Holder | None:
    """Return the process that writes the database `url` names, or None when none does.

    Raises:
        StoreUnavailable: The lock file belongs to another user.
    """
    at = sqlite_open.locate(url)
    try:
        return None if at.path is None else holder_of(at.lock_path)
    except OSError as problem:
        raise StoreUnavailable(url, f"its lock file cannot be read ({problem}).") from problem


def upgrade(url: str) -> None:
    """Create or upgrade the tables of the database `url` names; nothing happens when they are right.

    Raises:
        StoreUnavailable: It cannot be opened.
        StoreInUse: Another process writes it.
        NewerDatabase: A later version of hitl wrote it.
    """
    at = sqlite_open.locate(url)
    if at.path is None:
        return
    lock = sqlite_open.take_lock(at, wait=_UPGRADE_WAIT)
    try:
        sqlite_open.open_writer(at).close()
    finally:
        if lock is not None:
            lock.release()


def wal_reset_affected(version: str) -> bool:
    """Return whether this SQLite has the WAL-reset bug: two connections may corrupt the file.

    Source: sqlite.org/wal.html#walresetbug. Affected are 3.7.0 to 3.51.2, but for the repaired 3.44.6
    and 3.50.7. The store's one writing connection keeps clear of it; other programs may not.

    Args:
        version: E.g. `sqlite3.sqlite_version`.
    """
    number = tuple(int(part) for part in version.split("."))
    repaired = number[:2] == (3, 44) and number >= (3, 44, 6)
    repaired = repaired or (number[:2] == (3, 50) and number >= (3, 50, 7))
    return (3, 7, 0) <= number <= (3, 51, 2) and not repaired


class _Readers:
    """Reading connections: one for each read that is under way, kept for the next."""

    def __init__(self, at: sqlite_open.Location) -> None:
        self._at = at
        self._idle: list[Line] = []
        self._closed = False

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` in a read transaction."""
        with self._line() as line:
            line.raw.execute("BEGIN")
            try:
                return work(SqlReader(line))
            except FROM_THE_DATABASE as problem:
                raise refusal(problem, self._at.url) from problem
            finally:
                line.raw.rollback()

    def check(self) -> None:
        """Raise unless the schema is the one this version reads."""
        with self._line() as line:
            sqlite_open.check_revision(line, self._at)

    def drop_idle(self) -> None:
        """Close what nobody uses now."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its read ends."""
        self._closed = True
        self.drop_idle()

    @contextlib.contextmanager
    def _line(self) -> Iterator[Line]:
        if self._closed:
            raise StoreError(f"The store {self._at.url!r} is closed.")
        try:
            line = self._idle.pop()
        except IndexError:
            line = sqlite_open.open_reader_line(self._at)
        try:
            yield line
        finally:
            if self._closed or len(self._idle) >= _IDLE_READERS:
                line.close()
            else:
                self._idle.append(line)
