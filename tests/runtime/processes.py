"""Real processes that are killed: at once, or by their store at a chosen write."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

from hitl.ports import Reader, Store, Transaction
from hitl.stores import open_store

T = TypeVar("T")

Moment = Literal["inside", "after"]
"""`inside`: the write is made, not committed. `after`: committed, and nobody was told."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.runtime.warm"])


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed(target: Callable[..., None], *args: Any, timeout: float = 30.0) -> bool:
    """Run `target` in a process of its own; return whether it was killed.

    Args:
        target: A function at the top level of a module.
        args: What it is given.
        timeout: Seconds until it is given up.
    """
    process = _CONTEXT.Process(target=target, args=args, daemon=True)
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        process.join()
        raise TimeoutError(f"{target.__name__}{args} was still running after {timeout} s")
    if process.exitcode == -signal.SIGKILL:
        return True
    assert process.exitcode == 0, f"{target.__name__}{args} ended with {process.exitcode}"
    return False


def each_commit() -> Iterator[int]:
    """Yield the writes to be killed at, for a sweep of each moment.

    A process killed inside write n leaves n - 1 commits, one killed after it n: with both moments, every
    other write leaves each number of commits once.
    """
    return count(1, 2)


class MortalStore:
    """A store that can be told to kill its process at a write. Implements `hitl.ports.Store`."""

    def __init__(self, inner: Store) -> None:
        self.url = inner.url
        self.lease = inner.lease
        self.writes = 0
        """Writes done since it was told; committed or not."""
        self._inner = inner
        self._at = 0
        self._moment: Moment = "inside"

    def doom(self, *, at: int, moment: Moment) -> None:
        """Kill the process at the nth write from now."""
        self.writes, self._at, self._moment = 0, at, moment

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        return self._inner.read(work)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """See `Store`."""
        return self.submit(work).result()

    def submit(self, work: Callable[[Transaction], T], *, run_id: str | None = None) -> "Future[T]":
        """See `Store`. The process ends inside or after the chosen write."""
        future = self._inner.submit(lambda t: self._counted(t, work), run_id=run_id)
        future.add_done_callback(self._committed)
        return future

    def _counted(self, t: Transaction, work: Callable[[Transaction], T]) -> T:
        result = work(t)
        self.writes += 1
        if self._moment == "inside" and self.writes == self._at:
            die()
        return result

    def _committed(self, _: "Future[Any]") -> None:
        if self._moment == "after" and 0 < self._at <= self.writes:
            die()

    def on_mail(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `Store`."""
        return self._inner.on_mail(listener)

    def close(self) -> None:
        """See `Store`."""
        self._inner.close()


def mortal(path: Path) -> MortalStore:
    """Return the store of the database in `path`, not doomed yet."""
    return MortalStore(open_store(f"sqlite:///{path / 'hitl.db'}"))
