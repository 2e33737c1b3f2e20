"""News of orders between the processes of one Postgres database."""

import logging
import secrets
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from hitl.stores.line import Line
from hitl.stores.postgres_open import Session

_log = logging.getLogger(__name__)

_CHANNEL = "hitl_mail"
_LOOK = 1.0
"""Seconds between looks whether the store was closed."""


class Post:
    """Tells other processes of orders, and hears of theirs.

    News may be lost; engines look at the store by themselves too. It is sent after the commit, because
    a notification inside a transaction makes all commits of the server wait for each other.

    Args:
        connect: Opens a connection to listen on.
        on_news: Called when another process gave an order.
    """

    def __init__(self, connect: Callable[[], Session], on_news: Callable[[], None]) -> None:
        self._connect = connect
        self._on_news = on_news
        self._sender = secrets.token_hex(8)
        self._closed = threading.Event()
        self._door = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, line: Line) -> None:
        """Tell the others, on a connection without a transaction."""
        try:
            line.raw.execute("SELECT pg_notify(%s, %s)", [_CHANNEL, self._sender])
        except psycopg.Error:
            _log.warning(
                "other processes were not told of an order; they will see it by themselves"
            )

    def listen(self) -> None:
        """Start to hear of the others' orders; more than once is fine."""
        with self._door:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._hear, name="hitl-post", daemon=True)
                self._thread.start()

    def close(self, last: Callable[[], object]) -> None:
        """Stop listening; `last` sends something, so that the end is noticed at once."""
        self._closed.set()
        if self._thread is not None:
            last()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _hear(self) -> None:
        while not self._closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    self._hear_on(connection)
            except psycopg.Error as problem:
                _log.warning("no news of orders from other processes (%s); trying again", problem)
                self._closed.wait(_LOOK)

    def _hear_on(self, connection: "psycopg.Connection[Any]") -> None:
        while not self._closed.is_set():
            for news in connection.notifies(timeout=_LOOK, stop_after=1):
                if news.payload != self._sender:
                    self._on_news()
