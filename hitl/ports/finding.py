"""The part of a store that finds reviews by what is said about them."""

from datetime import datetime
from typing import Protocol

from hitl.models import Review, ReviewSearch


class ReviewFinder(Protocol):
    """Searches the reviews."""

    def find_reviews(
        self, wanted: ReviewSearch, *, now: datetime, limit: int = 50, after: str | None = None
    ) -> list[Review]:
        """Return the reviews that fit, in the order asked for.

        Args:
            wanted: Which, and in which order.
            now: Decides which claims are live.
            limit: At most so many.
            after: The id of the last one already seen; a `NotFound` when there is none such.
        """
        ...
