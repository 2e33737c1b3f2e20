"""Durations and deadlines, across both changes of the clocks."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigurationError
from hitl.policy import format_duration, parse_duration, resolve_until
from tests.rules import quick

BERLIN = "Europe/Berlin"
ZONES = (
    BERLIN,
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
)

moments = st.integers(1_577_836_800, 2_051_222_400).map(lambda s: datetime.fromtimestamp(s, UTC))
"""Seconds of the years 2020 to 2034."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("4h", timedelta(hours=4)),
        ("3d", timedelta(days=3)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4.5s", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        (" 2h ", timedelta(hours=2)),  # as it comes out of a file
        ("90m", timedelta(minutes=90)),  # not normalised by the writer
        ("0s", timedelta(0)),
        ("0.000001s", timedelta(microseconds=1)),
    ],
)
def test_a_duration_is_days_hours_minutes_seconds(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text",
    ["", "4", "h", "4 h", "4hours", "-4h", "30m1h", "1.5h", "1e3s", "4h4h", "٤h", "PT2H", "1.s"],
)
def test_what_is_not_a_duration_is_answered_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read; write it like '90s'"):
        parse_duration(text)


def test_a_duration_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'999999999d9999h' is too long; 999999999d is"):
        parse_duration("999999999d9999h")


def test_a_negative_duration_has_no_text() -> None:
    with pytest.raises(ConfigurationError, match="is negative; a duration is at least 0s"):
        format_duration(timedelta(seconds=-1))


@quick
@given(st.timedeltas(min_value=timedelta(0)))
def test_a_written_duration_reads_as_itself(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


@quick
@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 999), st.integers(0, 9999))
def test_a_duration_is_written_in_one_way_only(d: int, h: int, m: int, s: int) -> None:
    span = parse_duration(f"{d}d{h}h{m}m{s}s")

    assert span == timedelta(days=d, hours=h, minutes=m, seconds=s)
    assert format_duration(parse_duration(format_duration(span))) == format_duration(span)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tomorrow 09:00", "2026-11-25 08:00"),
        ("today 18:00", "2026-11-24 17:00"),
        ("today 09:00", "2026-11-24 08:00"),  # already past: no time is left
        ("2026-12-24 9:30", "2026-12-24 08:30"),
        ("2027-07-01 09:00", "2027-07-01 07:00"),  # another season
        ("14:00", "2026-11-24 13:00"),  # still ahead today
        ("13:00", "2026-11-25 12:00"),  # it is 13:00 now: the next such time
        ("09:00", "2026-11-25 08:00"),
        ("  Tomorrow   09:00 ", "2026-11-25 08:00"),
    ],
)
def test_a_deadline_is_wall_clock_time_resolved_to_utc(
    text: str, expected: str, noon: datetime
) -> None:
    at = resolve_until(text, now=noon, timezone=BERLIN)

    assert (at, at.tzinfo) == (utc(expected), UTC)


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("tomorrow 09:00", "2026-03-28 19:00", "2026-03-29 07:00"),  # a night of 12 hours
        ("tomorrow 02:30", "2026-03-28 19:00", "2026-03-29 01:30"),  # skipped: as much later
        ("02:30", "2026-03-28 19:00", "2026-03-29 01:30"),
        ("03:00", "2026-03-29 00:59", "2026-03-29 01:00"),  # one minute away
        ("tomorrow 09:00", "2026-03-29 19:00", "2026-03-30 07:00"),  # the day after is plain
    ],
)
def test_deadlines_hold_when_the_clocks_go_forward(text: str, now: str, expected: str) -> None:
    assert resolve_until(text, now=utc(now), timezone=BERLIN) == utc(expected)


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("tomorrow 09:00", "2026-10-24 18:00", "2026-10-25 08:00"),  # a night of 14 hours
        ("tomorrow 02:30", "2026-10-24 18:00", "2026-10-25 00:30"),  # twice: the first
        ("02:30", "2026-10-25 00:15", "2026-10-25 00:30"),
        ("02:30", "2026-10-25 00:45", "2026-10-25 01:30"),  # the second is the next such time
        ("02:30", "2026-10-25 01:45", "2026-10-26 01:30"),  # both are past
        ("tomorrow 23:00", "2026-10-24 18:00", "2026-10-25 22:00"),
    ],
)
def test_deadlines_hold_when_the_clocks_go_back(text: str, now: str, expected: str) -> None:
    assert resolve_until(text, now=utc(now), timezone=BERLIN) == utc(expected)


@quick
@given(
    moment=moments,
    clock=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
)
def test_a_bare_time_is_the_next_such_time(moment: datetime, clock: time, zone: str) -> None:
    at = resolve_until(f"{clock:%H:%M}", now=moment, timezone=zone)

    assert moment < at <= moment + timedelta(hours=25)
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    asked = datetime.combine(shown.date(), clock)
    assert shown == asked or timedelta(0) < shown - asked <= timedelta(hours=1)  # a skipped hour


@quick
@given(moments, st.sampled_from(ZONES))
def test_tomorrow_is_the_next_calendar_day(moment: datetime, zone: str) -> None:
    at = resolve_until("tomorrow 12:00", now=moment, timezone=zone).astimezone(ZoneInfo(zone))

    assert at.date() - moment.astimezone(ZoneInfo(zone)).date() == timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "tomorrow",
        "tomorrow 24:00",
        "today 09:60",
        "yesterday 09:00",
        "9",
        "9:5",
        "9am",
        "2026-02-30 09:00",
        "2026-11-25T09:00",
        "9999-12-31 09:00",
    ],
)
def test_what_is_not_a_deadline_is_answered_with_how_to_write_one(
    text: str, noon: datetime
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read; write it like 'tomorrow 09:00'"):
        resolve_until(text, now=noon, timezone=BERLIN)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "did you mean 'Europe/Berlin'"),
        ("nowhere at all", "use an IANA name"),
        ("../../etc/passwd", "."),
        ("", "use an IANA name"),
    ],
)
def test_an_unknown_timezone_is_answered_with_a_near_one(
    name: str, hint: str, noon: datetime
) -> None:
    with pytest.raises(ConfigurationError, match="is not known") as refused:
        resolve_until("09:00", now=noon, timezone=name)

    assert hint in str(refused.value)
