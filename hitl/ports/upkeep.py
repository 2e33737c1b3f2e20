"""The part of a store that is for its upkeep."""

from typing import Protocol, runtime_checkable

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
