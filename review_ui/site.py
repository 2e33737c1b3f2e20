"""What the pages need to know about where they run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from fastapi import Request

from hitl.ports import Clock
from hitl.reviews import ReviewQueue
from review_ui.door import Door

REVIEWER_KEY = "hitl_reviewer"
"""Where the name of who was let in travels in the scope."""
Risk = Literal["low", "medium", "high"]

UNDO_WINDOWS: Mapping[Risk, timedelta] = {
    "low": timedelta(seconds=8),
    "medium": timedelta(seconds=10),
    "high": timedelta(seconds=15),
}
"""How long a decision can be undone before it is sent to the run."""


@dataclass(frozen=True, slots=True)
class Front:
    """A page of the embedder's own, before the queue: where signing in leads, and the first tab."""

    route: str
    """Name of its route, without `hitl:`."""
    label: str


@dataclass(frozen=True, slots=True)
class Site:
    """One set of pages over one queue."""

    queue: ReviewQueue
    clock: Clock
    title: str = "hitl"
    reviewer: str = "you"
    """The name decisions are recorded under."""
    undo_windows: Mapping[Risk, timedelta] = field(default_factory=lambda: UNDO_WINDOWS)
    front: Front | None = None
    """None when the queue comes first."""
    door: Door | None = None
    """None when somebody else guards the pages, e.g. the app they are mounted in."""


def site_of(request: Request) -> Site:
    """Return the site a request belongs to, with the reviewer who is there."""
    site: Site = request.app.state.hitl_site
    named = reviewer_of(request)
    return site if named is None else replace(site, reviewer=named)


def reviewer_of(request: Request) -> str | None:
    """Return who was let in by the app the pages are mounted in; None when they stand alone."""
    named: str | None = request.scope.get(REVIEWER_KEY)
    return named
