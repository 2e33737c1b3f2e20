"""The part of a store that is for its upkeep."""

from typing import Protocol


class UpkeepWriter(Protocol):
    """Takes content away that nobody may, or needs to, keep. The trail stays."""

    def erase_run(self, run_id: str) -> dict[str, int]:
        """Take a run's content away, and return how many rows of each kind held some.

        Ids, statuses, verdicts, times, figures, hashes and names of actors stay.
        """
        ...
