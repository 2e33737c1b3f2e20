"""The desk in the browser: cheques stream in, the reviewer's pages are served, you decide.

Everything is in two files beside each other: stop the process, start it again with the same seed, and
the desk goes on where it was.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hitl.demo.board import Board
from hitl.demo.cheques import batch
from hitl.demo.desk import Desk
from hitl.demo.digits import CHEQUES_WITHOUT_REPEAT, learn
from hitl.demo.pages import FRONT, router
from hitl.errors import HitlError
from hitl.serving import Server, prepare

_log = logging.getLogger(__name__)

PACE = 2.2
"""Seconds between two cheques, while few wait."""
ENOUGH = 4
"""No new cheque is begun while this many wait for a person."""


class Feed:
    """Begins the cheques one after the other, in a thread of its own.

    Args:
        desk: Where they go.
        pace: Seconds between two of them.
    """

    def __init__(self, desk: Desk, *, pace: float) -> None:
        self._desk = desk
        self._pace = pace
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hitl-demo-feed", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no more cheques; the one under way is finished or parked first."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    def _run(self) -> None:
        for cheque in self._desk.batch.cheques:
            if self._desk.begun(cheque.face.number) is not None:
                continue
            while self._is_full() and not self._stopping.wait(0.2):
                pass
            if self._stopping.is_set():
                return
            try:
                self._desk.start(cheque)
            except HitlError:
                _log.exception("a cheque could not be begun")
                return
            self._stopping.wait(self._pace)

    def _is_full(self) -> bool:
        return len(self._desk.app.queue.pending(blocking=True, limit=ENOUGH)) >= ENOUGH


def open_desk(*, cheques: int, seed: int, budget: float, folder: Path) -> Desk:
    """Return the desk whose files are in `folder`, new or as it was left.

    Raises:
        ConfigurationError: A value is impossible.
        StoreError: The database cannot be opened, or another process holds it.
    """
    lesson = learn(seed)
    work = batch(lesson, cheques)
    folder.mkdir(parents=True, exist_ok=True)
    store = f"sqlite:///{folder / 'hitl-demo.db'}"
    book = folder / f"hitl-demo-book-{seed}.db"
    return Desk(lesson, work, budget=budget, store=store, book=book)


def serve_desk(desk: Desk, *, port: int, reviewer: str) -> Server:
    """Return the bound server of the desk's pages.

    Raises:
        ConfigurationError: The port is taken.
    """
    server = prepare(
        desk.app.queue,
        desk.app.store,
        title="Cheque desk",
        port=port,
        reviewer=reviewer,
        extra_routers=[router],
    )
    server.app.state.hitl_site = replace(server.app.state.hitl_site, front=FRONT)
    server.app.state.hitl_demo = Board(desk)
    return server


def run_live(
    *,
    cheques: int = CHEQUES_WITHOUT_REPEAT,
    seed: int = 0,
    budget: float = 0.10,
    port: int = 8700,
    folder: Path = Path(),
    reviewer: str = "you",
    pace: float = PACE,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serve the desk on 127.0.0.1 until interrupted.

    Args:
        cheques: How many, at least 1. Above 150 the images repeat.
        seed: Fixes the split and the cheques; >= 0.
        budget: Share of digits to review, in [0, 1].
        port: 0 takes a free one.
        folder: Where the two files are kept.
        reviewer: The name decisions carry.
        pace: Seconds between two cheques while few wait.
        on_ready: Called with the URL, one-time token included, once the port is bound.

    Raises:
        ConfigurationError: A value is impossible, or the port is taken.
        StoreError: The database cannot be opened.
    """
    desk = open_desk(cheques=cheques, seed=seed, budget=budget, folder=folder)
    feed = Feed(desk, pace=pace)
    try:
        server = serve_desk(desk, port=port, reviewer=reviewer)
        desk.app.start_engine()
        feed.start()
        on_ready(server.url)
        server.run()
    finally:
        feed.stop()
        desk.app.close()
