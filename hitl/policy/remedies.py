"""What may follow a no, as values: `Retry(3, within="2h")`, `Answer()`, `Rollback()`, `Stop()`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_serializer

from hitl.models import Duration, Record, RemedyKind
from hitl.policy.fields import Span, Until, built
from hitl.policy.times import format_duration


class Retry(Record):
    """Run the step again, with the reasons of the no; at most `attempts` more times.

    `Retry(10, until="tomorrow 09:00")` is ten tries, but by tomorrow. Both limits count from the
    first review of the visit.
    """

    kind: Literal[RemedyKind.RETRY] = RemedyKind.RETRY
    attempts: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 1
    """How many more tries; from 1 to 10000."""
    within: Span | None = None
    """No try starts later than this after the first review; None for no limit."""
    until: Until | None = None
    """Wall-clock deadline in the policy's timezone (see `resolve_until`); None for no limit."""

    def __init__(
        self,
        attempts: int = 1,
        *,
        within: Duration | None = None,
        until: str | None = None,
        kind: Literal[RemedyKind.RETRY] = RemedyKind.RETRY,
    ) -> None:
        values = {"attempts": attempts, "within": within, "until": until, "kind": kind}
        with built("Retry"):
            BaseModel.__init__(self, **values)

    @field_serializer("within", when_used="json-unless-none")
    def _written(self, span: timedelta) -> str:
        return format_duration(span)


class Answer(Record):
    """The reviewer gives the step's result."""

    kind: Literal[RemedyKind.ANSWER] = RemedyKind.ANSWER


class Takeover(Record):
    """A person takes the run over and hands it back."""

    kind: Literal[RemedyKind.TAKEOVER] = RemedyKind.TAKEOVER


class Rollback(Record):
    """Go back to the last snapshot in which everything was verified, and go on from there."""

    kind: Literal[RemedyKind.ROLLBACK] = RemedyKind.ROLLBACK


class Stop(Record):
    """End the run."""

    kind: Literal[RemedyKind.STOP] = RemedyKind.STOP


Remedy = Annotated[Retry | Answer | Takeover | Rollback | Stop, Field(discriminator="kind")]
"""Any of the five; told apart by `kind`."""
