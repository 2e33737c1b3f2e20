"""Figures of a store for whoever watches it: how many, how old, how far behind."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import bindparam, case, func, select

from hitl.models import Decision, ReviewStatus, RunStatus
from hitl.ports import Unexecuted
from hitl.stores.line import Line
from hitl.stores.rows import DECISION, REVIEW, RUN

_OPENED = REVIEW.c.record["opened_at"].as_string()
_UNEXECUTED = (
    select(REVIEW.c.id, REVIEW.c.run_id, DECISION.c.record)
    .select_from(
        RUN.join(REVIEW, REVIEW.c.run_id == RUN.c.id).join(
            DECISION, DECISION.c.review_id == REVIEW.c.id
        )
    )
    .where(
        # what is over has nothing left to do: those runs are most, and are not looked at
        RUN.c.status != RunStatus.DONE.value,
        RUN.c.status != RunStatus.STOPPED.value,
        REVIEW.c.status == ReviewStatus.APPROVED.value,
        REVIEW.c.blocking.is_(True),
        DECISION.c.decided_at <= bindparam("before", type_=DECISION.c.decided_at.type),
    )
    .order_by(DECISION.c.decided_at)
    .limit(bindparam("most"))
)

_EXPIRED_LEASES = (
    select(func.count())
    .select_from(RUN)
    .where(RUN.c.lease_until <= bindparam("now", type_=RUN.c.lease_until.type))
)


class FigureReads:
    """Reads of figures on one open read view."""

    _line: Line

    def pending_ages(self, opened_before: Sequence[datetime]) -> list[int]:
        """See `Reader`."""
        if not opened_before:
            return []
        older = [func.sum(case((_stored(at) >= _OPENED, 1), else_=0)) for at in opened_before]
        query = select(*older).where(REVIEW.c.status == ReviewStatus.PENDING.value)
        return [int(n or 0) for n in self._line.sql.execute(query).one()]

    def oldest_pending(self) -> datetime | None:
        """See `Reader`."""
        query = select(func.min(_OPENED)).where(REVIEW.c.status == ReviewStatus.PENDING.value)
        text = cast("str | None", self._line.sql.execute(query).scalar())
        return None if text is None else datetime.fromisoformat(text)

    def unexecuted(self, *, decided_before: datetime, limit: int = 100) -> list[Unexecuted]:
        """See `Reader`."""
        rows: list[Any] = self._line.rows(_UNEXECUTED, before=decided_before, most=limit)
        return [
            Unexecuted(
                review_id=row.id,
                run_id=row.run_id,
                decided_at=Decision.model_validate_json(row.record).decided_at,
            )
            for row in rows
        ]

    def expired_leases(self, *, now: datetime) -> int:
        """See `Reader`."""
        return int(self._line.value(_EXPIRED_LEASES, now=now))


def _stored(at: datetime) -> str:
    """Return a moment as records have it: their texts sort as the moments do."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
