"""The JSON edge: records and JSON values become text that every database can keep, or are refused.

NUL characters stay as JSON escapes and come back whole. What JSON cannot say (NaN, infinity) and what
is not Unicode (lone surrogates) is refused, because a database would change it silently.
"""

import json
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn

from pydantic_core import PydanticSerializationError

from hitl.errors import StoreError
from hitl.models import JsonObject, Record


def record_text(record: Record, *, without: AbstractSet[str] = frozenset()) -> str:
    """Return the record as JSON text.

    Args:
        record: What is kept.
        without: Fields that have a column of their own instead.

    Raises:
        StoreError: It holds NaN, infinity or a lone surrogate.
    """
    try:
        text = record.model_dump_json(exclude=set(without) or None)
    except (PydanticSerializationError, UnicodeEncodeError) as problem:
        raise _refusal(type(record).__name__, problem) from problem
    if "NaN" in text or "Infinity" in text:
        _refuse_constants(type(record).__name__, text)
    return text


def json_text(what: str, value: JsonObject) -> str:
    """Return the JSON text of `value`; `what` names it in a refusal.

    Raises:
        StoreError: It holds NaN, infinity, a lone surrogate or something that is not JSON.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, TypeError) as problem:
        raise _refusal(what, problem) from problem
    return text


def json_value(text: str) -> Any:
    """Return the value of JSON text that this module wrote."""
    return json.loads(text)


def _refuse_constants(what: str, text: str) -> None:
    """Raise if NaN or infinity stands outside the strings of `text`."""

    def refuse(constant: str) -> NoReturn:
        raise _refusal(what, ValueError(f"{constant} is not JSON"))

    json.loads(text, parse_constant=refuse)


def _refusal(what: str, problem: Exception) -> StoreError:
    return StoreError(
        f"{what} cannot be stored: {problem}. Nothing was written; give it finite numbers and"
        " valid Unicode."
    )
