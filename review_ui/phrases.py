"""Numbers and times as a reviewer reads them."""

from datetime import UTC, datetime, timedelta

from hitl.models import ConfidenceKind

_KINDS = {
    ConfidenceKind.CALIBRATED: "calibrated",
    ConfidenceKind.MEASURED: "measured from labels",
    ConfidenceKind.REPORTED: "reported by the step, uncalibrated",
    ConfidenceKind.DECLARED: "declared in the policy",
    ConfidenceKind.CRITIC: "said by a critic, noisy",
    ConfidenceKind.JUDGE: "said by a judge model, noisy",
    ConfidenceKind.COMPOUND: "product of its own steps",
    ConfidenceKind.UNKNOWN: "not known",
}
_SHORT_KINDS = {
    ConfidenceKind.CALIBRATED: "calibrated",
    ConfidenceKind.MEASURED: "measured",
    ConfidenceKind.REPORTED: "uncalibrated",
    ConfidenceKind.DECLARED: "declared",
    ConfidenceKind.CRITIC: "critic",
    ConfidenceKind.JUDGE: "judge",
    ConfidenceKind.COMPOUND: "compound",
    ConfidenceKind.UNKNOWN: "unknown",
}


def count(n: int, noun: str, plural: str = "") -> str:
    """Return the noun for `n` things: `"step"` for 1, else `"steps"`."""
    return noun if n == 1 else plural or noun + "s"


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return e.g. `"1 step"` or `"3 steps"`."""
    return f"{n:,} {count(n, noun, plural)}"


def probability(p: float | None) -> str:
    """Return `p` with two decimals; never rounds up to 1 or down to 0; `"unknown"` for None.

    The last step towards certainty is what a reviewer must see: 0.9993 is ">0.99", not "1.00".
    """
    if p is None:
        return "unknown"
    if p == 1.0:
        return "1.00"
    if p > 0.995:
        return ">0.99"
    if 0.0 < p < 0.005:
        return "<0.01"
    return f"{p:.2f}"


def rests_on(kind: ConfidenceKind) -> str:
    """Return what a probability rests on, in words."""
    return _KINDS[kind]


def rests_on_short(kind: ConfidenceKind) -> str:
    """Return what a probability rests on, in one word."""
    return _SHORT_KINDS[kind]


def duration(span: timedelta) -> str:
    """Return a length of time in at most two units: `"45 s"`, `"12 min"`, `"3 h 05 min"`, `"2 d 4 h"`."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        rest = minutes % 60
        return f"{hours} h {rest:02d} min" if rest else f"{hours} h"
    rest = hours % 24
    return f"{days} d {rest} h" if rest else f"{days} d"


def due(at: datetime | None, now: datetime) -> str:
    """Return how long is left: `"12 min"`, `"overdue by 3 min"`, `"no due time"`."""
    if at is None:
        return "no due time"
    if at <= now:
        return f"overdue by {duration(now - at)}"
    return duration(at - now)


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago `at` was: `"just now"`, `"5 min ago"`."""
    span = now - at
    return "just now" if span < timedelta(seconds=5) else f"{duration(span)} ago"


def moment(at: datetime) -> str:
    """Return an instant in UTC: `"24 Nov 2026, 11:05:09 UTC"`."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M:%S} UTC"


def words(identifier: str) -> str:
    """Return a field name as words: `"payee_iban"` and `"payeeIban"` as `"payee iban"`."""
    spaced = "".join(
        f" {c.lower()}" if c.isupper() and i and identifier[i - 1].islower() else c
        for i, c in enumerate(identifier)
    )
    return spaced.replace("_", " ").replace("-", " ").strip() or identifier
