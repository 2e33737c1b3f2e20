"""Which runs are under way in this process, and which must wait before they are tried again."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

_LONGEST_WAIT = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class _Hold:
    """A run that is not taken before `until` (monotonic seconds)."""

    until: float
    failures: int
    mail_seen: int
    """How many orders had come when it ended: a new one lifts the hold of a run that did not fail."""


class Watch:
    """Keeps a run from being advanced twice at once, and a failing one from being advanced in a loop.

    Safe to use from several threads.

    Args:
        retry_after: Wait after the first failure; doubles with each further one, up to a minute.
        tick: Wait after an advance that left its run due, unless a new order comes.
    """

    def __init__(self, *, retry_after: timedelta, tick: timedelta) -> None:
        self._retry_after = retry_after.total_seconds()
        self._tick = tick.total_seconds()
        self._changed = threading.Condition()
        self._began: dict[str, int] = {}
        self._holds: dict[str, _Hold] = {}
        self._mail = 0

    def mail_came(self) -> None:
        """Note that some order was given."""
        with self._changed:
            self._mail += 1

    def known(self) -> int:
        """Return how many runs are under way or on hold."""
        with self._changed:
            return len(self._began) + len(self._holds)

    def under_way(self) -> list[str]:
        """Return the ids of the runs being advanced now."""
        with self._changed:
            return list(self._began)

    def ready(self, run_ids: Iterable[str]) -> list[str]:
        """Return those of the due runs that may be taken now, in the same order.

        The hold of a run that did not fail and is not due any more is forgotten at once; failures
        are remembered a minute longer than they hold.
        """
        with self._changed:
            due = list(run_ids)
            self._forget(set(due))
            return [r for r in due if r not in self._began and not self._is_held(r)]

    def began(self, run_id: str) -> None:
        """Note that a run is being advanced."""
        with self._changed:
            self._began[run_id] = self._mail

    def ended(self, run_id: str, *, failed: bool) -> None:
        """Note that a run is not being advanced any more."""
        with self._changed:
            mail_seen = self._began.pop(run_id)
            failures = self._failures(run_id) + 1 if failed else 0
            wait = self._retry_wait(failures) if failed else self._tick
            self._holds[run_id] = _Hold(time.monotonic() + wait, failures, mail_seen)
            self._changed.notify_all()

    def seconds_to_retry(self, at_most: float) -> float:
        """Return the seconds until the first hold ends, between 0.01 and `at_most`."""
        with self._changed:
            ends = [hold.until for hold in self._holds.values()]
        return max(0.01, min([at_most, *(end - time.monotonic() for end in ends)]))

    def drained(self, *, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing is under way; True if so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._began, timeout)

    def _forget(self, due: set[str]) -> None:
        oldest = time.monotonic() - _LONGEST_WAIT
        self._holds = {
            run_id: hold
            for run_id, hold in self._holds.items()
            if run_id in due or (hold.failures > 0 and hold.until > oldest)
        }

    def _failures(self, run_id: str) -> int:
        hold = self._holds.get(run_id)
        return hold.failures if hold else 0

    def _retry_wait(self, failures: int) -> float:
        return min(_LONGEST_WAIT, self._retry_after * 2.0 ** min(failures - 1, 16))

    def _is_held(self, run_id: str) -> bool:
        hold = self._holds.get(run_id)
        if hold is None or time.monotonic() >= hold.until:
            return False
        return hold.failures > 0 or hold.mail_seen == self._mail
