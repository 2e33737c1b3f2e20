"""What a store that was changed from outside, or that is tended, refuses."""

from hitl.errors.sentences import HitlError


class UpkeepRefused(HitlError):
    """A backup, a restore, an erasure or a pruning would do harm; nothing was changed."""


class TrailBroken(HitlError):
    """An event of the trail is not what was written."""

    def __init__(self, seq: int, run_id: str) -> None:
        self.seq = seq
        self.run_id = run_id
        super().__init__(
            f"Event {seq} of run {run_id!r} is not what was written, so nothing after the last head"
            " was sealed. Run `hitl audit verify`, and compare with a copy kept elsewhere."
        )


class SnapshotRefused(HitlError):
    """Stored bytes of a run were not read: they name what is not allowed, or are damaged."""

    @classmethod
    def of_type(cls, name: str) -> "SnapshotRefused":
        """Return the refusal of bytes that name a type this workflow does not allow."""
        return cls(
            f"What is stored of the run names {name}, which this workflow does not allow; it was not"
            " built, and nothing was run. If your steps put it there, allow it with"
            " `wrap(..., allow_types=[...])` and advance the run again. If not, somebody wrote into"
            " the database: restore it, or stop the run."
        )

    @classmethod
    def unreadable(cls, kind: str, problem: Exception) -> "SnapshotRefused":
        """Return the refusal of bytes that cannot be read as what they are said to be."""
        return cls(
            f"What is stored of the run cannot be read as {kind!r} ({type(problem).__name__}:"
            f" {problem}); nothing was run. Restore the database from a backup, or stop the run."
        )
