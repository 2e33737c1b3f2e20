"""The Postgres store: many processes, each with a few connections, on one database."""

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from hitl import failpoints
from hitl.errors import StoreError, StoreFailed, StoreUnavailable
from hitl.ports import Clock, Reader, Transaction, system_clock
from hitl.stores.lanes import Lanes
from hitl.stores.line import Line
from hitl.stores.listeners import Listeners
from hitl.stores.pool import Pool
from hitl.stores.postgres_open import Postgres, check, check_revision
from hitl.stores.postgres_post import Post
from hitl.stores.postgres_refusals import (
    FROM_THE_DATABASE,
    MEANWHILE,
    original,
    refusal,
    unknown_outcome,
)
from hitl.stores.postgres_transaction import PostgresReader, PostgresTransaction

T = TypeVar("T")

_CONNECTIONS = 16
"""Most connections of one store; one more listens for news."""
_LANES = 8
"""Most submitted jobs under way at once."""
_TRIES = 3
"""How often a job is tried that others' writes stood in the way of."""


class PostgresStore:
    """Implements `hitl.ports.Store` on a Postgres database.

    Any number of processes open it. Jobs on one run follow each other; others run side by side.
    """

    lease = timedelta(seconds=8)
    """Short, so that a dead process's runs are taken over within ten seconds."""

    def __init__(self, url: str, *, clock: Clock = system_clock) -> None:
        """Connect and check the tables.

        Args:
            url: `"postgresql://user@host/name"`.
            clock: Stamps what the store records. Leases are judged by the server's clock, unless
                this is another than the machine's.

        Raises:
            StoreUnavailable: It cannot be opened, its tables are of another version, or the server
                may lose what it acknowledged.
            NewerDatabase: A later version of hitl wrote it.
        """
        failpoints.armed()  # said here, and not in the middle of a run
        self._database = Postgres(url, server_time=clock is system_clock)
        self.url = self._database.url
        self._clock = clock
        self._pid = os.getpid()
        self._here = threading.local()
        with contextlib.closing(self._database.line()) as line:
            check(line, self.url)
        self._pool = _pool(self._database)
        self._lanes = Lanes(most=_LANES, url=self.url)
        self._mail = Listeners()
        self._post = Post(self._pool, self._database.connect, self._mail.tell)
        atexit.register(self.close)

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`. Inside a job it reads what the job's own transaction sees."""
        under_way = self._under_way
        if under_way is not None:
            return work(under_way.reader())
        self._refuse_fork()
        return _read(self._pool, work, self.url)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """See `Store`. It is tried again when others' writes stood in its way."""
        if self._under_way is not None:
            msg = "`write` was called inside a job of the same store; use the job's transaction."
            raise StoreError(msg)
        self._refuse_fork()
        for _ in range(_TRIES - 1):
            try:
                return self._do(work)
            except StoreError as problem:
                if not isinstance(original(problem.__cause__ or problem), MEANWHILE):
                    raise
        return self._do(work)

    def submit(self, work: Callable[[Transaction], T], *, run_id: str | None = None) -> "Future[T]":
        """See `Store`. Jobs of different runs, or of none, are done side by side."""
        self._refuse_fork()
        return self._lanes.submit(lambda: self._do(work), run_id=run_id)

    def on_mail(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `Store`. It hears of other processes' orders too, in a thread of its own."""
        self._post.listen()
        return self._mail.add(listener)

    def announce(self, url: str, token: str) -> None:
        """Do nothing: other processes open the database themselves."""

    def close(self) -> None:
        """See `Store`."""
        atexit.unregister(self.close)
        if os.getpid() != self._pid:
            return  # a forked child shares the connections, but owns nothing
        if self._under_way is not None:
            raise StoreError("`close` was called inside a job of the same store; call it outside.")
        self._lanes.close()
        self._post.close()
        self._mail.close()
        self._pool.close()

    @property
    def _under_way(self) -> PostgresTransaction | None:
        """The transaction of the job that runs in this thread."""
        return getattr(self._here, "transaction", None)

    def _do(self, work: Callable[[Transaction], T]) -> T:
        with _begun(self._pool, "BEGIN", self.url) as line:
            transaction = PostgresTransaction(line, clock=self._clock)
            result = self._worked(transaction, line, work)
            _commit(line, self.url)
        if transaction.gave_order:
            self._mail.tell()
            self._post.tell()
        return result

    def _worked(
        self, transaction: PostgresTransaction, line: Line, work: Callable[[Transaction], T]
    ) -> T:
        """Run the job; what it raises rolls everything back."""
        self._here.transaction, line.raw.in_job = transaction, True
        try:
            return work(transaction)
        except BaseException as problem:
            line.raw.in_job = False
            _roll_back(line)
            told = refusal(problem, self.url)
            if told is problem:
                raise
            raise told from problem
        finally:
            self._here.transaction, line.raw.in_job = None, False

    def _refuse_fork(self) -> None:
        if os.getpid() != self._pid:
            msg = f"The store {self.url!r} was opened before this process was forked; open it here."
            raise StoreError(msg)


class PostgresReadings:
    """A view of a Postgres database that is only looked at."""

    def __init__(self, url: str) -> None:
        """Connect.

        Raises:
            StoreUnavailable: It cannot be opened, or has no tables of this version.
            NewerDatabase: A later version of hitl wrote it.
        """
        database = Postgres(url)
        self.url = database.url
        with contextlib.closing(database.line()) as line:
            check_revision(line, self.url)
        self._pool = _pool(database)

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        return _read(self._pool, work, self.url)

    def close(self) -> None:
        """Let go of the database. Closing twice is fine."""
        self._pool.close()


def _pool(database: Postgres) -> Pool:
    return Pool(lambda: _line(database), most=_CONNECTIONS, is_usable=_is_usable, url=database.url)


def _line(database: Postgres) -> Line:
    """Return a connection; a server that cannot be reached now may be there later."""
    try:
        return database.line()
    except StoreUnavailable as problem:
        raise StoreFailed(f"{problem} Nothing was written.") from problem


def _is_usable(line: Line) -> bool:
    raw = line.raw
    return not raw.closed and raw.info.transaction_status is TransactionStatus.IDLE


def _read(pool: Pool, work: Callable[[Reader], T], url: str) -> T:
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    with _begun(pool, begin, url) as line:
        try:
            return work(PostgresReader(line))
        except FROM_THE_DATABASE as problem:
            raise refusal(problem, url) from problem
        finally:
            _roll_back(line)


@contextlib.contextmanager
def _begun(pool: Pool, begin: str, url: str) -> Iterator[Line]:
    """Give a connection with a transaction begun; one that broke while it was idle is replaced."""
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(pool.line())
        try:
            line.raw.execute(begin)
        except psycopg.OperationalError:
            stack.close()
            pool.forget()  # the server was restarted: the others broke with it
            line = stack.enter_context(pool.line())
            try:
                line.raw.execute(begin)
            except psycopg.Error as problem:
                raise refusal(problem, url) from problem
        yield line


def _commit(line: Line, url: str) -> None:
    if line.raw.info.transaction_status is TransactionStatus.INERROR:
        _roll_back(line)
        raise StoreError(
            f"The database {url!r} did not do it, and nothing was written: a job went on after an"
            " error of the database."
        )
    try:
        line.raw.commit()
    except psycopg.OperationalError as problem:
        raise unknown_outcome(problem, url) from problem
    except psycopg.Error as problem:
        raise refusal(problem, url) from problem


def _roll_back(line: Line) -> None:
    with contextlib.suppress(psycopg.Error):
        line.raw.rollback()
