"""A form made from a JSON Schema, and what was typed read back as JSON.

Known: string, number, integer, boolean, enum and const, date and time formats, array, object,
`anyOf`/`oneOf`/type lists with null, `$ref` into the same schema. Everything else is a text area for
JSON. The queue validates the result against the schema; here only what cannot be read is refused.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import JsonValue

from hitl.models import JsonObject
from review_ui.phrases import words

FieldKind = Literal[
    "text",
    "long_text",
    "number",
    "integer",
    "boolean",
    "choice",
    "choices",
    "lines",
    "group",
    "json",
    "any",
]
_MOST_DEPTH = 4
_MOST_CHOICES = 60
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,3})?")
_INTEGER = re.compile(r"[+-]?\d{1,300}")
_INPUTS = {"date": "date", "time": "time", "date-time": "text", "email": "email", "uri": "url"}


@dataclass(frozen=True, slots=True)
class Field:
    """One input of the answer form. `name` is the form key, dotted below its group."""

    name: str
    label: str
    kind: FieldKind
    required: bool
    nullable: bool = False
    hint: str = ""
    input_type: str = "text"
    choices: tuple[JsonValue, ...] = ()
    item: FieldKind = "text"
    """Kind of one line, for `lines`."""
    children: tuple["Field", ...] = ()
    value: str = ""
    """What is typed in."""
    picked: tuple[int, ...] = ()
    """Indexes of the choices made."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A form read back: the answer, or the sentences that say what could not be read."""

    answer: JsonValue
    problems: Mapping[str, str]


def form_of(
    schema: JsonObject, *, name: str = "answer", proposed: JsonValue = None, free: bool = False
) -> Field:
    """Return the form for `schema`.

    Args:
        schema: A JSON Schema; references resolve within it only.
        name: The form key of the whole answer.
        proposed: What the step proposed. Forms of several fields start from it, so that a person
            changes one; a single field starts empty, so that nobody repeats a wrong value unread.
        free: Take plain text as well where the schema asks for nothing in particular.
    """
    field = _field(schema, schema, name, label="Your answer", required=True, depth=0)
    if field.kind == "json" and free:
        return replace(field, kind="any", hint=field.hint or "Plain text, or JSON.")
    if field.kind == "group" and len(field.children) > 1 and isinstance(proposed, dict):
        return fill(field, proposed)
    return field


def read(field: Field, typed: Mapping[str, Sequence[str]]) -> Reading:
    """Return what was typed into `field` as JSON, with a sentence for each part that is not."""
    problems: dict[str, str] = {}
    answer = _value(field, typed, problems)
    return Reading(answer=None if isinstance(answer, _Absent) else answer, problems=problems)


def fill(field: Field, value: JsonValue) -> Field:
    """Return `field` with `value` typed in."""
    match field.kind:
        case "group":
            known = value if isinstance(value, dict) else {}
            keys = [child.name.rpartition(".")[2] for child in field.children]
            children = [
                fill(child, known[key]) if key in known else child
                for key, child in zip(keys, field.children, strict=True)
            ]
            return replace(field, children=tuple(children))
        case "choice":
            picked = [i for i, c in enumerate(field.choices) if c == value]
            return replace(field, picked=tuple(picked[:1]))
        case "choices":
            wanted = value if isinstance(value, list) else []
            return replace(
                field, picked=tuple(i for i, c in enumerate(field.choices) if c in wanted)
            )
        case "boolean":
            return replace(field, value=json.dumps(value) if isinstance(value, bool) else "")
        case "lines":
            items = value if isinstance(value, list) else []
            return replace(field, value="\n".join(_scalar_text(i) for i in items))
        case "json":
            return replace(field, value=json.dumps(value, indent=2, ensure_ascii=False))
        case _:
            return replace(field, value=_scalar_text(value))


def retype(field: Field, typed: Mapping[str, Sequence[str]], problems: Mapping[str, str]) -> Field:
    """Return `field` as it was typed, with its problems: what a refused form shows again."""
    said = typed.get(field.name, ())
    return replace(
        field,
        children=tuple(retype(child, typed, problems) for child in field.children),
        value=said[0] if said else "",
        picked=tuple(int(s) for s in said if s.isdecimal() and len(s) < 4),
        problem=problems.get(field.name, ""),
    )


class _Absent:
    """The type of a field nothing was typed into."""


_ABSENT = _Absent()


def _field(
    schema: JsonValue, root: JsonObject, name: str, *, label: str, required: bool, depth: int
) -> Field:
    own, nullable = _without_null(_resolved(schema, root), root)
    base = Field(
        name=name,
        label=_text(own.get("title")) or label,
        kind="json",
        required=required,
        nullable=nullable,
        hint=_text(own.get("description")),
    )
    choices = own.get("enum") if "enum" in own else [own["const"]] if "const" in own else None
    if isinstance(choices, list) and 0 < len(choices) <= _MOST_CHOICES:
        return replace(base, kind="choice", choices=tuple(choices))
    match own.get("type"):
        case "string":
            return _string(base, own)
        case "number" | "integer" | "boolean" as kind:
            return replace(base, kind=kind)
        case "array":
            return _array(base, own, root, depth)
        case "object":
            return _group(base, own, root, depth)
        case _:
            return base


def _string(base: Field, own: JsonObject) -> Field:
    most = own.get("maxLength")
    if own.get("format") is None and isinstance(most, int) and most > 200:
        return replace(base, kind="long_text")
    return replace(base, kind="text", input_type=_INPUTS.get(_text(own.get("format")), "text"))


def _array(base: Field, own: JsonObject, root: JsonObject, depth: int) -> Field:
    if depth >= _MOST_DEPTH:
        return base
    item = _field(own.get("items", {}), root, "item", label="item", required=True, depth=depth + 1)
    if item.kind == "choice":
        return replace(base, kind="choices", choices=item.choices)
    if item.kind in {"text", "number", "integer"}:
        return replace(base, kind="lines", item=item.kind)
    return base


def _group(base: Field, own: JsonObject, root: JsonObject, depth: int) -> Field:
    properties = own.get("properties")
    closed = isinstance(properties, dict) and properties and "." not in "".join(properties)
    if depth >= _MOST_DEPTH or not closed or not isinstance(properties, dict):
        return base
    wanted = own.get("required")
    required = wanted if isinstance(wanted, list) else []
    children = [
        _field(
            child,
            root,
            f"{base.name}.{key}",
            label=words(key),
            required=key in required,
            depth=depth + 1,
        )
        for key, child in properties.items()
    ]
    return replace(base, kind="group", children=tuple(children))


def _resolved(schema: JsonValue, root: JsonObject) -> JsonObject:
    """Follow `$ref` inside `root`; an unknown or endless one is an unknown schema."""
    seen: set[str] = set()
    while isinstance(schema, dict) and isinstance(ref := schema.get("$ref"), str):
        if ref in seen or not ref.startswith("#"):
            return {}
        seen.add(ref)
        schema = _pointed(root, ref)
    return schema if isinstance(schema, dict) else {}


def _pointed(root: JsonObject, ref: str) -> JsonValue:
    target: JsonValue = root
    for part in ref.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or key not in target:
            return {}
        target = target[key]
    return target


def _without_null(schema: JsonObject, root: JsonObject) -> tuple[JsonObject, bool]:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        rest = [k for k in kinds if k != "null"]
        return {**schema, "type": rest[0] if len(rest) == 1 else None}, "null" in kinds
    options = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(options, list):
        return schema, False
    resolved = [_resolved(o, root) for o in options]
    rest_options = [o for o in resolved if o.get("type") != "null"]
    nullable = len(rest_options) < len(resolved)
    if len(rest_options) != 1:
        return {k: v for k, v in schema.items() if k in {"title", "description"}}, nullable
    return {**rest_options[0], **_own_words(schema)}, nullable


def _own_words(schema: JsonObject) -> JsonObject:
    return {k: v for k, v in schema.items() if k in {"title", "description"}}


def _value(
    field: Field, typed: Mapping[str, Sequence[str]], problems: dict[str, str]
) -> JsonValue | _Absent:
    if field.kind == "group":
        return _group_value(field, typed, problems)
    said = [s for s in typed.get(field.name, ()) if s.strip()]
    if not said:
        return _empty(field, problems)
    try:
        return _parsed(field, said)
    except ValueError as problem:
        problems[field.name] = str(problem)
        return None


def _group_value(
    field: Field, typed: Mapping[str, Sequence[str]], problems: dict[str, str]
) -> JsonValue | _Absent:
    said = any(k.startswith(f"{field.name}.") and any(v) for k, v in typed.items())
    if not said and not field.required:
        return None if field.nullable else _ABSENT
    values = {
        child.name.rpartition(".")[2]: _value(child, typed, problems) for child in field.children
    }
    return {k: v for k, v in values.items() if not isinstance(v, _Absent)}


def _empty(field: Field, problems: dict[str, str]) -> JsonValue | _Absent:
    if field.nullable:
        return None
    if not field.required:
        return _ABSENT
    if field.kind in {"lines", "choices"}:
        return []
    if field.kind == "long_text" or (field.kind == "text" and "." in field.name):
        return ""
    problems[field.name] = "Fill this in."
    return None


def _parsed(field: Field, said: Sequence[str]) -> JsonValue:
    match field.kind:
        case "choice":
            return field.choices[_index(field, said[0])]
        case "choices":
            return [field.choices[_index(field, s)] for s in said]
        case "lines":
            return [
                _scalar(field.item, line.strip()) for line in said[0].splitlines() if line.strip()
            ]
        case "json":
            return _json(said[0])
        case "any":
            return _json_or_text(said[0])
        case kind:
            return _scalar(kind, said[0])


def _scalar(kind: FieldKind, text: str) -> JsonValue:
    match kind:
        case "integer":
            if not _INTEGER.fullmatch(text.strip()):
                raise ValueError(f"{_short(text)} is not a whole number.")
            return int(text)
        case "number":
            if not _NUMBER.fullmatch(text.strip()):
                raise ValueError(f"{_short(text)} is not a number; write it like 1234.5.")
            return float(text)
        case "boolean":
            return text == "true"
        case _:
            return text.replace("\r\n", "\n")


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError('This is not JSON; a text needs quotes, e.g. "yes".') from None
    return value


def _json_or_text(text: str) -> JsonValue:
    try:
        return _json(text)
    except ValueError:
        return text.replace("\r\n", "\n")


def _no_constant(name: str) -> JsonValue:
    raise ValueError(name)


def _index(field: Field, said: str) -> int:
    if not said.isdecimal() or len(said) > 3 or int(said) >= len(field.choices):
        raise ValueError("This is not one of the choices.")
    return int(said)


def _scalar_text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
