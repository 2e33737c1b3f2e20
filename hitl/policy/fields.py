"""The kinds of fields a policy has, and the sentences said when one of them cannot be right."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from hitl.errors import ConfigurationError
from hitl.models import Probability
from hitl.policy.times import DURATION_HINT, UNTIL_HINT, as_timedelta, format_duration, read_until

_LONGEST = timedelta(days=36_500)
"""A century: later deadlines are slips of the pen, and beyond what a calendar holds."""
_CHANCE_HINT = "it must be a probability in [0, 1]"


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(_CHANCE_HINT)
    return value


def _span(value: Any) -> timedelta:
    try:
        span = as_timedelta(value)
    except (ConfigurationError, TypeError, AttributeError) as problem:
        raise ValueError(DURATION_HINT) from problem
    if not timedelta(0) < span <= _LONGEST:
        raise ValueError(f"it must be longer than zero and at most {format_duration(_LONGEST)}")
    return span


def _until(value: Any) -> str:
    try:
        read_until(value)
    except (ConfigurationError, TypeError, AttributeError) as problem:
        raise ValueError(UNTIL_HINT) from problem
    return " ".join(str(value).lower().split())


Chance = Annotated[Probability, BeforeValidator(_number)]
"""A probability in [0, 1]; True and False are not numbers here."""

Span = Annotated[timedelta, BeforeValidator(_span)]
"""A duration longer than zero, at most a century, given as a `timedelta` or as text."""

Until = Annotated[str, BeforeValidator(_until)]
"""A wall-clock deadline, in lower case and with single spaces."""

Cost = Annotated[float, Field(ge=0.0, allow_inf_nan=False), BeforeValidator(_number)]
"""An amount of money or minutes, at least 0; one unit throughout a policy."""

Count = Annotated[int, Field(strict=True)]
"""A whole number; True and False are none."""


def fields_among(names: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return those of `names` that are fields of `model`: an `__init__`'s `locals()`, passed on."""
    return {key: names[key] for key in model.model_fields}


@contextmanager
def built(owner: str) -> Iterator[None]:
    """Turn what pydantic finds wrong inside into one `ConfigurationError` about `owner`."""
    try:
        yield
    except ValidationError as problem:
        raise ConfigurationError(_sentence(owner, problem.errors()[0])) from problem


def _sentence(owner: str, error: ErrorDetails) -> str:
    where = str(error["loc"][0]) if error["loc"] else "it"
    inner = [repr(part) for part in error["loc"][1:] if isinstance(part, int) or "." not in part]
    at = f"{where}[{inner[0]}]" if inner and where in _CONTAINERS else where
    return f"{owner}: {at} is {error['input']!r}; {_needed(error, where, owner)}."


_CONTAINERS = frozenset({"accuracy", "checkpoints", "on_deny", "on_doubt", "reasons"})
_A_REMEDY = "it must be a remedy such as Retry(3) or Stop(), in a list for on_deny"
_WANTED = {
    "place": "it is 'after' or 'before'",
    "on_deny": _A_REMEDY,
    "on_expiry": _A_REMEDY,
    "on_doubt": "it must be a rung such as Retry(2), Critic(fn), Judge(fn) or Rollouts(3), in a list",
    "scope": "it is 'step' or 'run'",
    "then": "it is 'go_on' or 'close'",
    "function": "it must be a function, or its name 'module:function'",
    "attempts": "it must be a whole number from 1 to 10000",
    "rollouts": "it must be a whole number from 1 to 100",
    "every": "it must be a whole number of at least 1",
    "effects_above": "it must be a whole number of at least 0",
    "budget": "it must be a whole number from 0 to 10000",
    "questions": "it must be an AskGate, such as AskGate(budget=3)",
}
"""What a field must be, where that says more than its type."""
_COSTS = frozenset(
    {"silent_error_cost", "rework_cost", "step_cost", "cost_above", "doubt_cost", "review_cost"}
)
_RANGE = frozenset({"greater_than_equal", "less_than_equal", "finite_number"})


def _needed(error: ErrorDetails, where: str, owner: str) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if where == "attempts" and owner == "Rollouts":
        return "it must be a whole number from 2 to 100"
    if where in _WANTED:
        return _WANTED[where]
    if error["type"] in _RANGE:
        return "it must be a number of at least 0" if where in _COSTS else _CHANCE_HINT
    return error["msg"].replace("Input should", "it should")
