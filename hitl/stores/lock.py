"""The lock beside a SQLite file: one process writes, and the others can find out which.

The operating system frees the lock when its process ends, however it ends; what the file says is
only true while the lock is held.
"""

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

_SIZE = 4096
"""The content is padded to this size and written at once, so that nobody reads half of it."""
_PATIENCE = 0.25
"""Seconds an opener waits: somebody who only looks who holds the lock holds it for a moment."""


@dataclass(frozen=True)
class Holder:
    """The process that writes a database."""

    pid: int
    """Its process id; 0 when the lock file could not be read."""
    url: str | None = None
    """Where its queue is served; None when it serves none."""
    token: str | None = None
    """What opens its queue to the user this file belongs to."""


class LockTaken(Exception):
    """Another process holds the lock."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        super().__init__(f"process {holder.pid}" if holder.pid else "another process")


class WriterLock:
    """Held by the process that owns the only writing connection of a file."""

    def __init__(self, path: Path, *, wait: float = _PATIENCE) -> None:
        self._path = path
        self._lock = FileLock(str(path), mode=0o600, thread_local=False)
        try:
            self._lock.acquire(timeout=wait, poll_interval=0.02)
        except Timeout:
            raise LockTaken(_read(path)) from None
        self.announce(None, None)

    def announce(self, url: str | None, token: str | None) -> None:
        """Write who holds the lock; readable by this user only."""
        self._path.chmod(0o600)
        holder = Holder(pid=os.getpid(), url=url, token=token)
        _write(self._path, json.dumps(asdict(holder)))

    def release(self) -> None:
        """Let go of the lock; what it said is wiped."""
        with contextlib.suppress(OSError):
            _write(self._path, "")
        self._lock.release()


def holder_of(path: Path) -> Holder | None:
    """Return who holds the lock file `path`, or None when nobody does."""
    if not path.exists():
        return None
    probe = FileLock(str(path), mode=0o600, thread_local=False)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return _read(path)
    probe.release()
    return None


def _read(path: Path) -> Holder:
    # the holder writes its name just after it took the lock
    for _ in range(10):
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(path.read_text()))
        time.sleep(0.01)
    return Holder(pid=0)


def _write(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, content.encode().ljust(_SIZE))
    finally:
        os.close(descriptor)
