"""The part of a store that is for its upkeep."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import AwareDatetime

from hitl.models import Record

ERASED = "Erased."
"""The reason of a run, and the title of a review, whose content was erased."""


@runtime_checkable
class Wiping(Protocol):
    """A store whose files can be freed of what was deleted."""

    def wipe(self) -> None:
        """Leave nothing of what was deleted in the files: no old pages, no log beside them."""
        ...


class UpkeepWriter(Protocol):
    """Takes content away that nobody may, or needs to, keep. The trail stays."""

    def erase_run(self, run_id: str) -> dict[str, int]:
        """Take a run's content away, and return how many rows of each kind held some.

        Ids, statuses, verdicts, times, figures, hashes and names of actors stay.
        """
        ...


class Unexecuted(Record):
    """An approval whose consequence is not committed."""

    review_id: str
    run_id: str
    decided_at: AwareDatetime


class FigureReader(Protocol):
    """Figures for whoever watches a store."""

    def pending_ages(self, opened_before: Sequence[datetime]) -> list[int]:
        """Return, for each moment, how many pending reviews were opened at or before it."""
        ...

    def oldest_pending(self) -> datetime | None:
        """Return when the oldest pending review was opened, or None."""
        ...

    def unexecuted(self, *, decided_before: datetime, limit: int = 100) -> list[Unexecuted]:
        """Return approvals of live runs whose consequence is not committed, oldest first."""
        ...

    def expired_leases(self, *, now: datetime) -> int:
        """Return how many runs are held under a lease that ended without being given back."""
        ...
