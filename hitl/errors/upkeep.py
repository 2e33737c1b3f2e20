"""What the upkeep of a store refuses: sealing, erasing, restoring."""

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
