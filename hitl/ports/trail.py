"""The part of a store that keeps the trail."""

from typing import Protocol

from hitl.audit import SealedHead, TrailLine
from hitl.models import AuditEvent, JsonObject


class TrailReader(Protocol):
    """Reads of the trail and of its sealed heads."""

    def audit(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[AuditEvent]:
        """Return events with `seq > after`, oldest first."""
        ...

    def trail(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[TrailLine]:
        """Return what `audit` returns with the bodies as text, for who reads very many."""
        ...

    def sealable(self) -> int:
        """Return the number up to which no event can appear any more; 0 for no event.

        Where numbers are given out before the commit, this stays below every number under way.
        """
        ...

    def heads(self, *, after: int = 0, limit: int = 100) -> list[SealedHead]:
        """Return sealed heads with `seq > after`, oldest first."""
        ...

    def last_head(self) -> SealedHead | None:
        """Return the newest sealed head, or None."""
        ...


class TrailWriter(Protocol):
    """Appends to the trail. Nothing in it is ever changed."""

    def append_audit(self, run_id: str, body: JsonObject) -> AuditEvent:
        """Append to the run's chain (see `hitl.audit`). `body` is canonical JSON's domain."""
        ...

    def add_head(self, head: SealedHead) -> bool:
        """Keep a sealed head; False when there is one at that event already."""
        ...
