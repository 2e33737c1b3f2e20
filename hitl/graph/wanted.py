"""What a step wants to know: a question, the answers it takes, and the hash that binds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from hitl.canonical import canonical_json, content_hash
from hitl.errors import InvalidQuestion
from hitl.models import JsonObject

_MOST_TEXT = 4_000
_MOST_OPTIONS = 50
_MOST_ANSWER = 10_000
_ANY_TEXT: JsonObject = {
    "title": "Answer",
    "type": "string",
    "minLength": 1,
    "maxLength": _MOST_ANSWER,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question, as a step asks it."""

    text: str
    schema: JsonObject
    """JSON Schema of an answer."""
    options: tuple[Any, ...] | None
    adapter: TypeAdapter[Any] | None
    """Makes the answer what the step asked for; None where JSON is."""

    @property
    def sha256(self) -> str:
        """SHA-256 over the canonical JSON of text and schema: another question has another."""
        return content_hash({"question": self.text, "schema": self.schema})

    @property
    def shown(self) -> JsonObject:
        """What a reviewer is shown of it."""
        if self.options is None:
            return {"question": self.text}
        return {"question": self.text, "options": list(self.options)}

    def read(self, answer: JsonValue) -> Any:
        """Return a person's answer as what the step asked for.

        Raises:
            ValidationError: It fits the JSON Schema, and not the type behind it.
        """
        return answer if self.adapter is None else self.adapter.validate_python(answer)


def wanted(text: str, *, schema: Any = None, options: Sequence[Any] | None = None) -> Wanted:
    """Return the question a step asks.

    Args:
        text: What is asked.
        schema: A type, or a JSON Schema, of the answer; None for text, or with `options`.
        options: The answers to choose from: texts, numbers, true or false.

    Raises:
        InvalidQuestion: Nobody can answer that.
    """
    said = text.strip() if isinstance(text, str) else ""
    if not 0 < len(said) <= _MOST_TEXT:
        raise InvalidQuestion(
            f"`hitl.ask` was given {text!r:.80} as its question; it is a text of 1 to {_MOST_TEXT}"
            " characters. Nobody was asked."
        )
    if options is not None and schema is not None:
        raise InvalidQuestion(_about(said, "has options and a schema; give one of them"))
    if options is not None:
        choices = _choices(said, options)
        return Wanted(said, {"title": "Answer", "enum": list(choices)}, choices, None)
    if schema is None:
        return Wanted(said, _ANY_TEXT, None, None)
    if isinstance(schema, Mapping):
        return Wanted(said, _plain(said, dict(schema)), None, None)
    adapter = _adapter(said, schema)
    return Wanted(said, _plain(said, _schema_of(said, adapter)), None, adapter)


def _choices(text: str, options: Sequence[Any]) -> tuple[Any, ...]:
    if isinstance(options, str) or not 2 <= len(tuple(options)) <= _MOST_OPTIONS:
        why = f"needs 2 to {_MOST_OPTIONS} options in a list"
        raise InvalidQuestion(_about(text, why))
    choices = tuple(options)
    if any(not isinstance(each, str | int | float) for each in choices):
        raise InvalidQuestion(_about(text, "has an option that is no text, number, true or false"))
    try:
        known = {canonical_json(each) for each in choices}
    except ValueError:
        raise InvalidQuestion(_about(text, "has an option that JSON cannot carry")) from None
    if len(known) < len(choices):
        raise InvalidQuestion(_about(text, "has an option twice"))
    return choices


def _adapter(text: str, schema: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(schema)
    except (PydanticUserError, TypeError) as problem:
        raise InvalidQuestion(
            _about(text, f"has the schema {schema!r}, which is no type")
        ) from problem


def _schema_of(text: str, adapter: TypeAdapter[Any]) -> JsonObject:
    try:
        schema: JsonObject = adapter.json_schema()
    except PydanticUserError as problem:
        why = "has a type as its schema that no form can be made of"
        raise InvalidQuestion(_about(text, why)) from problem
    return schema


def _plain(text: str, schema: JsonObject) -> JsonObject:
    try:
        canonical_json(schema)
    except (ValueError, TypeError) as problem:
        raise InvalidQuestion(_about(text, "has a schema that is not JSON")) from problem
    return {**schema, "title": "Answer"}


def _about(text: str, why: str) -> str:
    return f"The question {text[:80]!r} {why}. Nobody was asked."


def misfit(problem: ValidationError) -> str:
    """Return in one sentence why an answer is not of the type that was asked for."""
    first = problem.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{f'field {field!r}: ' if field else ''}{first['msg']}."
