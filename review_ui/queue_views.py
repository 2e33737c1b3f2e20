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
from review_ui.queue_query import CLOSED, ORDERS, VIEWS, QueueQuery, View
from review_ui.shapes import shape_of

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
    handed_to: str = ""
    put_off: str = ""
    """Until when the one who looks put it off; empty for not."""
    shape: str = ""
    """What it may be marked together with; empty when it is decided alone."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows due at about the same time."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """A way to another list, with how many are there where that is known."""

    id: str
    words: str
    query: str
    current: bool
    n: int | None = None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the list."""

    query: QueueQuery
    view: View
    heading: str
    groups: tuple[Group, ...]
    views: tuple[Chip, ...]
    closed: tuple[Chip, ...]
    """By status, in the view of what is decided."""
    workflows: tuple[str, ...]
    waiting: int
    next_after: str | None


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
    query: QueueQuery,
    reviewer: str,
    now: datetime,
) -> QueuePage:
    """Return the list; `reviews` holds one more than a page when there are more."""
    shown, view = reviews[:PAGE], query.shown_view
    seen = {r.workflow for r in shown} | ({query.workflow} - {""})
    return QueuePage(
        query=query,
        view=view,
        heading="Waiting for you" if view == "all" else VIEWS[view],
        groups=_groups(shown, query, reviewer, now),
        views=_views(counts, query),
        closed=_closed(counts, query) if view == "decided" else (),
        workflows=tuple(sorted(seen)),
        waiting=counts.get(ReviewStatus.PENDING, 0),
        next_after=shown[-1].id if len(reviews) > PAGE else None,
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
        status=CLOSED.get(review.status, ""),
        held_by=review.holder or "" if held else "",
        yours=held and review.holder == reviewer,
        spot_check=not review.blocking,
        handed_to=review.handed_to or "",
        put_off=next(
            (phrases.moment(p.until) for p in review.put_off if p.by == reviewer and now < p.until),
            "",
        ),
        shape=shape_of(review) if _is_at_hand(review, reviewer, now) else "",
    )


def _is_at_hand(review: Review, reviewer: str, now: datetime) -> bool:
    """Whether nobody else holds it, and it was handed to nobody else."""
    is_free = review.holder == reviewer or not is_claimed(review, now=now)
    return is_free and review.handed_to in (None, reviewer)


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


def _views(counts: Mapping[ReviewStatus, int], query: QueueQuery) -> tuple[Chip, ...]:
    known = {
        "all": counts.get(ReviewStatus.PENDING, 0),
        "decided": sum(counts.get(status, 0) for status in CLOSED),
    }
    return tuple(
        Chip(view, words, _kept(query, view=view), view == query.shown_view, known.get(view))
        for view, words in VIEWS.items()
    )


def _closed(counts: Mapping[ReviewStatus, int], query: QueueQuery) -> tuple[Chip, ...]:
    every = Chip("closed", "All", _kept(query, view="decided"), query.status is None)
    return every, *(
        Chip(
            status.value,
            words,
            _kept(query, view="", status=status.value),
            status is query.status,
            counts.get(status, 0),
        )
        for status, words in CLOSED.items()
    )


def _kept(query: QueueQuery, **changes: str) -> str:
    """Return the address of another list under the same filter."""
    return query.address(**{"status": "", "after": "", "order": ""} | changes)


def _groups(
    reviews: Sequence[Review], query: QueueQuery, reviewer: str, now: datetime
) -> tuple[Group, ...]:
    """Return what waits by due time; every other list as it is sorted."""
    if query.shown_view == "decided" or query.shown_order != "due":
        rows = tuple(row_of(r, reviewer=reviewer, now=now) for r in reviews)
        title = "Closed" if query.shown_view == "decided" else ORDERS[query.shown_order]
        return (Group(title, rows),) if rows else ()
    by_title = groupby(reviews, key=lambda r: _group_title(r.due_at, now))
    return tuple(
        Group(title, tuple(row_of(r, reviewer=reviewer, now=now) for r in members))
        for title, members in by_title
    )


def _group_title(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return _NO_DUE
    return next(title for title, span in _GROUPS if due_at - now <= span)
