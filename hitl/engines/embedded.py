"""The embedded engine: a dispatcher and a few worker threads in the process that owns the store.

A commit that orders something wakes the dispatcher; so does the next due time. A tick every second
heals wake-ups that got lost. Truth stays in the store: an engine that dies forgets nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from hitl.engines.watch import Watch
from hitl.errors import LeaseLost
from hitl.failpoints import reach
from hitl.ports import Clock, Store

_log = logging.getLogger(__name__)

TICK = timedelta(seconds=1)
"""How often the engine looks at the store unasked."""


class EmbeddedEngine:
    """Advances due runs in threads of this process. See `hitl.ports.Engine`.

    One run is never advanced twice at once in this process. An advance that raises is logged and
    tried again, later each time; the others go on.

    Args:
        store: Where the orders are.
        clock: Decides what is due.
        retry_after: Wait before a failed advance is tried again; doubles up to a minute.
    """

    def __init__(
        self, store: Store, *, clock: Clock, retry_after: timedelta = timedelta(seconds=1)
    ) -> None:
        self._store = store
        self._clock = clock
        self._watch = Watch(retry_after=retry_after, tick=TICK)
        self._wake = threading.Event()
        self._timers_due = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._workers: ThreadPoolExecutor | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def serve(
        self,
        advance: Callable[[str], None],
        *,
        sweep: Callable[[], object] | None = None,
        concurrency: int = 4,
    ) -> None:
        """Start advancing due runs in the background until `stop`; returns at once.

        Args:
            advance: Advances one run until it parks or ends.
            sweep: Fires due timers, e.g. `ReviewQueue.sweep`.
            concurrency: How many runs advance at once.

        Raises:
            RuntimeError: The engine was started before.
        """
        if self._workers is not None:
            raise RuntimeError("This engine was started before; make another one.")
        self._workers = ThreadPoolExecutor(concurrency, thread_name_prefix="hitl-advance")
        self._unsubscribe = self._store.on_mail(self._mail_came)
        self._start("hitl-dispatch", lambda: self._dispatch_forever(advance, concurrency))
        if sweep is not None:
            self._start("hitl-sweep", lambda: self._sweep_forever(sweep))

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop taking runs, and wait up to `timeout` seconds for those under way.

        Stopping twice is fine. What is still under way after that goes on, and its run's order
        stays undone until it ends.
        """
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._unsubscribe()
        self._wake.set()
        self._timers_due.set()
        reach("shutdown.draining")
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not self._watch.drained(timeout=max(0.0, deadline - time.monotonic())):
            _log.warning("runs are still under way", extra={"run_ids": self._watch.under_way()})
        if self._workers is not None:
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _mail_came(self) -> None:
        self._watch.mail_came()
        self._wake.set()

    def _dispatch_forever(self, advance: Callable[[str], None], concurrency: int) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            wait = TICK.total_seconds()
            try:
                self._dispatch(advance, concurrency)
                wait = self._seconds_to_next()
            except Exception:
                _log.exception("the store could not be asked for due runs")
            if not self._wake.wait(wait):
                self._timers_due.set()

    def _dispatch(self, advance: Callable[[str], None], concurrency: int) -> None:
        free = concurrency - len(self._watch.under_way())
        if free <= 0 or self._workers is None:
            return
        now = self._clock()
        limit = concurrency + self._watch.known()
        due = self._store.read(lambda r: r.due_runs(now=now, limit=limit))
        for run_id in self._watch.ready(due)[:free]:
            self._watch.began(run_id)
            self._workers.submit(self._advance, advance, run_id)

    def _advance(self, advance: Callable[[str], None], run_id: str) -> None:
        failed = True
        try:
            advance(run_id)
            failed = False
        except LeaseLost:
            _log.info("another process took the run over", extra={"run_id": run_id})
        except Exception:
            _log.exception("advancing the run failed", extra={"run_id": run_id})
        finally:
            self._watch.ended(run_id, failed=failed)
            self._wake.set()

    def _seconds_to_next(self) -> float:
        tick = TICK.total_seconds()
        next_due = self._store.read(lambda r: r.next_due())
        until = _seconds(next_due, self._clock()) if next_due else tick
        # What is due already and was not taken now waits for the tick, not in a loop.
        return min(tick, until) if until > 0 else min(tick, self._watch.seconds_to_retry(tick))

    def _sweep_forever(self, sweep: Callable[[], object]) -> None:
        while not self._stopping.is_set():
            self._timers_due.clear()
            try:
                sweep()
            except Exception:
                _log.exception("the due timers could not be fired")
            self._timers_due.wait(TICK.total_seconds())


def _seconds(until: datetime, now: datetime) -> float:
    return (until - now).total_seconds()
