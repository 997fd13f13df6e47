"""The built-in model's answers to schemas fit them, where it can read what they ask."""

import json
from typing import Any

import pytest

from runtime.engine.schema import why_not_allowed
from runtime.gateway import Gateway
from runtime.gateway.filling import filled
from tests.gateway.answers import ask, text

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 5},
        "name": {"type": "string", "maxLength": 10},
        "score": {"type": "number", "exclusiveMaximum": 0},
        "kind": {"enum": ["human", "other"]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "parent": {"anyOf": [{"type": "null"}, {"$ref": "#"}]},
        "address": {"$ref": "#/$defs/address"},
        "is_new": {"type": "boolean"},
        "note": {"type": ["string", "null"], "minLength": 3},
        "more": {"type": "string"},
    },
    "required": [
        "name",
        "id",
        "score",
        "kind",
        "tags",
        "parent",
        "address",
        "is_new",
        "note",
    ],
    "additionalProperties": False,
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"city": {"const": "Rome"}},
            "required": ["city"],
        }
    },
}


@pytest.mark.parametrize(
    "schema",
    [
        PERSON,
        {
            "type": "array",
            "items": {"required": ["a"], "type": "object"},
            "minItems": 1,
        },
        {"properties": {"a": {}}, "required": ["a", "b"]},
        {"type": "string"},
        {"type": "null"},
        {},
    ],
    ids=["person", "list", "untyped", "string", "null", "anything"],
)
def test_a_filled_schema_is_allowed_by_it(schema: dict[str, Any]) -> None:
    assert why_not_allowed(schema, filled(schema, "Hello there.")) is None


def test_the_text_is_said_once_and_keys_have_the_schemas_order() -> None:
    person = filled(PERSON, "Hello there.")

    assert list(person)[:2] == ["id", "name"]
    assert person["name"] == "Hello ther"
    assert person["tags"] == ["", ""]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": [], "enum": [], "anyOf": []},
        {"type": "string", "minLength": 10**9},
        {"type": "array", "minItems": 10**9},
    ],
    ids=str,
)
def test_a_schema_that_never_ends_is_left_at_some_place(schema: dict[str, Any]) -> None:
    assert len(json.dumps(filled(schema, "Hi."))) < 10_000


async def test_the_built_in_model_answers_in_the_form_that_is_asked_for(
    builtin: Gateway,
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}

    deltas = await ask(builtin, "builtin", response_format=form)

    assert json.loads(text(deltas))["name"] == "I am the b"
