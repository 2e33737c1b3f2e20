"""What the queue and the list of runs show. Pure: records in, rows out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from hitl.lifecycle import is_claimed
from hitl.models import Presentation, Review, ReviewStatus, RunRecord, RunStatus
from review_ui import phrases
from review_ui.charts import glyph

Heat = Literal["hot", "warm", "cool"]

PAGE = 50
"""Rows of one page."""

_GROUPS: tuple[tuple[str, timedelta], ...] = (
    ("Overdue", timedelta(0)),
    ("Due within 30 minutes", timedelta(minutes=30)),
    ("Due within 4 hours", timedelta(hours=4)),
    ("Due within a day", timedelta(days=1)),
    ("Later", timedelta.max),
)
_NO_DUE = "No due time"
_STATUS_WORDS: dict[ReviewStatus, str] = {
    ReviewStatus.PENDING: "Waiting",
    ReviewStatus.APPROVED: "Approved, going on",
    ReviewStatus.DENIED: "Denied, going on",
    ReviewStatus.EXECUTED: "Carried out",
    ReviewStatus.EXPIRED: "Expired",
    ReviewStatus.CANCELLED: "Cancelled",
    ReviewStatus.SUPERSEDED: "Superseded",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One review in the list."""

    id: str
    title: str
    risk: str
    workflow: str
    step: str
    why: str
    more_why: int
    reliability: str
    glyph: Markup
    below: bool
    due: str
    heat: Heat
    status: str = ""
    """Empty while it waits."""
    held_by: str = ""
    yours: bool = False
    spot_check: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Rows due at about the same time."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many reviews are in one status."""

    status: ReviewStatus
    words: str
    n: int
    current: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the list."""

    status: ReviewStatus
    heading: str
    groups: tuple[Group, ...]
    counts: tuple[Count, ...]
    waiting: int
    decided: int
    next_after: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in the list of runs."""

    id: str
    workflow: str
    status: RunStatus
    status_words: str
    reason: str
    reliability: str
    unknown: int
    started: str
    changed: str


def queue_page(
    reviews: Sequence[Review],
    counts: Mapping[ReviewStatus, int],
    *,
    status: ReviewStatus,
    after: str | None,
    reviewer: str,
    now: datetime,
) -> QueuePage:
    """Return the list; `reviews` holds one more than a page when there are more."""
    shown = reviews[:PAGE]
    waiting = counts.get(ReviewStatus.PENDING, 0)
    return QueuePage(
        status=status,
        heading="Waiting for you" if status is ReviewStatus.PENDING else _STATUS_WORDS[status],
        groups=_groups(shown, reviewer, now)
        if status is ReviewStatus.PENDING
        else _one(shown, reviewer, now),
        counts=tuple(
            Count(s, words, counts.get(s, 0), s is status) for s, words in _STATUS_WORDS.items()
        ),
        waiting=waiting,
        decided=sum(counts.values()) - waiting,
        next_after=shown[-1].id if len(reviews) > PAGE else None,
        after=after,
    )


def row_of(review: Review, *, reviewer: str, now: datetime) -> Row:
    """Return one row."""
    shown = review.presentation
    held = is_claimed(review, now=now)
    below = reliability_is_low(review)
    return Row(
        id=review.id,
        title=shown.title or f"{review.name.step} wants a decision",
        risk=review.risk,
        workflow=review.workflow,
        step=review.name.step,
        why=shown.why[0] if shown.why else "",
        more_why=max(0, len(shown.why) - 1),
        reliability=phrases.probability(shown.reliability_now),
        glyph=_glyph(shown, floor=floor_of(review), calm=not below),
        below=below,
        due=phrases.due(review.due_at, now),
        heat=heat_of(review.due_at, now),
        status="" if review.status is ReviewStatus.PENDING else _STATUS_WORDS[review.status],
        held_by=review.holder or "" if held else "",
        yours=held and review.holder == reviewer,
        spot_check=not review.blocking,
    )


def run_row(run: RunRecord, now: datetime) -> RunRow:
    """Return one row of the list of runs."""
    return RunRow(
        id=run.id,
        workflow=run.workflow,
        status=run.status,
        status_words=run.status.value.replace("_", " ").capitalize(),
        reason=run.reason,
        reliability=phrases.probability(run.reliability),
        unknown=run.unknown_steps,
        started=phrases.moment(run.created_at),
        changed=phrases.ago(run.updated_at, now),
    )


def heat_of(due_at: datetime | None, now: datetime) -> Heat:
    """Return how pressing a due time is."""
    if due_at is None or due_at - now > timedelta(hours=1):
        return "cool"
    return "hot" if due_at - now <= timedelta(minutes=15) else "warm"


def floor_of(review: Review) -> float | None:
    """Return the reliability floor at the review's checkpoint, or None."""
    return review.presentation.reliability_floor


def reliability_is_low(review: Review) -> bool:
    """Return whether reliability is under the floor that was declared."""
    floor = floor_of(review)
    return floor is not None and review.presentation.reliability_now < floor


def _glyph(shown: Presentation, *, floor: float | None, calm: bool) -> Markup:
    values = [1.0]
    for vouched in shown.vouched:
        values.append(values[-1] * (1.0 if vouched.p is None else vouched.p))
    start = [] if shown.vouched else [shown.reliability_before]
    label = f"Reliability {phrases.probability(shown.reliability_now)}"
    return glyph([*values, *start, shown.reliability_now], floor=floor, label=label, calm=calm)


def _groups(reviews: Sequence[Review], reviewer: str, now: datetime) -> tuple[Group, ...]:
    by_title = groupby(reviews, key=lambda r: _group_title(r.due_at, now))
    return tuple(
        Group(title, tuple(row_of(r, reviewer=reviewer, now=now) for r in members))
        for title, members in by_title
    )


def _one(reviews: Sequence[Review], reviewer: str, now: datetime) -> tuple[Group, ...]:
    rows = tuple(row_of(r, reviewer=reviewer, now=now) for r in reviews)
    return (Group("Closed", rows),) if rows else ()


def _group_title(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return _NO_DUE
    return next(title for title, span in _GROUPS if due_at - now <= span)
