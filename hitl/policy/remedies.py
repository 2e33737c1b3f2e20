"""What may follow a no, as values: `Retry(3, within="2h")`, `Answer()`, `Rollback()`, `Stop()`."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
    model_validator,
)

from hitl.errors import ConfigurationError
from hitl.models import Duration, JsonObject, Record, RemedyKind
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
    """A person takes over: does the step, or completes the run.

    `Takeover()` is the step: what they hand in is committed in its place, and the graph goes on;
    with `then="close"` the run is done with it, and no later step runs. `Takeover(scope="run")` is
    all that is left: they hand in what is missing of the run's state, and the run is done.
    """

    kind: Literal[RemedyKind.TAKEOVER] = RemedyKind.TAKEOVER
    scope: Literal["step", "run"] = "step"
    then: Literal["go_on", "close"] = "go_on"
    """What becomes of the steps after it; always `close` with `scope="run"`."""

    def __init__(
        self,
        *,
        scope: Literal["step", "run"] = "step",
        then: Literal["go_on", "close"] | None = None,
        kind: Literal[RemedyKind.TAKEOVER] = RemedyKind.TAKEOVER,
    ) -> None:
        after = then if then is not None else "close" if scope == "run" else "go_on"
        with built("Takeover"):
            BaseModel.__init__(self, kind=kind, scope=scope, then=after)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Takeover":
        if self.scope == "run" and self.then == "go_on":
            raise ConfigurationError(
                "Takeover(scope='run') completes the run, so nothing of it can go on; leave `then`"
                " out, or take over the step alone."
            )
        return self

    @model_serializer(mode="wrap", when_used="json")
    def _spoken(self, dump: SerializerFunctionWrapHandler) -> JsonObject:
        """Leave out what is said by saying nothing: the hash of `Takeover()` is what it always was."""
        said: JsonObject = dump(self)
        if self.scope == "run" or self.then == "go_on":
            said.pop("then", None)
        if self.scope == "step":
            said.pop("scope", None)
        return said


class Rollback(Record):
    """Go back to the last snapshot in which everything was verified, and go on from there."""

    kind: Literal[RemedyKind.ROLLBACK] = RemedyKind.ROLLBACK


class Stop(Record):
    """End the run."""

    kind: Literal[RemedyKind.STOP] = RemedyKind.STOP


Remedy = Annotated[Retry | Answer | Takeover | Rollback | Stop, Field(discriminator="kind")]
"""Any of the five; told apart by `kind`."""
