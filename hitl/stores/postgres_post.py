"""News of orders between the processes of one Postgres database."""

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable
from typing import Any

import psycopg

from hitl.errors import StoreError
from hitl.stores.pool import Pool
from hitl.stores.postgres_open import Session

_log = logging.getLogger(__name__)

_CHANNEL = "hitl_mail"
_LOOK = 1.0
"""Seconds between looks whether the store was closed."""


class Post:
    """Tells other processes of orders, and hears of theirs.

    News may be lost; engines look at the store by themselves too. It is sent after the commit, because
    a notification inside a transaction makes all commits of the server wait for each other, and by a
    thread of its own, one piece of news for all orders that came meanwhile.

    Args:
        pool: Connections to send on.
        connect: Opens a connection to listen on.
        on_news: Called when another process gave an order.
    """

    def __init__(
        self, pool: Pool, connect: Callable[[], Session], on_news: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._connect = connect
        self._on_news = on_news
        self._sender = secrets.token_hex(8)
        self._closed = threading.Event()
        self._due = threading.Event()
        self._door = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def tell(self) -> None:
        """Tell the others, soon; returns at once."""
        self._due.set()
        self._start("hitl-post-out", self._send_forever)

    def listen(self) -> None:
        """Start to hear of the others' orders; more than once is fine."""
        self._start("hitl-post-in", self._hear_forever)

    def close(self) -> None:
        """Send what is to be told, and stop."""
        with self._door:
            self._closed.set()
        self._due.set()
        sending = self._threads.get("hitl-post-out")
        if sending is not None:
            sending.join()
        hearing = self._threads.get("hitl-post-in")
        if hearing is not None:
            self._send()  # also to itself, which sees that it is to end
            hearing.join()

    def _start(self, name: str, work: Callable[[], None]) -> None:
        if name in self._threads:
            return
        with self._door:
            if name not in self._threads and not self._closed.is_set():
                thread = threading.Thread(target=work, name=name, daemon=True)
                self._threads[name] = thread
                thread.start()

    def _send_forever(self) -> None:
        ended = False
        while not ended:
            self._due.wait()
            ended = self._closed.is_set()
            self._due.clear()
            self._send()

    def _send(self) -> None:
        try:
            with self._pool.line() as line:
                line.raw.execute("SELECT pg_notify(%s, %s)", [_CHANNEL, self._sender])
        except (psycopg.Error, StoreError):
            _log.warning(
                "other processes were not told of an order; they will see it by themselves"
            )

    def _hear_forever(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(psycopg.Error), self._connect() as connection:
                connection.execute(f"LISTEN {_CHANNEL}")
                self._hear(connection)
            self._closed.wait(_LOOK)

    def _hear(self, connection: "psycopg.Connection[Any]") -> None:
        while not self._closed.is_set():
            for news in connection.notifies(timeout=_LOOK, stop_after=1):
                if news.payload != self._sender:
                    self._on_news()
