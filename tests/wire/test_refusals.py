"""A refused request is told in OpenAI's words, at the place where it went wrong."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from runtime.errors import InvalidRequest
from runtime.wire.assistants import CreateAssistantRequest
from runtime.wire.messages import CreateMessageRequest
from runtime.wire.refusals import explain
from runtime.wire.runs import CreateRunRequest
from runtime.wire.search import VectorStoreSearchRequest
from runtime.wire.vector_stores import (
    CreateVectorStoreFileBatchRequest,
    CreateVectorStoreRequest,
)


def refusal(model: type[BaseModel], body: object, prefix: str | None = None) -> Any:
    """The error a caller is sent for this body."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    errors: list[Any] = caught.value.errors()
    if prefix:  # as a web framework reports them
        errors = [{**error, "loc": (prefix, *error["loc"])} for error in errors]
    return explain(errors, body, skip=1 if prefix else 0)


def tool(**function: object) -> dict[str, Any]:
    return {"model": "m", "tools": [{"type": "function", "function": function}]}


@pytest.mark.parametrize(
    ("model", "body", "param", "code"),
    [
        (CreateAssistantRequest, {}, "model", "missing_required_parameter"),
        (CreateAssistantRequest, {"model": "m", "zzz": 1}, "zzz", "unknown_parameter"),
        (CreateAssistantRequest, {"model": 5}, "model", "invalid_type"),
        (CreateAssistantRequest, {"model": ""}, "model", "string_below_min_length"),
        (
            CreateAssistantRequest,
            {"model": "m", "name": "x" * 257},
            "name",
            "string_above_max_length",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "tools": [{"type": "code_interpreter"}] * 129},
            "tools",
            "array_above_max_length",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "temperature": 2.1},
            "temperature",
            "decimal_above_max_value",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "tools": [{"type": "magic"}]},
            "tools[0].type",
            "invalid_value",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "tools": [{}]},
            "tools[0].type",
            "missing_required_parameter",
        ),
        # `function` is both the tool's kind and its key; each reading must be found.
        (
            CreateAssistantRequest,
            {"model": "m", "tools": [{"type": "function"}]},
            "tools[0].function",
            "missing_required_parameter",
        ),
        (
            CreateAssistantRequest,
            {
                "model": "m",
                "tools": [{"type": "function", "function": {"name": "f"}, "zzz": 1}],
            },
            "tools[0].zzz",
            "unknown_parameter",
        ),
        (
            CreateAssistantRequest,
            tool(name="f", zzz=1),
            "tools[0].function.zzz",
            "unknown_parameter",
        ),
        (
            CreateAssistantRequest,
            tool(),
            "tools[0].function.name",
            "missing_required_parameter",
        ),
        # Two that a model could not tell apart; one that is listed twice is one.
        (
            CreateAssistantRequest,
            {
                "model": "m",
                "tools": [
                    {"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "f", "strict": True}},
                ],
            },
            "tools[2].function.name",
            "invalid_value",
        ),
        (
            CreateRunRequest,
            {
                "assistant_id": "a",
                "tools": [
                    {"type": "function", "function": {"name": "file_search"}},
                    {"type": "file_search"},
                ],
            },
            "tools[0].function.name",
            "invalid_value",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "metadata": {"a": 1}},
            "metadata.a",
            "invalid_type",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "metadata": {"a": "x" * 513}},
            "metadata.a",
            "string_above_max_length",
        ),
        (
            CreateAssistantRequest,
            {"model": "m", "metadata": {str(n): "" for n in range(17)}},
            "metadata",
            "object_above_max_properties",
        ),
        (
            CreateRunRequest,
            {"assistant_id": "a", "tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name",
            "missing_required_parameter",
        ),
        # What is wrong between two keys is told at the one that is to change.
        (
            CreateRunRequest,
            {"assistant_id": "a", "tool_choice": {"type": "function"}},
            "tool_choice.function",
            "invalid_value",
        ),
        (
            CreateRunRequest,
            {"assistant_id": "a", "truncation_strategy": {"type": "last_messages"}},
            "truncation_strategy.last_messages",
            "invalid_value",
        ),
        (
            CreateVectorStoreRequest,
            {
                "chunking_strategy": {
                    "type": "static",
                    "static": {
                        "max_chunk_size_tokens": 100,
                        "chunk_overlap_tokens": 51,
                    },
                }
            },
            "chunking_strategy.static.chunk_overlap_tokens",
            "invalid_value",
        ),
        (CreateVectorStoreFileBatchRequest, {}, "file_ids", "invalid_value"),
        (
            VectorStoreSearchRequest,
            {"query": "x", "filters": {"type": "in", "key": "k", "value": 1}},
            "filters.value",
            "invalid_value",
        ),
        (
            CreateRunRequest,
            {"assistant_id": "a", "max_prompt_tokens": 255},
            "max_prompt_tokens",
            "integer_below_min_value",
        ),
        (
            CreateMessageRequest,
            {"role": "user", "content": 5},
            "content",
            "invalid_type",
        ),
        (
            CreateMessageRequest,
            {"role": "user", "content": [{"type": "text", "text": {}}]},
            "content[0].text",
            "invalid_type",
        ),
        (
            VectorStoreSearchRequest,
            {"query": "x", "filters": {"type": "and", "filters": [{"type": "eq"}]}},
            "filters.filters[0].key",
            "missing_required_parameter",
        ),
    ],
)
def test_a_refusal_names_the_place_and_the_kind(
    model: type[BaseModel], body: object, param: str, code: str
) -> None:
    error = refusal(model, body)

    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, code)
    assert error.message.endswith(".")
    assert "pydantic" not in error.message and "Input should" not in error.message


def test_a_refusal_says_what_was_expected() -> None:
    error = refusal(CreateAssistantRequest, {"model": None})

    assert error.message == (
        "Invalid type for 'model': expected a string, but got null instead."
    )


def test_a_refusal_lists_the_values_that_are_supported() -> None:
    error = refusal(CreateMessageRequest, {"role": "system", "content": "x"})

    assert error.message == (
        "Invalid value for 'role': 'system'. Supported values are: 'user' and 'assistant'."
    )


def test_a_refusal_says_how_long_is_too_long() -> None:
    error = refusal(CreateAssistantRequest, {"model": "m", "name": "x" * 300})

    assert error.message == (
        "Invalid 'name': string too long. Expected a string with maximum length 256,"
        " but got a string with length 300 instead."
    )


def test_a_refusal_says_what_is_too_much_or_too_little() -> None:
    run = {"assistant_id": "a"}
    small = refusal(CreateRunRequest, {**run, "max_prompt_tokens": 255})
    large = refusal(CreateRunRequest, {**run, "temperature": 2.5})

    assert small.message == (
        "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >="
        " 256, but got 255 instead."
    )
    assert large.message == (
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2,"
        " but got 2.5 instead."
    )


@pytest.mark.parametrize("body", [[], None, "text", 5])
def test_a_body_that_is_no_object_is_refused_without_a_place(body: object) -> None:
    error = refusal(CreateAssistantRequest, body)

    assert error.param is None
    assert error.message.startswith("The request body must be a JSON object")


def test_the_framework_s_own_part_of_a_place_is_passed_over() -> None:
    body: dict[str, Any] = {"query": []}

    error = refusal(VectorStoreSearchRequest, body, prefix="body")

    assert error.param == "query"


def test_a_refusal_can_always_be_sent_whatever_was_asked() -> None:
    wild = "\ud800\0" + "x" * 10_000
    bodies: list[Any] = [
        {"model": "m", wild: 1},
        {"model": "m", "reasoning_effort": wild},
    ]

    for body in bodies:
        error = refusal(CreateAssistantRequest, body)

        assert len(error.message) < 500
        (error.message + (error.param or "")).encode()
