"""What requests keep and refuse beyond what the official schemas can say."""

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.wire.assistants import ModifyAssistantRequest
from runtime.wire.base import MAX_JSON_DEPTH
from runtime.wire.files import CreateFileRequest, OpenAIFile
from runtime.wire.messages import MAX_CONTENT_CHARS, CreateMessageRequest
from runtime.wire.paging import Page
from runtime.wire.search import (
    MAX_FILTER_DEPTH,
    MAX_FILTERS,
    ComparisonFilter,
    VectorStoreSearchRequest,
)
from runtime.wire.shared import FunctionObject, VectorStoreFileAttributes
from runtime.wire.vector_stores import (
    CreateVectorStoreFileRequest,
    StaticChunkingStrategy,
)

ONE_FILTER = {"type": "eq", "key": "year", "value": 2024}


def nested(depth: int) -> dict[str, Any]:
    filters: dict[str, Any] = ONE_FILTER
    for _ in range(depth - 1):
        filters = {"type": "and", "filters": [filters]}
    return filters


def test_null_and_absent_differ_when_something_is_modified() -> None:
    cleared = ModifyAssistantRequest.model_validate({"name": None})
    kept = ModifyAssistantRequest.model_validate({})

    assert cleared.model_fields_set == {"name"}
    assert kept.model_fields_set == set()
    assert cleared.name is None and kept.name is None


def test_a_null_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="null is not allowed here"):
        ModifyAssistantRequest.model_validate({"model": None})


@pytest.mark.parametrize("depth", [MAX_FILTER_DEPTH + 1, 50_000])
def test_filters_nested_too_deep_are_refused_at_any_depth(depth: int) -> None:
    body = {"query": "x", "filters": nested(depth)}

    with pytest.raises(ValidationError, match="more than 10 levels"):
        VectorStoreSearchRequest.model_validate(body)


def test_filters_nested_as_deep_as_allowed_are_taken() -> None:
    body = {"query": "x", "filters": nested(MAX_FILTER_DEPTH)}

    assert VectorStoreSearchRequest.model_validate(body).filters is not None


def test_more_filters_than_a_query_can_bear_are_refused() -> None:
    filters = {"type": "or", "filters": [ONE_FILTER] * MAX_FILTERS}

    with pytest.raises(ValidationError, match="more than 256 filters"):
        VectorStoreSearchRequest.model_validate({"query": "x", "filters": filters})


@pytest.mark.parametrize(
    "value", [10**30, float("nan"), float("inf"), None, {}, [True], [[1]], [None]]
)
def test_a_filter_takes_no_value_that_no_attribute_can_have(value: object) -> None:
    with pytest.raises(ValidationError, match="A filter's value is"):
        ComparisonFilter.model_validate({**ONE_FILTER, "value": value})


@pytest.mark.parametrize("value", [10**30, float("nan"), float("-inf"), None, [], {}])
def test_an_attribute_is_text_a_boolean_or_a_number_that_fits(value: object) -> None:
    with pytest.raises(
        ValidationError, match="Expected a string, a boolean or a number"
    ):
        CreateVectorStoreFileRequest.model_validate(
            {"file_id": "file-1", "attributes": {"key": value}}
        )


def test_attributes_keep_their_kinds() -> None:
    sent: VectorStoreFileAttributes = {"a": 1, "b": 1.0, "c": True, "d": "1"}
    body = {"file_id": "file-1", "attributes": sent}

    kept = CreateVectorStoreFileRequest.model_validate(body).attributes

    assert kept is not None
    assert [type(value) for value in kept.values()] == [int, float, bool, str]


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 50_000])
def test_a_function_schema_nested_too_deep_is_refused(depth: int) -> None:
    parameters: dict[str, Any] = {}
    for _ in range(depth):
        parameters = {"items": parameters}

    with pytest.raises(ValidationError, match="more than 64 levels"):
        FunctionObject.model_validate({"name": "f", "parameters": parameters})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_function_schema_holds_only_numbers_of_json(number: float) -> None:
    with pytest.raises(ValidationError, match="not JSON numbers"):
        FunctionObject.model_validate({"name": "f", "parameters": {"maximum": number}})


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "é", "name\n", "a.b"])
def test_a_function_name_is_plain(name: str) -> None:
    with pytest.raises(ValidationError, match="1 to 64 characters"):
        FunctionObject.model_validate({"name": name})


def test_texts_of_one_message_are_counted_together() -> None:
    half = {"type": "text", "text": "x" * (MAX_CONTENT_CHARS // 2 + 1)}

    with pytest.raises(ValidationError, match="together exceed 256,000"):
        CreateMessageRequest.model_validate({"role": "user", "content": [half, half]})


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://", "http://[", "text"])
def test_an_image_comes_from_the_web_or_in_the_url(url: str) -> None:
    part = {"type": "image_url", "image_url": {"url": url}}

    with pytest.raises(ValidationError, match="An image URL starts with"):
        CreateMessageRequest.model_validate({"role": "user", "content": [part]})


@pytest.mark.parametrize(("size", "overlap"), [(100, 50), (4096, 2048), (101, 50)])
def test_an_overlap_of_half_a_chunk_is_the_most(size: int, overlap: int) -> None:
    StaticChunkingStrategy(max_chunk_size_tokens=size, chunk_overlap_tokens=overlap)

    with pytest.raises(ValidationError, match="must not exceed half"):
        StaticChunkingStrategy(
            max_chunk_size_tokens=size, chunk_overlap_tokens=overlap + 1
        )


def test_an_upload_form_names_its_expiry_in_brackets() -> None:
    request = CreateFileRequest.from_form(
        {
            "purpose": "assistants",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
        }
    )

    assert request.expires_after is not None
    assert request.expires_after.seconds == 3600


@pytest.mark.parametrize("seconds", ["", "3599", "1e9", "٣٦٠٠", "-3600", "9" * 5000])
def test_an_upload_form_takes_no_expiry_out_of_range(seconds: str) -> None:
    with pytest.raises(ValidationError):
        CreateFileRequest.from_form(
            {
                "purpose": "assistants",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": seconds,
            }
        )


def test_a_page_names_its_first_and_last() -> None:
    files = [
        OpenAIFile(
            id=f"file-{n}",
            bytes=1,
            created_at=1,
            filename="a.txt",
            purpose="assistants",
            status="processed",
        )
        for n in range(3)
    ]

    page = Page[OpenAIFile].of(files, has_more=True)

    assert (page.first_id, page.last_id, page.has_more) == ("file-0", "file-2", True)


def test_an_empty_page_has_empty_cursors_as_null_would_be_no_string() -> None:
    sent = Page[OpenAIFile].of([], has_more=False).model_dump()

    assert sent == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


def test_a_key_that_has_nothing_to_say_is_not_sent() -> None:
    file = OpenAIFile(
        id="file-1",
        bytes=1,
        created_at=1,
        filename="a.txt",
        purpose="assistants",
        status="processed",
        expires_at=None,
    )

    assert "expires_at" not in file.model_dump()
    assert "expires_at" not in file.model_dump_json()
