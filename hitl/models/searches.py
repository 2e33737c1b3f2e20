"""What somebody looks for in the queue."""

from typing import Literal

from pydantic import AwareDatetime, Field

from hitl.models.words import Record, ReviewStatus

ReviewOrder = Literal["due", "newest", "reliability"]
"""Due first, opened last first, or the least reliable run first."""


class ReviewSearch(Record):
    """Which reviews, and in which order. What is left out restricts nothing."""

    status: tuple[ReviewStatus, ...] = (ReviewStatus.PENDING,)
    """Empty for every status."""
    workflow: str | None = None
    risk: Literal["low", "medium", "high"] | None = None
    due_before: AwareDatetime | None = None
    """Only those due at or before this instant."""
    held_by: str | None = None
    """Only those this person has claimed, or that were handed to them."""
    unclaimed: bool = False
    """Only those that nobody has claimed and that were handed to nobody."""
    words: str = Field(default="", max_length=200)
    """Each word must stand in the title, workflow, step, review id or run id, in any case."""
    order: ReviewOrder = "due"
