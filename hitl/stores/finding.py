"""Searching reviews in SQL. Implements `hitl.ports.ReviewFinder`."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, select, tuple_

from hitl.models import Review, ReviewSearch
from hitl.stores import statements as s
from hitl.stores.line import Line
from hitl.stores.records import found, one_of, review_of
from hitl.stores.rows import REVIEW

_RELIABILITY = REVIEW.c.record["presentation", "reliability_now"].as_float()
_ORDERS: dict[str, tuple[ColumnElement[Any], bool]] = {
    "due": (REVIEW.c.sort_at, False),
    "newest": (REVIEW.c.id, True),
    "reliability": (_RELIABILITY, False),
}
"""What each order sorts by, and whether the largest comes first. Ids sort by time of opening."""


class Finding:
    """Searches on one open read view."""

    _line: Line

    def find_reviews(
        self, wanted: ReviewSearch, *, now: datetime, limit: int = 50, after: str | None = None
    ) -> list[Review]:
        """See `Reader`."""
        by, falling = _ORDERS[wanted.order]
        query = s.REVIEWS.where(*_conditions(wanted, now))
        if after is not None:
            at = select(by).where(REVIEW.c.id == after)
            found("review", after, self._line.sql.execute(at).scalar())
            place, seen = tuple_(by, REVIEW.c.id), tuple_(at.scalar_subquery(), after)
            query = query.where(place < seen if falling else place > seen)
        order = (by.desc(), REVIEW.c.id.desc()) if falling else (by, REVIEW.c.id)
        rows = self._line.sql.execute(query.order_by(*order).limit(limit))
        return [review_of(row) for row in rows]


def _conditions(wanted: ReviewSearch, now: datetime) -> list[ColumnElement[bool]]:
    found = [_has_word(word) for word in wanted.words.split()]
    if wanted.status:
        found.append(one_of(REVIEW.c.status, wanted.status))
    if wanted.workflow is not None:
        found.append(REVIEW.c.workflow == wanted.workflow)
    if wanted.risk is not None:
        found.append(_said("risk") == wanted.risk)
    if wanted.due_before is not None:
        found.append(REVIEW.c.sort_at <= wanted.due_before)
    if wanted.held_by is not None:
        mine = and_(_is_claimed(now), _said("holder") == wanted.held_by)
        found.append(or_(mine, _said("handed_to") == wanted.held_by))
    if wanted.unclaimed:
        found.append(and_(not_(_is_claimed(now)), _said("handed_to").is_(None)))
    return found


def _has_word(word: str) -> ColumnElement[bool]:
    title = REVIEW.c.record["presentation", "title"].as_string()
    places = (title, REVIEW.c.workflow, REVIEW.c.step, REVIEW.c.id, REVIEW.c.run_id)
    return or_(*(place.icontains(word, autoescape=True) for place in places))


def _is_claimed(now: datetime) -> ColumnElement[bool]:
    """Whether a claim lives; to the second, because the record keeps the instant as text in UTC."""
    until = _said("claimed_until")
    return and_(until.is_not(None), until > now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))


def _said(field: str) -> ColumnElement[Any]:
    text: ColumnElement[Any] = REVIEW.c.record[field].as_string()
    return text
