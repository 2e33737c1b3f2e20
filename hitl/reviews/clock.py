"""The library's one clock."""

from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  the one place that reads the clock
