"""What goes over the wire of the HTTP API, beside the records of `hitl.models`."""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from hitl.models import (
    AuditEvent,
    Decision,
    Record,
    RemedyKind,
    Review,
    Role,
    RunRecord,
    UserKey,
    Verdict,
)


class DecisionBody(Record):
    """Body of `POST /v1/reviews/{id}/decision`. An answer may be null; leave it out for none."""

    verdict: Verdict
    proposal_hash: str
    decision_id: str | None = None
    """Also the idempotency key: the same id with the same content returns the same decision."""
    by: str | None = None
    """Who decides; None for the owner of the key."""
    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: RemedyKind | None = None
    answer: JsonValue = None
    fence: str | None = None
    shown_ms: int | None = None
    surface: Literal["api", "cli", "page"] = "api"


class CancelBody(Record):
    """Body of `POST /v1/reviews/{id}/cancel`."""

    reason: str
    by: str | None = None


class TakeoverBody(Record):
    """Body of `POST /v1/reviews/{id}/takeover` and `.../handback`."""

    by: str | None = None
    """Who takes it over; None for the owner of the key."""


class StopBody(Record):
    """Body of `POST /v1/runs/{id}/stop`."""

    reason: str = ""
    by: str | None = None
    """Who stops it; None for the owner of the key."""


class ResumeBody(Record):
    """Body of `POST /v1/runs/{id}/resume`."""

    by: str | None = None


_NAME = r"^[A-Za-z0-9]([A-Za-z0-9 .'@+_-]*[A-Za-z0-9.])?$"
"""For the schema: names that are taken anywhere. Others are looked at, and refused in a sentence."""


class UserBody(Record):
    """Body of `POST /v1/users`."""

    name: str = Field(max_length=100, json_schema_extra={"pattern": _NAME})
    role: Role
    owner: str | None = Field(default=None, min_length=1, max_length=100)
    """The person an agent works for."""


class UserDetail(Record):
    """One key of one user, as the API tells it."""

    id: str
    name: str
    role: Role
    owner: str | None
    created_at: AwareDatetime
    created_by: str
    revoked_at: AwareDatetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, key: UserKey) -> "UserDetail":
        """Return a key's record without what is kept of the key itself."""
        return cls(**key.model_dump(exclude={"digest"}))


class UserPage(Record):
    """Every key there ever was, oldest first."""

    users: tuple[UserDetail, ...]


class NewKey(Record):
    """A key that was made. Nobody can be told it again."""

    user: UserDetail
    key: str


class ReviewDetail(Review):
    """A review as `GET /v1/reviews/{id}` tells it."""

    decisions: tuple[Decision, ...] = ()


class ReviewPage(Record):
    """Some reviews; `next` is given as `after` for those that follow, None at the end."""

    reviews: tuple[Review, ...]
    next: str | None = None


class RunBody(Record):
    """Body of `POST /v1/runs`."""

    workflow: str
    inputs: JsonValue = Field(default_factory=dict)
    """The graph's input."""
    by: str | None = Field(default=None, max_length=200)
    """Who starts it, and may not decide its reviews; None for the owner of the key."""


class RunDetail(RunRecord):
    """A run as `GET /v1/runs/{id}` tells it."""

    reviews: tuple[Review, ...] = ()
    """All its reviews, those due first."""
    value: JsonValue = None
    """What the graph returned; null until it is done, and where its workflow is not served."""


class Readiness(Record):
    """Whether a process can do its work, as `GET /readyz` tells it."""

    ready: bool
    problems: tuple[str, ...] = ()


class RunPage(Record):
    """Some runs; `next` is given as `before` for those that follow, None at the end."""

    runs: tuple[RunRecord, ...]
    next: str | None = None


class AuditPage(Record):
    """Some events; `next` is given as `after` for those that follow, None at the end."""

    events: tuple[AuditEvent, ...]
    next: int | None = None


class Problem(Record):
    """Body of every answer that is not 2xx."""

    error: str
    """Name of the error, e.g. `"AlreadyDecided"`."""
    detail: str
    """The sentence."""
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """The error's attributes, e.g. `by` and `verdict` of the winner."""
