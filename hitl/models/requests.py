"""What a program asks a person about when no graph of ours runs it."""

import json
from typing import Literal

from pydantic import Field, field_validator

from hitl.models.reviews import Evidence
from hitl.models.words import JsonObject, Probability, Record

REQUESTS = "requests"
"""The workflow that the runs of requests belong to."""


_DURATION = "|".join(
    f"^{''.join(f'([0-9]{{1,6}}{u})?' for u in units[:-1])}[0-9]{{1,6}}{units[-1]}$"
    for units in ("d", "dh", "dhm", "dhms")
)
"""For the schema; what is refused is said in a sentence where it is read."""


class ReviewRequest(Record):
    """One action a program wants to take, put before a person. Body of `POST /v1/reviews`."""

    action: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    """What would be done, as a name: `"send_payment"`."""
    arguments: JsonObject
    """With what; at most 256 KiB of JSON, 32 levels deep. A yes is a yes to exactly these."""
    title: str = Field(default="", max_length=300)
    """The review's headline; empty makes one from the action."""
    why: tuple[str, ...] = ()
    """Why a person is asked, one sentence each; a single text is one sentence."""
    evidence: tuple[Evidence, ...] = ()
    """What to look at; a plain text is a claim."""
    confidence: Probability | None = None
    """P(the action is right), as the program reports it."""
    risk: Literal["low", "medium", "high"] = "low"
    due_in: str | None = Field(default=None, json_schema_extra={"pattern": _DURATION})
    """When a waiting review is late, e.g. `"4h"`; None for never."""
    expires_in: str | None = Field(default=None, json_schema_extra={"pattern": _DURATION})
    """When a waiting review ends without a person; None for never."""
    on_expiry: Literal["stop"] = "stop"
    """What follows when it does: a no, recorded as made by policy."""
    by: str | None = Field(default=None, max_length=200, json_schema_extra={"pattern": r"\S"})
    """Who asks; may not decide it."""

    @field_validator("why", mode="before")
    @classmethod
    def _sentences(cls, value: object) -> object:
        # a list is no tuple to a strict model once it was looked at here
        return (value,) if isinstance(value, str) else _tupled(value)

    @field_validator("evidence", mode="before")
    @classmethod
    def _claims(cls, value: object) -> object:
        if not isinstance(value, (list, tuple)):
            return value
        return tuple(map(_evidence, value))


def _tupled(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _evidence(value: object) -> object:
    """Return a claim as evidence; a picture that came as JSON text is base64."""
    if isinstance(value, str):
        return Evidence(claim=value)
    if isinstance(value, dict) and isinstance(value.get("image_png"), str):
        return Evidence.model_validate_json(json.dumps(value), strict=True)
    return value


class Amendment(Record):
    """Other arguments for a review that waits. Body of `PATCH /v1/reviews/{id}`."""

    arguments: JsonObject
    by: str | None = Field(default=None, max_length=200)
    """Who amends it: whoever asked."""
