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
    """Of the state's fields; of `ROOT` when the state is one value."""

    @property
    def is_value(self) -> bool:
        """Whether the state is one value: then the answer is that, not an object of fields."""
        return ROOT in self.types

    def model(self, keys: Collection[str], *, required: bool) -> type[BaseModel]:
        """Return the model of an update of `keys`."""
        default: Any = ... if required else None
        fields: dict[str, Any] = {k: (self.types.get(k, Any), default) for k in sorted(keys)}
        return create_model(
            "Answer", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields
        )

    def schema(self, keys: Collection[str], *, required: bool) -> JsonObject:
        """Return the JSON Schema of an answer; a loose one where a type has none."""
        if self.is_value:
            return _value_schema(self.types[ROOT])
        try:
            schema: JsonObject = self.model(keys, required=required).model_json_schema()
        except (PydanticUserError, TypeError):
            schema = {"type": "object", "properties": {k: {} for k in sorted(keys)}}
        schema["title"] = "Answer"
        return schema

    def update(self, review_id: str, answer: JsonValue) -> Any:
        """Return the typed update of the answer's fields, or the state's typed value.

        Raises:
            InvalidAnswer: The answer is not an object, or a field does not fit its type.
        """
        if self.is_value:
            return self._typed(review_id, ROOT, answer)
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
            where = "The answer" if key == ROOT else f"Field {key!r}"
            raise InvalidAnswer(review_id, f"{where}: {first['msg']}.") from problem


def _value_schema(kind: Any) -> JsonObject:
    try:
        schema: JsonObject = _adapter(kind).json_schema()
    except (PydanticUserError, TypeError):
        schema = {}
    schema["title"] = "Answer"
    return schema


def _adapter(kind: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as problem:
        if problem.code != "type-adapter-config-unused":
            raise
    return TypeAdapter(kind)  # a model, a dataclass or a TypedDict brings its own config


def in_place_of(proposal: Any, update: Any) -> Any:
    """Return the answer in the form the step returned: its Commands' destinations stay."""
    if isinstance(proposal, Command):
        return dataclasses.replace(proposal, update=update)
    if isinstance(proposal, (list, tuple)):
        commands = [part for part in proposal if isinstance(part, Command)]
        return (
            [update, *(dataclasses.replace(c, update=None) for c in commands)]
            if commands
            else update
        )
    return update
