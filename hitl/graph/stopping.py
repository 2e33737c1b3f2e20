"""How a stop reaches a run that is being advanced, in this process or another."""

import time

from hitl.models import RunRecord, RunStatus
from hitl.ports import Store

LOOK_EVERY = 0.2
"""Seconds between two looks at the store: a stop takes effect at the first gate after that."""


class StopWatch:
    """Tells the gates of one advance whether the stop button was pressed on its run.

    Args:
        store: Where the order is kept.
        run: The run as the advance found it.
    """

    def __init__(self, store: Store, run: RunRecord) -> None:
        self._store = store
        self._run_id = run.id
        self._asked = run.stop_asked
        self._looked = time.monotonic()

    def sentence(self) -> str | None:
        """Return who stopped the run and why; None while nobody did."""
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY:
            self._looked = now
            self._asked = self._store.read(lambda r: r.run(self._run_id)).stop_asked
        return self._asked or None


def stopped_instead(run: RunRecord, status: RunStatus, reason: str) -> tuple[RunStatus, str]:
    """Return how an advance ended: a run that was to be stopped does not park or fail instead."""
    if run.stop_asked and status in (RunStatus.WAITING, RunStatus.FAILED):
        return RunStatus.STOPPED, run.stop_asked
    return status, reason
