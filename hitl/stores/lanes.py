"""Threads that do submitted jobs: those of one run one after the other, others side by side."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from hitl.errors import StoreError

T = TypeVar("T")


@dataclass(frozen=True)
class _Job:
    future: "Future[Any]"
    work: Callable[[], Any]
    run_id: str | None


class Lanes:
    """Does jobs in at most `most` threads, which are started when they are needed.

    The threads are daemons, so that Python ends without `close`; what was acknowledged is committed.
    """

    def __init__(self, *, most: int, url: str) -> None:
        self._most = most
        self._url = url
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._behind: dict[str, deque[_Job]] = {}
        """Jobs that wait for the one of their run that is queued or under way."""
        self._door = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._closed = False

    def submit(self, work: Callable[[], T], *, run_id: str | None) -> "Future[T]":
        """Queue a job; the future resolves with what it returns or raises."""
        future: Future[T] = Future()
        job = _Job(future, work, run_id)
        with self._door:
            if self._closed:
                raise StoreError(f"The store {self._url!r} is closed; nothing was written.")
            if run_id is not None and run_id in self._behind:
                self._behind[run_id].append(job)
            else:
                self._queue(job)
        return future

    def close(self) -> None:
        """Do what was submitted, then end the threads."""
        with self._door:
            threads, self._threads = self._threads, []
            self._closed = True
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()

    def _queue(self, job: _Job) -> None:
        if job.run_id is not None:
            self._behind[job.run_id] = deque()
        self._busy += 1
        if self._busy > len(self._threads) < self._most:
            thread = threading.Thread(target=self._serve, name="hitl-writer", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def _serve(self) -> None:
        while (first := self._jobs.get()) is not None:
            job: _Job | None = first
            while job is not None:
                if job.future.set_running_or_notify_cancel():
                    _do(job.future, job.work)
                job = self._next(job)

    def _next(self, done: _Job) -> _Job | None:
        """Return the next job of the same run, or None."""
        with self._door:
            behind = self._behind.get(done.run_id) if done.run_id is not None else None
            if behind:
                return behind.popleft()
            if done.run_id is not None:
                del self._behind[done.run_id]
            self._busy -= 1
            return None


def _do(future: "Future[Any]", work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as problem:
        future.set_exception(problem)
    else:
        future.set_result(result)
