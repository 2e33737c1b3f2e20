"""What may follow a no: the rungs that still have budget.

A ladder belongs to one visit of a step and survives restarts and forks; what was used in that visit
never comes back. Deadlines count from the visit's first review, so they do not move.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hitl.models import RemedyKind, RungOffer
from hitl.policy import Remedy, Retry, Stop, Takeover, resolve_until
from hitl.policy.times import zone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LABELS = {
    RemedyKind.ANSWER: "Answer yourself",
    RemedyKind.ROLLBACK: "Roll back to the last verified point",
    RemedyKind.STOP: "Stop the run",
}


@dataclass(frozen=True, slots=True)
class Used:
    """One remedy already applied in this visit."""

    kind: RemedyKind
    at: datetime


def offers(
    ladder: Sequence[Remedy],
    used: Sequence[Used],
    *,
    opened_at: datetime,
    now: datetime,
    timezone: str,
) -> tuple[RungOffer, ...]:
    """Return the rungs with budget left, in the policy's order; never empty: Stop is always there.

    Args:
        ladder: The checkpoint's `on_deny`.
        used: What was applied in this visit, on every branch.
        opened_at: When the visit's first review was opened.
        now: The instant of the offer; a rung whose deadline is `now` is over.
        timezone: The policy's; for `until` and for the labels.
    """
    offered = tuple(_offered(ladder, used, opened_at=opened_at, now=now, timezone=timezone))
    if any(offer.kind is RemedyKind.STOP for offer in offered):
        return offered
    return (*offered, RungOffer(kind=RemedyKind.STOP, label=_LABELS[RemedyKind.STOP]))


def choose(offers: Sequence[RungOffer], wanted: RemedyKind | None) -> RungOffer | None:
    """Return the wanted offer, the first one for None; None when it is not offered."""
    return next((each for each in offers if wanted is None or each.kind is wanted), None)


def deadline(ladder: Sequence[Remedy], *, opened_at: datetime, timezone: str) -> datetime | None:
    """Return when the last retry may start, in UTC: the earliest limit; None for no limit."""
    limits = (
        limit
        for rung in ladder
        if isinstance(rung, Retry)
        for limit in _limits(rung, opened_at=opened_at, timezone=timezone)
    )
    return min(limits, default=None)


def _offered(
    ladder: Sequence[Remedy],
    used: Sequence[Used],
    *,
    opened_at: datetime,
    now: datetime,
    timezone: str,
) -> Iterator[RungOffer]:
    kinds = [each.kind for each in used]
    for rung in ladder:
        if isinstance(rung, Retry):
            left = rung.attempts - kinds.count(RemedyKind.RETRY)
            ends_at = deadline((rung,), opened_at=opened_at, timezone=timezone)
            if left > 0 and (ends_at is None or now < ends_at):
                label = _retry_label(left, ends_at, now=now, timezone=timezone)
                yield RungOffer(kind=rung.kind, label=label, ends_at=ends_at)
        elif isinstance(rung, Takeover):
            if rung.kind not in kinds:
                yield _takeover(rung)
        elif isinstance(rung, Stop) or rung.kind not in kinds:
            yield RungOffer(kind=rung.kind, label=_LABELS[rung.kind])


def _takeover(rung: Takeover) -> RungOffer:
    label = "Take over" if rung.then == "go_on" else "Take over, then close the run"
    if rung.scope == "run":
        label = "Take over and complete the run"
    return RungOffer(kind=rung.kind, label=label, scope=rung.scope, then=rung.then)


def _limits(rung: Retry, *, opened_at: datetime, timezone: str) -> Iterator[datetime]:
    if rung.within is not None:
        yield (opened_at + rung.within).astimezone(UTC)
    if rung.until is not None:
        yield resolve_until(rung.until, now=opened_at, timezone=timezone)


def _retry_label(left: int, ends_at: datetime | None, *, now: datetime, timezone: str) -> str:
    if ends_at is None:
        return f"Retry, {left} left"
    at, today = (moment.astimezone(zone(timezone)) for moment in (ends_at, now))
    year = f" {at.year}" if at.year != today.year else ""
    return f"Retry, {left} left, until {at:%H:%M} on {at.day} {_MONTHS[at.month - 1]}{year}"
