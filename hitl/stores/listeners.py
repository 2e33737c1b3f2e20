"""Who wants to know of new mail in this process."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Listeners:
    """Calls the listeners of mail in a thread of their own, so that the writer never waits."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._door = threading.Lock()
        self._news: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` at news; return a function that ends it."""
        with self._door:
            self._listeners.append(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="hitl-mail", daemon=True)
                self._thread.start()

        def end() -> None:
            with self._door, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def tell(self) -> None:
        """Tell that there is mail; returns at once."""
        if self._thread is not None:
            self._news.put("mail")

    def close(self) -> None:
        """End the thread, after what it was told."""
        with self._door:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._news.put(None)
            if thread is not threading.current_thread():
                thread.join()

    def _serve(self) -> None:
        while self._news.get() is not None:
            with self._door:
                listeners = list(self._listeners)
            for listener in listeners:
                try:
                    listener()
                except Exception:
                    _log.exception("a listener for mail raised")
