"""The clock of this machine: what `clock=` is where nobody gives another."""

from datetime import UTC, datetime


def system_clock() -> datetime:
    """Return the time now, aware, in UTC.

    A store whose server has a clock judges leases by that one, unless it is given another clock.
    """
    return datetime.now(UTC)  # noqa: TID251  the one place that reads the clock
