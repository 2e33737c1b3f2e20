"""Threads that do submitted jobs, each when it is its turn."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from hitl.errors import StoreError

T = TypeVar("T")


class Lanes:
    """Does jobs side by side in at most `most` threads, which are started when they are needed.

    The threads are daemons, so that Python ends without `close`; what was acknowledged is committed.
    """

    def __init__(self, *, most: int, url: str) -> None:
        self._most = most
        self._url = url
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._door = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._closed = False

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Queue a job; the future resolves with what it returns or raises."""
        future: Future[T] = Future()
        with self._door:
            if self._closed:
                raise StoreError(f"The store {self._url!r} is closed; nothing was written.")
            self._busy += 1
            if self._busy > len(self._threads) < self._most:
                thread = threading.Thread(target=self._serve, name="hitl-writer", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._jobs.put((future, work))
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

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                _do(future, work)
            with self._door:
                self._busy -= 1


def _do(future: "Future[Any]", work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as problem:
        future.set_exception(problem)
    else:
        future.set_result(result)
