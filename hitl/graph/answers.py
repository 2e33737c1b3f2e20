"""The human's own answer: a JSON Schema for the form, and the typed state update it becomes."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, get_type_hints

from langgraph.types import Command
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError

from hitl.errors import InvalidAnswer
from hitl.models import JsonObject

ROOT = "__root__"


def field_types(schema: Any) -> dict[str, Any]:
    """Return the state's field types by name; empty when they cannot be told.

    Args:
        schema: A TypedDict, a dataclass or a pydantic model, as given to `StateGraph`.
    """
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return {name: f.annotation for name, f in schema.model_fields.items()}
    try:
        hints = get_type_hints(schema, include_extras=True)
    except (TypeError, NameError):
        return {}
    if dataclasses.is_dataclass(schema):
        return {f.name: hints.get(f.name, Any) for f in dataclasses.fields(schema)}
    return hints


@dataclasses.dataclass(frozen=True)
class AnswerForm:
    """What a person may answer instead of a step: a part of the graph's state, typed."""

    types: Mapping[str, Any]

    def model(self, keys: Collection[str], *, required: bool) -> type[BaseModel]:
        """Return the model of an update of `keys`."""
        default: Any = ... if required else None
        fields: dict[str, Any] = {k: (self.types.get(k, Any), default) for k in sorted(keys)}
        return create_model(
            "Answer", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields
        )

    def schema(self, keys: Collection[str], *, required: bool) -> JsonObject:
        """Return the JSON Schema of an answer; a loose object schema where a type has none."""
        try:
            schema: JsonObject = self.model(keys, required=required).model_json_schema()
        except (PydanticUserError, TypeError):
            schema = {"type": "object", "properties": {k: {} for k in sorted(keys)}}
        schema["title"] = "Answer"
        return schema

    def update(self, review_id: str, answer: JsonValue) -> dict[str, Any]:
        """Return the typed update of the answer's fields.

        Raises:
            InvalidAnswer: The answer is not an object, or a field does not fit its type.
        """
        if not isinstance(answer, dict):
            raise InvalidAnswer(review_id, "The answer must be an object of the step's fields.")
        typed: dict[str, Any] = {}
        for key, value in answer.items():
            typed[key] = self._typed(review_id, key, value)
        return typed

    def _typed(self, review_id: str, key: str, value: JsonValue) -> Any:
        if key not in self.types:
            return value
        try:
            adapter = _adapter(self.types[key])
        except (PydanticUserError, TypeError):
            return value
        try:
            return adapter.validate_python(value)
        except ValidationError as problem:
            first = problem.errors()[0]
            raise InvalidAnswer(review_id, f"Field {key!r}: {first['msg']}.") from problem


def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as problem:
        if problem.code != "type-adapter-config-unused":
            raise
    return TypeAdapter(kind)  # a model, a dataclass or a TypedDict brings its own config


def in_place_of(proposal: Any, update: dict[str, Any]) -> Any:
    """Return the answer in the form the step returned: its Command's destination stays."""
    if isinstance(proposal, Command):
        return Command(update=update, goto=proposal.goto, graph=proposal.graph)
    return update
