"""What happened, read from the store: runs, their timelines, the trail."""

from collections.abc import Collection, Iterator

from hitl.audit import Finding, verify
from hitl.models import AuditEvent, RunRecord, RunStatus
from hitl.ports import Store
from hitl.reviews.timeline import RunTimeline, read_timeline

_PAGE = 500


class History:
    """Runs and the trail of a store, read-only."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def url(self) -> str:
        """Where the store is."""
        return self._store.url

    def runs(
        self,
        *,
        workflow: str | None = None,
        status: Collection[RunStatus] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """Return runs, newest first; `before` is the id of the last one already seen."""
        return self._store.read(
            lambda r: r.runs(workflow=workflow, status=status, limit=limit, before=before)
        )

    def run(self, run_id: str) -> RunRecord:
        """Return the run."""
        return self._store.read(lambda r: r.run(run_id))

    def timeline(self, run_id: str) -> RunTimeline:
        """Return everything that happened in a run."""
        return self._store.read(lambda r: read_timeline(r, run_id))

    def audit(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[AuditEvent]:
        """Return events of the trail with `seq > after`, oldest first."""
        return self._store.read(lambda r: r.audit(run_id=run_id, after=after, limit=limit))

    def verify(self, run_id: str | None = None) -> Finding | None:
        """Return the first broken event of a run's trail, or of the whole trail; None when whole."""
        return verify(self._events(run_id))

    def _events(self, run_id: str | None) -> Iterator[AuditEvent]:
        after = 0
        while page := self.audit(run_id=run_id, after=after, limit=_PAGE):
            yield from page
            after = page[-1].seq
