"""What an answer of the server means: a record, or the error the queue raises in its own process."""

import os
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from hitl.client.records import Problem
from hitl.errors import (
    AlreadyDecided,
    ClaimLost,
    ConfigurationError,
    DecisionIdReused,
    HitlError,
    InvalidAnswer,
    NotAllowed,
    NotFound,
    ProposalChanged,
    RequestRefused,
    ReviewClosed,
    ReviewExpired,
    ReviewRefusal,
    RunRefusal,
    ServerUnreachable,
    TooLateToUndo,
    UnknownWorkflow,
    UserRefused,
)

T = TypeVar("T", bound=BaseModel)

_ERRORS: dict[str, type[HitlError]] = {
    kind.__name__: kind
    for kind in (
        AlreadyDecided,
        ClaimLost,
        DecisionIdReused,
        InvalidAnswer,
        NotAllowed,
        NotFound,
        ProposalChanged,
        RequestRefused,
        ReviewClosed,
        ReviewExpired,
        ReviewRefusal,
        RunRefusal,
        TooLateToUndo,
        UnknownWorkflow,
        UserRefused,
    )
}


def read_answer(url: str, response: httpx.Response, answer: type[T]) -> T:
    """Return the record an answer holds.

    Raises:
        HitlError: What the server refused, as the queue raises it.
        ServerUnreachable: What came is not the API's.
    """
    try:
        if response.is_success:
            return answer.model_validate_json(response.content)
        problem = Problem.model_validate_json(response.content)
    except ValidationError as noise:
        raise ServerUnreachable(url, "what came is not the API's") from noise
    raise _error(problem)


def silent(url: str, silence: httpx.HTTPError) -> ServerUnreachable:
    """Return the error of a server that gave no answer."""
    return ServerUnreachable(url, str(silence) or type(silence).__name__)


def bearer(token: str | None, api_key: str | None) -> dict[str, str]:
    """Return the headers every request carries.

    Raises:
        ConfigurationError: There is no token, no key, and none in `HITL_KEY`.
    """
    secret = token or api_key or os.environ.get("HITL_KEY")
    if not secret:
        raise ConfigurationError(
            "There is no key to send; give `api_key=`, or set HITL_KEY. `hitl user add` makes one."
        )
    return {"Authorization": f"Bearer {secret}"}


def _error(problem: Problem) -> HitlError:
    kind = _ERRORS.get(problem.error, HitlError)
    # The sentence is ready; the constructors would build another from parts.
    error = kind.__new__(kind, problem.detail)
    vars(error).update(problem.facts)
    return error


def quoted(id: str) -> str:
    """Return an id as a part of a path."""
    return quote(id, safe="")
