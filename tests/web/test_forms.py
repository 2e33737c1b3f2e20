from typing import Any

import pytest

from hitl.models import JsonObject
from review_ui.forms import Field, form_of, read, retype

PERSON: JsonObject = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {
        "name": {"type": "string", "title": "Full name"},
        "age": {"type": "integer"},
        "size_cm": {"type": "number"},
        "member": {"type": "boolean"},
        "tier": {"enum": ["gold", "silver", 3]},
        "nick": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "marks": {"type": "array", "items": {"$ref": "#/$defs/Mark"}},
        "home": {"$ref": "#/$defs/Place"},
        "extra": {},
    },
    "$defs": {
        "Mark": {"enum": [1, 2, 3]},
        "Place": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}},
        },
    },
}


def child(form: Field, name: str) -> Field:
    return next(c for c in form.children if c.name == f"answer.{name}")


def test_every_field_of_an_object_gets_its_input() -> None:
    form = form_of(PERSON)

    kinds = {c.name.removeprefix("answer."): c.kind for c in form.children}
    assert kinds == {
        "name": "text",
        "age": "integer",
        "size_cm": "number",
        "member": "boolean",
        "tier": "choice",
        "nick": "text",
        "tags": "lines",
        "marks": "choices",
        "home": "group",
        "extra": "json",
    }
    assert child(form, "name").label == "Full name"
    assert child(form, "size_cm").label == "size cm"
    assert (child(form, "nick").nullable, child(form, "age").required) == (True, True)


def test_what_was_typed_becomes_json_of_the_right_types() -> None:
    typed = {
        "answer.name": ["Ana Ruiz"],
        "answer.age": ["41"],
        "answer.size_cm": ["170.5"],
        "answer.member": ["false"],
        "answer.tier": ["2"],
        "answer.nick": [""],
        "answer.tags": ["a\r\n\r\n b "],
        "answer.marks": ["0", "2"],
        "answer.home.city": ["Turin"],
        "answer.extra": ['{"x": [1, null]}'],
    }

    reading = read(form_of(PERSON), typed)

    assert not reading.problems
    assert reading.answer == {
        "name": "Ana Ruiz",
        "age": 41,
        "size_cm": 170.5,
        "member": False,
        "tier": 3,
        "nick": None,
        "tags": ["a", "b"],
        "marks": [1, 3],
        "home": {"city": "Turin"},
        "extra": {"x": [1, None]},
    }


def test_what_was_left_out_and_is_not_required_is_left_out() -> None:
    reading = read(form_of(PERSON), {"answer.name": ["Ana"], "answer.age": ["41"]})

    assert reading.answer == {"name": "Ana", "age": 41, "nick": None}


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("age", "4.5", "'4.5' is not a whole number."),
        ("age", "", "Fill this in."),
        ("age", "9" * 400, "is not a whole number."),
        ("size_cm", "NaN", "'NaN' is not a number"),
        ("size_cm", "1,5", "'1,5' is not a number"),
        ("tier", "7", "This is not one of the choices."),
        ("tier", "-1", "This is not one of the choices."),
        ("extra", "{", "This is not JSON"),
        ("extra", "NaN", "This is not JSON"),
        ("extra", "[" * 100_000, "This is not JSON"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence_at_its_field(
    name: str, typed: str, sentence: str
) -> None:
    filled = {"answer.name": ["Ana"], "answer.age": ["41"], f"answer.{name}": [typed]}

    reading = read(form_of(PERSON), filled)

    assert sentence in reading.problems[f"answer.{name}"]
    again = child(retype(form_of(PERSON), filled, reading.problems), name)
    assert sentence in again.problem


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "https://evil.example/schema"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},  # endless
        {"type": "object", "properties": {"a.b": {"type": "string"}}},  # dots part our names
    ],
)
def test_an_unknown_schema_is_an_area_for_json(schema: JsonObject) -> None:
    form = form_of(schema)

    assert form.kind == "json"
    assert read(form, {"answer": ['{"a": 1}']}).answer == {"a": 1}


def test_a_schema_that_holds_itself_ends() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}}}

    depth, form = 0, form_of(node)
    while form.children:
        depth, form = depth + 1, form.children[0]

    assert (depth, form.kind) == (4, "json")


@pytest.mark.parametrize(
    ("schema", "typed", "answer"),
    [
        ({"type": "string"}, "x", "x"),
        ({"type": "integer"}, "7", 7),
        ({"enum": ["a", "b"]}, "1", "b"),
        ({"type": ["integer", "null"]}, "", None),
        ({"const": "yes"}, "0", "yes"),
    ],
)
def test_a_single_value_is_a_single_field(schema: JsonObject, typed: str, answer: object) -> None:
    reading = read(form_of(schema), {"answer": [typed]})

    assert (reading.answer, dict(reading.problems)) == (answer, {})


def test_a_form_of_several_fields_starts_from_what_was_proposed() -> None:
    form = form_of(PERSON, proposed={"name": "Ana", "tier": "silver", "tags": ["a", "b"]})

    assert child(form, "name").value == "Ana"
    assert child(form, "tier").picked == (1,)
    assert child(form, "tags").value == "a\nb"


def test_a_single_field_starts_empty_so_that_nobody_repeats_it_unread() -> None:
    schema: JsonObject = {"type": "object", "properties": {"digit": {"type": "integer"}}}

    assert form_of(schema, proposed={"digit": 7}).children[0].value == ""


@pytest.mark.parametrize(("typed", "answer"), [("the red one", "the red one"), ("7", 7)])
def test_a_free_question_takes_plain_text_and_json(typed: str, answer: object) -> None:
    assert read(form_of({"title": "Answer"}, free=True), {"answer": [typed]}).answer == answer
