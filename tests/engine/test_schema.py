"""Values against schemas: as the reference library judges, and in bounded time."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runtime.engine.schema import TooMuchWork, why_not_allowed
from runtime.wire.output_schema import SchemaRefused, check_output_schema

Json = dict[str, Any]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.5]),
    st.sampled_from(["", "a", "ab", "é", "b"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), parts, max_size=3),
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from(
    ["object", "array", "string", "integer", "number", "boolean", "null"]
)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    some = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(KEYS, inner, max_size=2)
    keywords = {
        "type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=2, unique=True)),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "minimum": st.integers(-2, 2),
        "exclusiveMaximum": st.integers(-2, 2),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "pattern": st.sampled_from(["a", "^b", "[ab]$"]),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "items": inner,
        "prefixItems": some,
        "contains": inner,
        "properties": named,
        "patternProperties": st.dictionaries(
            st.sampled_from(["a", "^b"]), inner, max_size=2
        ),
        "additionalProperties": inner,
        "propertyNames": inner,
        "required": st.lists(KEYS, max_size=2, unique=True),
        "dependentRequired": st.dictionaries(
            KEYS, st.lists(KEYS, max_size=2, unique=True), max_size=2
        ),
        "dependentSchemas": named,
        "minProperties": st.integers(0, 2),
        "allOf": some,
        "anyOf": some,
        "oneOf": some,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
    }
    return st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({key: keywords[key] for key in chosen})
    )


LEAVES: st.SearchStrategy[Any] = st.one_of(st.booleans(), st.just({}))
SCHEMAS: st.SearchStrategy[Any] = st.recursive(LEAVES, _schemas, max_leaves=5)
ROOTS = _schemas(SCHEMAS).map(
    lambda schema: {
        **schema,
        "$defs": {"one": {"type": ["string", "null"]}, "two": {"required": ["a"]}},
    }
)


@settings(max_examples=400, deadline=None)
@given(schema=ROOTS, value=VALUES)
def test_a_value_is_judged_as_the_reference_library_judges_it(
    schema: Json, value: Any
) -> None:
    check_output_schema(schema, strict=True)

    allowed = why_not_allowed(schema, value) is None

    assert allowed == Draft202012Validator(schema).is_valid(value)


def test_lists_of_items_are_read_as_older_drafts_mean_them() -> None:
    schema = {"items": [{"type": "string"}], "additionalItems": {"type": "null"}}

    assert why_not_allowed(schema, ["a", None]) is None
    assert why_not_allowed(schema, ["a", 1]) == "at $[1]: 1 is not of type null"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"items": {"items": {"items": {"items": {"uniqueItems": True}}}}},
    ],
    ids=["itself", "itself twice", "much"],
)
def test_a_schema_without_an_end_is_given_up(schema: Json) -> None:
    check_output_schema(schema, strict=True)

    with pytest.raises(TooMuchWork):
        why_not_allowed(schema, [[[[list(range(1_000))] * 10] * 10] * 10] * 10)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a?b?){20000}c"}, "ab" * 2_000),
        ({"anyOf": [{"pattern": "^(a?b?){2000}c"}] * 2_000}, "ab" * 2_000),
        ({"anyOf": [{"enum": ["x"]}] * 2_000}, "a" * 1_000_000),
        ({"items": {"allOf": [True] * 9_000}}, [1] * 2_000),
    ],
    ids=["one slow pattern", "many slow patterns", "long texts", "nothing, often"],
)
def test_a_check_takes_seconds_at_most(schema: Json, value: Any) -> None:
    check_output_schema(schema, strict=True)
    began = time.monotonic()

    with pytest.raises(TooMuchWork):
        why_not_allowed(schema, value)

    assert time.monotonic() - began < 15  # on a busy machine; it would be minutes


def test_alternatives_and_references_cost_the_same_however_large_a_value_is() -> None:
    schema = {
        "anyOf": [{"type": "integer"}] * 2_000,
        "$defs": {"all": {"anyOf": [{}] * 9_000}},
        "dependencies": {f"k{n}": {"$ref": "#/$defs/all/anyOf/8999"} for n in range(3)},
    }
    check_output_schema(schema, strict=True)
    began = time.monotonic()

    why = why_not_allowed(schema, [{"a": n} for n in range(100_000)])

    assert why == "at $: a list of 100000 fits none of the alternatives"
    assert time.monotonic() - began < 5  # on a busy machine; it would be a minute


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", "0" * 36),
        ("^.{1,5000}$", "\n" + "a" * 5_001),
        (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$", "2026-11-24"),
    ],
)
def test_usual_patterns_are_checked(pattern: str, text: str) -> None:
    assert "does not match" in str(why_not_allowed({"pattern": pattern}, text))


@pytest.mark.parametrize(
    "text",
    [r'{"\u0000": 1}', r'{"\ud800": 1}', r'"\udfff"', '{"' + "k" * 9_000 + '": 1}'],
    ids=["NUL", "half a pair", "the other half", "long"],
)
def test_what_is_told_of_a_value_can_be_stored(text: str) -> None:
    schema: Json = {"type": "object", "additionalProperties": {"type": "string"}}

    why = why_not_allowed(schema, json.loads(text))

    assert why is not None and len(why) < 500
    assert "\0" not in why and why.encode()


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"properties": []},
        {"properties": {"a": 1}},
        {"required": "a"},
        {"required": ["a", "a"]},
        {"$defs": {"a": {"minLength": -1}}},
        {"prefixItems": [5]},
        {"enum": 1},
        {"anyOf": []},
        {"multipleOf": 0},
        {"properties": {f"p{n}": {"type": "string"} for n in range(20_000)}},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused_in_any_case(schema: Json) -> None:
    with pytest.raises(SchemaRefused):
        check_output_schema(schema, strict=False)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "other#/a"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#anchor"},
        {"$ref": "#/enum/0", "enum": [1]},
        {"pattern": "(?=look)ahead"},
        {"pattern": r"(a)\1"},
        {"pattern": "(?sx-i)a { 9 }"},
        {"$ref": "#/anyOf/1", "anyOf": [True]},
        {"$ref": "#/anyOf/" + "9" * 5_000, "anyOf": [True]},
        {"pattern": "(" * 1_000},
        {"pattern": "((a{1000}){1000}){1000}"},
        {"patternProperties": {"(": {}}},
        {"anyOf": [{"pattern": rf"{n}\w{{200}}"} for n in range(100)]},
        {"unevaluatedProperties": False},
        {"properties": {"a": {"$dynamicRef": "#a"}}},
    ],
    ids=lambda schema: str(schema)[:60],
)
def test_what_could_not_be_kept_is_refused_with_strict_alone(schema: Json) -> None:
    check_output_schema(schema, strict=False)
    with pytest.raises(SchemaRefused):
        check_output_schema(schema, strict=True)


def test_what_only_looks_like_a_schema_is_let_be() -> None:
    data = {"$ref": "http://elsewhere", "pattern": "("}
    schema = {
        "enum": [data],
        "const": data,
        "default": data,
        "properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}},
        "$id": "https://example.org/schema",
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"a/b": {"items": {"$ref": "#/definitions/a~1b"}}},
        "items": {"$ref": "#"},
    }

    check_output_schema(schema, strict=True)

    assert why_not_allowed(schema, data) is None
