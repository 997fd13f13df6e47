"""What no operation takes is refused with the field's place, in one form for all."""

from typing import Any

import httpx2
import pytest

from tests.contract import spec
from tests.contract.calls import Call
from tests.contract.requests import request_of
from tests.contract.world import World, make_world
from tests.support.envelope import check_error
from tests.support.make import Make

pytestmark = spec.needs_document

Json = dict[str, Any]

_NOBODY = {"type": "image_file", "image_file": {"file_id": "file-nobody"}}
_TEXT = {"type": "text", "text": "x"}
_SAYS = {"role": "user", "content": "x"}
_SHOWS = {"role": "user", "content": [_TEXT, _NOBODY]}
_ATTACHES = {
    **_SAYS,
    "attachments": [
        {"file_id": "$file", "tools": []},
        {"file_id": "file-nobody", "tools": []},
    ],
}
_STATIC = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 401}
_CHUNKED = {"type": "static", "static": _STATIC}


def _function(**function: Any) -> list[Json]:
    return [{"type": "function", "function": function}]


# The operation, its body, the status, and the place that the answer names.
REFUSED: list[tuple[str, Json, int, str]] = [
    ("createAssistant", {}, 400, "model"),
    ("createAssistant", {"model": None}, 400, "model"),
    (
        "createAssistant",
        {"model": "m", "tools": _function()},
        400,
        "tools[0].function.name",
    ),
    (
        "createAssistant",
        {"model": "m", "tools": _function(name="no spaces")},
        400,
        "tools[0].function.name",
    ),
    (
        "createAssistant",
        {"model": "m", "tools": [{"type": "code_interpreter"}, {"type": "web"}]},
        400,
        "tools[1].type",
    ),
    ("createAssistant", {"model": "m", "metadata": {"a": 1}}, 400, "metadata.a"),
    (
        "createAssistant",
        {"model": "m", "response_format": {"type": "json_schema"}},
        400,
        "response_format.json_schema",
    ),
    (
        "createAssistant",
        {
            "model": "m",
            "tool_resources": {"code_interpreter": {"file_ids": ["file-x"]}},
        },
        404,
        "tool_resources.code_interpreter.file_ids",
    ),
    (
        "createAssistant",
        {
            "model": "m",
            "tool_resources": {"file_search": {"vector_store_ids": ["vs_x"]}},
        },
        404,
        "tool_resources.file_search.vector_store_ids",
    ),
    ("modifyAssistant", {"model": None}, 400, "model"),
    ("modifyAssistant", {"temperature": 2.01}, 400, "temperature"),
    ("modifyAssistant", {"id": "asst_x"}, 400, "id"),
    (
        "createThread",
        {"messages": [_SAYS, _SHOWS]},
        404,
        "messages[1].content[1].image_file.file_id",
    ),
    (
        "createThread",
        {"messages": [_SAYS, {**_SAYS, "content": [{"type": "text", "text": ""}]}]},
        400,
        "messages[1].content[0].text",
    ),
    (
        "createThread",
        {"messages": [_ATTACHES]},
        404,
        "messages[0].attachments[1].file_id",
    ),
    ("createMessage", {**_SAYS, "role": "system"}, 400, "role"),
    ("createMessage", {"role": "user"}, 400, "content"),
    ("createMessage", {"role": "user", "content": ""}, 400, "content"),
    ("createMessage", {"role": "user", "content": []}, 400, "content"),
    ("createMessage", _SHOWS, 404, "content[1].image_file.file_id"),
    ("createMessage", _ATTACHES, 404, "attachments[1].file_id"),
    ("createRun", {}, 400, "assistant_id"),
    ("createRun", {"assistant_id": "asst_nobody"}, 404, "assistant_id"),
    (
        "createRun",
        {"assistant_id": "$assistant", "additional_messages": [_SAYS, _SHOWS]},
        404,
        "additional_messages[1].content[1].image_file.file_id",
    ),
    (
        "createRun",
        {"assistant_id": "$assistant", "tool_choice": {"type": "function"}},
        400,
        "tool_choice.function",
    ),
    (
        "createRun",
        {
            "assistant_id": "$assistant",
            "truncation_strategy": {"type": "last_messages"},
        },
        400,
        "truncation_strategy.last_messages",
    ),
    (
        "createRun",
        {"assistant_id": "$assistant", "max_completion_tokens": 255},
        400,
        "max_completion_tokens",
    ),
    ("createThreadAndRun", {"assistant_id": "asst_nobody"}, 404, "assistant_id"),
    (
        "createThreadAndRun",
        {"assistant_id": "$assistant", "thread": {"messages": [_SHOWS]}},
        404,
        "thread.messages[0].content[1].image_file.file_id",
    ),
    ("submitToolOuputsToRun", {"tool_outputs": {}}, 400, "tool_outputs"),
    ("createUpload", {"filename": "a"}, 400, "purpose"),
    ("completeUpload", {"part_ids": ["$part"], "md5": "x"}, 400, "md5"),
    (
        "createVectorStore",
        {"expires_after": {"anchor": "last_active_at", "days": 366}},
        400,
        "expires_after.days",
    ),
    (
        "createVectorStore",
        {"expires_after": {"anchor": "created_at", "days": 1}},
        400,
        "expires_after.anchor",
    ),
    (
        "createVectorStore",
        {"file_ids": ["$file"], "chunking_strategy": _CHUNKED},
        400,
        "chunking_strategy.static.chunk_overlap_tokens",
    ),
    ("createVectorStoreFile", {"file_id": "file-nobody"}, 404, "file_id"),
    (
        "createVectorStoreFile",
        {"file_id": "$file", "attributes": {"a": ["x"]}},
        400,
        "attributes.a",
    ),
    ("updateVectorStoreFileAttributes", {}, 400, "attributes"),
    ("createVectorStoreFileBatch", {}, 400, "file_ids"),
    (
        "searchVectorStore",
        {"query": "x", "filters": {"type": "in", "key": "a", "value": 1}},
        400,
        "filters.value",
    ),
]


@pytest.fixture
async def world(make: Make, api: httpx2.AsyncClient) -> World:
    return await make_world(make, api)


@pytest.mark.parametrize(("operation", "body", "status", "param"), REFUSED, ids=str)
async def test_a_refusal_names_the_place_of_the_fault(
    api: httpx2.AsyncClient,
    world: World,
    operation: str,
    body: Json,
    status: int,
    param: str,
) -> None:
    response = await api.request(
        **request_of(Call(operation=operation, body=body), world)
    )

    error = check_error(response, status, param=param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("operation", "query", "param"),
    [
        ("listFiles", {"purpose": "fun"}, "purpose"),
        ("listFiles", {"limit": 10_001}, "limit"),
        ("listVectorStoreFiles", {"filter": "odd"}, "filter"),
        ("listFilesInVectorStoreBatch", {"filter": ""}, "filter"),
        ("listAssistants", {"order": "up"}, "order"),
        ("listMessages", {"run_id": "a\0b"}, "run_id"),
        ("getRunStep", {"include[]": "everything"}, "include[][0]"),
    ],
)
async def test_a_parameter_that_cannot_be_is_named(
    api: httpx2.AsyncClient, world: World, operation: str, query: Json, param: str
) -> None:
    response = await api.request(
        **request_of(Call(operation=operation, query=query), world)
    )

    check_error(response, 400, param=param)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/assistants/asst_x", "No assistant found with id 'asst_x'."),
        ("/threads/thread_x", "No thread found with id 'thread_x'."),
        ("/files/file-x", "No file found with id 'file-x'."),
        ("/vector_stores/vs_x", "No vector store found with id 'vs_x'."),
    ],
)
async def test_what_is_not_there_is_told_in_the_known_words(
    api: httpx2.AsyncClient, path: str, message: str
) -> None:
    error = check_error(await api.get(path), 404)

    assert error["message"] == message
