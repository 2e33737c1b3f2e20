"""Durations and deadlines as a policy writes them: `"4h"`, `"tomorrow 09:00"`.

A deadline is wall-clock time in the policy's timezone, resolved once to UTC. Where the clocks skip
an hour, a time inside the gap counts as that much later (02:30 becomes 03:30); where they repeat
one, the first of the two is meant (the strict reading of a deadline).
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from hitl.errors import ConfigurationError
from hitl.models import Duration

DURATION_HINT = "write it like '90s', '15m', '4h', '3d' or '1h30m'"
UNTIL_HINT = "write it like 'tomorrow 09:00', 'today 18:00', '09:00' or '2026-11-25 09:00'"

_DURATION = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})(?:\.([0-9]{1,6}))?s)?"
)
_UNTIL = re.compile(r"(?:(today|tomorrow|[12][0-9]{3}-[0-9]{2}-[0-9]{2}) )?([0-9]{1,2}:[0-9]{2})")


def parse_duration(text: str) -> timedelta:
    """Return the duration written as days, hours, minutes, seconds, in this order: `"1h30m"`.

    Raises:
        ConfigurationError: The text is not of this form, or longer than a timedelta can be.
    """
    parts = _DURATION.fullmatch(text.strip())
    if parts is None or not any(parts.groups()):
        raise ConfigurationError(f"Duration {text!r} cannot be read; {DURATION_HINT}.")
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups()[:4])
    micro = int((parts[5] or "0").ljust(6, "0"))
    try:
        return timedelta(
            days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=micro
        )
    except OverflowError as problem:
        raise ConfigurationError(
            f"Duration {text!r} is too long; {timedelta.max.days}d is the longest."
        ) from problem


def format_duration(span: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads as `span`; `"0s"` for none.

    Raises:
        ConfigurationError: `span` is negative.
    """
    if span < timedelta(0):
        raise ConfigurationError(f"Duration {span!r} is negative; a duration is at least 0s.")
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""
    text = "".join(
        f"{n}{unit}" for n, unit in ((span.days, "d"), (hours, "h"), (minutes, "m")) if n
    )
    return text + (f"{seconds}{fraction}s" if seconds or fraction or not text else "")


def as_timedelta(span: Duration) -> timedelta:
    """Return a duration given either way as a `timedelta`."""
    return span if isinstance(span, timedelta) else parse_duration(span)


def zone(name: str) -> ZoneInfo:
    """Return the timezone with this IANA name.

    Raises:
        ConfigurationError: There is none; the sentence suggests a close one.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as problem:
        near = get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "use an IANA name such as 'Europe/Berlin'."
        raise ConfigurationError(f"Timezone {name!r} is not known; {hint}") from problem


def read_until(text: str) -> tuple[str, time]:
    """Return the day (`"today"`, `"tomorrow"`, an ISO date, or `""`) and the time of a deadline.

    Raises:
        ConfigurationError: The text is not of these forms, or no such day or time exists.
    """
    parts = _UNTIL.fullmatch(" ".join(text.lower().split()))
    try:
        if parts is None:
            raise ValueError(text)
        day = parts[1] or ""
        if day[:1].isdigit():
            date.fromisoformat(day)
        return day, time.fromisoformat(parts[2].zfill(5))
    except ValueError as problem:
        raise ConfigurationError(f"Deadline {text!r} cannot be read; {UNTIL_HINT}.") from problem


def resolve_until(text: str, *, now: datetime, timezone: str) -> datetime:
    """Return the instant, in UTC, that `text` means for someone who reads it at `now`.

    `"today"` and `"tomorrow"` are calendar days of `timezone`, so tomorrow may be 23 or 25 hours
    away; a bare time is the next such time after `now`. The result of the other forms may be past.

    Args:
        text: See `UNTIL_HINT`.
        now: The instant the deadline is counted from; aware.
        timezone: IANA name.
    """
    day, clock = read_until(text)
    where = zone(timezone)
    today = now.astimezone(where).date()
    if not day:
        return _next(clock, today=today, now=now, where=where)
    dates = {"today": today, "tomorrow": today + timedelta(days=1)}
    return _instants(dates.get(day) or date.fromisoformat(day), clock, where)[0]


def _next(clock: time, *, today: date, now: datetime, where: tzinfo) -> datetime:
    days = (today + timedelta(days=n) for n in range(2))
    later = (at for day in days for at in _instants(day, clock, where) if at > now)
    return min(later)


def _instants(day: date, clock: time, where: tzinfo) -> list[datetime]:
    """Return the instants a wall clock shows this time: one, or two where an hour is repeated."""
    first, second = (datetime.combine(day, clock, where).replace(fold=fold) for fold in (0, 1))
    repeated = (first.utcoffset() or timedelta()) > (second.utcoffset() or timedelta())
    return [at.astimezone(UTC) for at in ((first, second) if repeated else (first,))]
