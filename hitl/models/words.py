"""The words with one meaning each: base types, and the enums whose values are on the buttons."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A probability in [0, 1]; NaN is refused."""

JsonObject = dict[str, JsonValue]


class Record(BaseModel):
    """Base of every value in the vocabulary: immutable, and strict about unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        ser_json_inf_nan="constants",  # visible to the store, which refuses them; not a silent null
    )


Duration = timedelta | str
"""A `timedelta`, or `"90s"`, `"15m"`, `"4h"`, `"3d"`, `"1h30m"`."""


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    """Parked until a person decides."""
    DONE = "done"
    FAILED = "failed"
    """A step raised; the run can be advanced again."""
    STOPPED = "stopped"
    """A person or the policy ended it."""
    NEEDS_ATTENTION = "needs_attention"
    """It cannot go on by itself; `RunRecord.reason` says why and what to do."""


class ReviewStatus(StrEnum):
    """Where a review stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXECUTED = "executed"
    """Decided, and its consequence is committed to the run."""


class Verdict(StrEnum):
    """What was said about a proposal."""

    APPROVE = "approve"
    DENY = "deny"


class RemedyKind(StrEnum):
    """What follows a deny."""

    RETRY = "retry"
    ANSWER = "answer"
    TAKEOVER = "takeover"
    ROLLBACK = "rollback"
    STOP = "stop"
    JUDGEMENT = "judgement"
    """Of a step's question: it was not worth a person; the step uses its own judgement."""


class Place(StrEnum):
    """Where a gate stands relative to its step."""

    AFTER = "after"
    """The step ran; its writes are withheld."""
    BEFORE = "before"
    """The step has not run; its frozen input is shown. For effects."""
    QUESTION = "question"
    """The step itself asks: `hitl.ask`, or LangGraph's `interrupt()`."""


class Covers(StrEnum):
    """What a yes vouches for."""

    STEP = "step"
    SINCE_RESET = "since_reset"


class DecidedBy(StrEnum):
    """Who made a decision. Only a person's decision is ever a label."""

    PERSON = "person"
    POLICY = "policy"


class ConfidenceKind(StrEnum):
    """What p rests on, best first."""

    CALIBRATED = "calibrated"
    MEASURED = "measured"
    """The step's Beta posterior mean, from labels."""
    REPORTED = "reported"
    """As the step said; uncalibrated."""
    DECLARED = "declared"
    """`accuracy=` of the policy."""
    CRITIC = "critic"
    """As a critic learned from decisions says; noisy."""
    JUDGE = "judge"
    """As a model that reads the proposal says; noisy."""
    COMPOUND = "compound"
    """A child graph's own reliability."""
    UNKNOWN = "unknown"
