"""Connections that are kept for the next who needs one."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from hitl.errors import StoreError
from hitl.stores.line import Line


class Pool:
    """Opens connections when they are needed, keeps them, and never has more than `most` in use.

    Args:
        connect: Opens one.
        most: Who asks for one more waits for one to come back.
        is_usable: Whether a connection that comes back may be used again.
        url: Names the database in refusals.
    """

    def __init__(
        self, connect: Callable[[], Line], *, most: int, is_usable: Callable[[Line], bool], url: str
    ) -> None:
        self._connect = connect
        self._is_usable = is_usable
        self._url = url
        self._idle: list[Line] = []
        self._room = threading.BoundedSemaphore(most)
        self._closed = False

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """Give a connection.

        Raises:
            StoreError: The store is closed, or a connection cannot be opened.
        """
        with self._room:
            if self._closed:
                raise StoreError(f"The store {self._url!r} is closed; nothing was written.")
            line = self._next()
            try:
                yield line
            finally:
                self._back(line)

    def forget(self) -> None:
        """Close what is idle, e.g. because the server was restarted."""
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it comes back."""
        self._closed = True
        self.forget()

    def _next(self) -> Line:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _back(self, line: Line) -> None:
        if self._closed or not self._is_usable(line):
            line.close()
        else:
            self._idle.append(line)
