"""Renews the leases of the runs this process is advancing."""

import os
import secrets
import threading
from datetime import timedelta

from hitl.ports import Clock, Store

_SALT = secrets.token_hex(4)


def owner() -> str:
    """Return this process's name as a holder of leases; a forked child has its own."""
    return f"pid{os.getpid()}-{_SALT}"


class Leases:
    """The leases held right now; a daemon thread renews them while there are any."""

    def __init__(self, store: Store, clock: Clock, lease: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._lease = lease
        self._held: dict[str, int] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def hold(self, run_id: str, epoch: int) -> None:
        """Renew this lease until `let_go`."""
        with self._changed:
            self._held[run_id] = epoch
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._renew_forever, name="hitl-leases", daemon=True
                )
                self._thread.start()

    def let_go(self, run_id: str) -> None:
        """Stop renewing."""
        with self._changed:
            self._held.pop(run_id, None)

    def close(self) -> None:
        """End the renewing thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _renew_forever(self) -> None:
        wait = self._lease.total_seconds() / 3.0
        while True:
            with self._changed:
                self._changed.wait(wait)
                if self._closed:
                    return
                held = dict(self._held)
            for run_id, epoch in held.items():
                self._renew(run_id, epoch)

    def _renew(self, run_id: str, epoch: int) -> None:
        now = self._clock()
        if not self._store.write(
            lambda t: t.renew_lease(run_id, epoch, now=now, lease=self._lease)
        ):
            self.let_go(run_id)
