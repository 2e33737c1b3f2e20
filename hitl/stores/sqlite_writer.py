"""One thread owns the only writing connection; what waits is committed together.

A commit costs a flush of the disk, however much is in it. The writer takes what is queued, runs each
job in a savepoint, commits once and only then answers everybody. A job that raises is rolled back
alone; a commit that fails fails every job in it, and nothing is acknowledged.
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from hitl.errors import StoreError
from hitl.ports import Clock
from hitl.stores.line import Line
from hitl.stores.sqlite_refusals import refusal
from hitl.stores.transaction import SqlTransaction

T = TypeVar("T")

TOGETHER = 64
"""Most jobs in one commit: enough to share the flush, few enough that nobody waits long."""


class _Job:
    """A function to run in a transaction, what came of it, and who waits for that."""

    def __init__(self, work: Callable[[Any], Any], *, alone: bool = False) -> None:
        self.work = work
        self.alone = alone
        """Whether it is given the connection itself, outside of any transaction."""
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.failure: BaseException | None = None

    def answer(self) -> None:
        """Tell the waiting caller what came of it."""
        if self.failure is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.failure)


class Writer:
    """Runs jobs on one connection in one thread, committing them in groups."""

    def __init__(
        self,
        connect: Callable[[], Line],
        *,
        url: str,
        clock: Clock,
        on_orders: Callable[[], None],
    ) -> None:
        """Start the thread; return when its connection is open, or raise what opening raised.

        Args:
            connect: Opens the connection; called in the thread.
            url: Names the database in refusals.
            clock: Given to the transactions.
            on_orders: Called after a commit that gave mail; must be quick and never raise.
        """
        self._connect = connect
        self._url = url
        self._clock = clock
        self._on_orders = on_orders
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self.under_way: SqlTransaction | None = None
        """The transaction of the job that runs now."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name="hitl-writer", daemon=True
        )
        self._thread.start()
        ready.result()

    def submit(self, work: Callable[[SqlTransaction], T]) -> "Future[T]":
        """Queue a job; the future resolves after its commit."""
        job = _Job(work)
        with self._door:
            if self._closed:
                raise StoreError(f"The store {self._url!r} is closed; nothing was written.")
            self._jobs.put(job)
        return job.future

    def submit_alone(self, work: Callable[[Line], T]) -> "Future[T]":
        """Queue what cannot be part of a transaction; it runs between two of them."""
        job = _Job(work, alone=True)
        with self._door:
            if self._closed:
                raise StoreError(f"The store {self._url!r} is closed; nothing was done.")
            self._jobs.put(job)
        return job.future

    def is_here(self) -> bool:
        """Return whether the caller is a job of this writer."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what was submitted, close the connection and end the thread."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    # -- in the thread --------------------------------------------------------------------------

    def _serve(self, ready: "Future[None]") -> None:
        try:
            line = self._connect()
        except BaseException as problem:
            ready.set_exception(problem)
            return
        with contextlib.closing(line):
            line.raw.set_authorizer(self._authorize)
            ready.set_result(None)
            while self._commit_what_waits(line):
                pass

    def _commit_what_waits(self, line: Line) -> bool:
        """Wait for jobs and do them; False when the store is closed and all is done."""
        jobs = self._take()
        queued = [job for job in jobs if job is not None]
        self._do([job for job in queued if not job.alone], line)
        for job in queued:
            if job.alone:
                self._do_alone(job, line)
        return None not in jobs

    def _do_alone(self, job: _Job, line: Line) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            job.result = job.work(line)
        except BaseException as problem:
            job.failure = refusal(problem, self._url)
        job.answer()

    def _take(self) -> list[_Job | None]:
        """Wait for a job; return it and what else is queued. None marks the end."""
        taken = [self._jobs.get()]
        with contextlib.suppress(queue.Empty):
            while taken[-1] is not None and len(taken) < TOGETHER:
                taken.append(self._jobs.get_nowait())
        return taken

    def _do(self, queued: list[_Job], line: Line) -> None:
        jobs = [job for job in queued if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            line.raw.execute("BEGIN IMMEDIATE")
            gave_order = [self._run(job, line) for job in jobs]
            line.raw.commit()
        except BaseException as problem:
            gave_order = []
            with contextlib.suppress(sqlite3.Error):
                line.raw.rollback()
            for job in jobs:
                job.failure = refusal(problem, self._url)
        for job in jobs:
            job.answer()
        if any(gave_order):
            self._on_orders()

    def _run(self, job: _Job, line: Line) -> bool:
        """Run one job in a savepoint; return whether it gave an order."""
        transaction = SqlTransaction(line, clock=self._clock)
        line.raw.execute("SAVEPOINT job")
        self.under_way = transaction
        try:
            job.result = job.work(transaction)
        except BaseException as problem:
            if not line.raw.in_transaction:
                raise  # the database itself gave up the whole transaction, e.g. on a full disk
            job.failure = refusal(problem, self._url)
            line.raw.execute("ROLLBACK TO job")
        finally:
            self.under_way = None
        line.raw.execute("RELEASE job")
        return transaction.gave_order and job.failure is None

    def _authorize(self, action: int, *_: str | None) -> int:
        """Refuse that a job begins, commits or rolls back: that would end its neighbours' work."""
        ends = action == sqlite3.SQLITE_TRANSACTION and self.under_way is not None
        return sqlite3.SQLITE_DENY if ends else sqlite3.SQLITE_OK
