"""What the queue's address asks for: a view, a filter, words and an order. Pure."""

from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from hitl.models import ReviewOrder, ReviewSearch, ReviewStatus

View = Literal["all", "mine", "unclaimed", "due", "decided"]

VIEWS: dict[View, str] = {
    "all": "Everything that waits",
    "mine": "Mine",
    "unclaimed": "Unclaimed",
    "due": "Due within the hour",
    "decided": "Decided",
}
ORDERS: dict[ReviewOrder, str] = {
    "due": "Due first",
    "newest": "Newest first",
    "reliability": "Least reliable first",
}
CLOSED: dict[ReviewStatus, str] = {
    ReviewStatus.APPROVED: "Approved, going on",
    ReviewStatus.DENIED: "Denied, going on",
    ReviewStatus.EXECUTED: "Carried out",
    ReviewStatus.EXPIRED: "Expired",
    ReviewStatus.CANCELLED: "Cancelled",
    ReviewStatus.SUPERSEDED: "Superseded",
}
_SOON = timedelta(hours=1)


class QueueQuery(BaseModel):
    """The part of the queue's address after the question mark."""

    view: View = "all"
    status: ReviewStatus | None = None
    """One status alone; a closed one belongs to the view `decided`."""
    workflow: str = Field(default="", max_length=200)
    risk: Literal["", "low", "medium", "high"] = ""
    q: str = Field(default="", max_length=200)
    order: ReviewOrder | Literal[""] = ""
    after: str = Field(default="", max_length=200)

    @property
    def shown_view(self) -> View:
        """The view that is shown."""
        is_closed = self.status is not None and self.status is not ReviewStatus.PENDING
        return "decided" if is_closed else self.view

    @property
    def shown_order(self) -> ReviewOrder:
        """The order that is shown: what waits by due time, what is decided from the newest."""
        return self.order or ("newest" if self.shown_view == "decided" else "due")

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the view leaves reviews out."""
        return bool(self.workflow or self.risk or self.q.strip())

    def search(self, *, reviewer: str, now: datetime) -> ReviewSearch:
        """Return what to look for."""
        view = self.shown_view
        closed = (self.status,) if self.status is not None else tuple(CLOSED)
        return ReviewSearch(
            status=closed if view == "decided" else (ReviewStatus.PENDING,),
            workflow=self.workflow or None,
            risk=self.risk or None,
            due_before=now + _SOON if view == "due" else None,
            held_by=reviewer if view == "mine" else None,
            unclaimed=view == "unclaimed",
            words=self.q,
            order=self.shown_order,
        )

    def address(self, **changes: str) -> str:
        """Return the address's query with some parts changed; empty parts are left out."""
        said = self.model_dump(mode="json", exclude_defaults=True) | changes
        return urlencode({k: v for k, v in said.items() if v and (k, v) != ("view", "all")})
