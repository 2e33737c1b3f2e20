"""JSON bodies read strictly: bounded in size, no doubled keys, no numbers JSON does not have."""

import json
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

MAX_BODY_BYTES = 256 * 1024
_MAX_DIGITS = 400

T = TypeVar("T", bound=BaseModel)


class BadBody(Exception):
    """A body that cannot be taken, with the HTTP status that says so."""

    def __init__(self, status_code: int, sentence: str) -> None:
        self.status_code = status_code
        super().__init__(sentence)


async def read_body(request: Request) -> bytes:
    """Return the body, read up to `MAX_BODY_BYTES` and no further.

    Raises:
        BadBody: 413 for a larger one.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise BadBody(
                413, f"The body is larger than {MAX_BODY_BYTES} bytes. Nothing was saved."
            )
        parts.append(part)
    return b"".join(parts)


def parse(model: type[T], body: bytes) -> T:
    """Return the record a JSON body holds.

    Raises:
        BadBody: 422; the sentence names the field.
    """
    try:
        # Checked apart from pydantic, which takes the last of doubled keys.
        json.loads(body, object_pairs_hook=_once, parse_constant=_refuse, parse_int=_bounded)
        return model.model_validate_json(body, strict=True)
    except ValidationError as problem:
        raise BadBody(422, _sentence(problem)) from problem
    except (ValueError, RecursionError) as problem:
        raise BadBody(422, f"The body is not JSON: {problem}. Nothing was saved.") from problem


def _sentence(problem: ValidationError) -> str:
    first = problem.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    where = f"Field {field!r}" if field else "The body"
    return f"{where}: {first['msg']}. Nothing was saved."


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")


def _bounded(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)
