"""`/assistants`: the files and stores that an assistant's tools may use."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from tests.support.envelope import check_error
from tests.support.make import Make


async def test_a_store_asked_for_with_it_is_made(
    openai: AsyncOpenAI, make: Make
) -> None:
    file = await make.file()

    assistant = await openai.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search"}],
        tool_resources={
            "file_search": {
                "vector_stores": [
                    {"file_ids": [file.id], "metadata": {"made": "inline"}}
                ]
            }
        },
    )

    assert assistant.tool_resources is not None
    assert assistant.tool_resources.file_search is not None
    [store_id] = assistant.tool_resources.file_search.vector_store_ids or []
    store = await openai.vector_stores.retrieve(store_id)
    assert store.metadata == {"made": "inline"}
    assert store.file_counts.in_progress == 1
    assert store.expires_at is None


async def test_tool_resources_change_a_tool_at_a_time(
    api: httpx2.AsyncClient, make: Make
) -> None:
    file, store = await make.file(), await make.store()
    assistant = await make.assistant(
        tool_resources={"code_interpreter": {"file_ids": [file.id]}}
    )

    response = await api.post(
        f"/assistants/{assistant.id}",
        json={
            "tool_resources": {
                "file_search": {"vector_store_ids": [store.id, store.id]}
            }
        },
    )
    check_error(response, 400)  # one store at most

    response = await api.post(
        f"/assistants/{assistant.id}",
        json={"tool_resources": {"file_search": {"vector_store_ids": [store.id]}}},
    )

    assert response.json()["tool_resources"] == {
        "code_interpreter": {"file_ids": [file.id]},
        "file_search": {"vector_store_ids": [store.id]},
    }


async def test_resources_read_may_be_sent_back_with_null_for_the_tool_not_there(
    openai: AsyncOpenAI, make: Make
) -> None:
    file = await make.file()
    thread = await openai.beta.threads.create(
        tool_resources={"code_interpreter": {"file_ids": [file.id]}}
    )
    assert thread.tool_resources is not None
    read = thread.tool_resources.model_dump()
    assert read["file_search"] is None

    changed = await openai.beta.threads.update(thread.id, tool_resources=read)  # type: ignore[arg-type]  # as clients that dump their models do

    assert changed.tool_resources == thread.tool_resources


@pytest.mark.parametrize(
    ("resources", "param"),
    [
        (
            {"code_interpreter": {"file_ids": ["file-none"]}},
            "tool_resources.code_interpreter.file_ids",
        ),
        (
            {"file_search": {"vector_store_ids": ["vs_none"]}},
            "tool_resources.file_search.vector_store_ids",
        ),
        (
            {"file_search": {"vector_stores": [{"file_ids": ["file-none"]}]}},
            "tool_resources.file_search.vector_stores[0].file_ids",
        ),
    ],
)
async def test_what_its_tools_name_must_exist(
    api: httpx2.AsyncClient, resources: dict[str, Any], param: str
) -> None:
    body = {"model": "m", "tool_resources": resources}

    check_error(await api.post("/assistants", json=body), 404, param=param)
    # Neither the assistant nor its store was made.
    assert (await api.get("/assistants")).json()["data"] == []
    assert (await api.get("/vector_stores")).json()["data"] == []


async def test_its_tools_cannot_reach_another_project(
    stranger: httpx2.AsyncClient, make: Make
) -> None:
    file, store = await make.file(), await make.store()

    for resources in (
        {"code_interpreter": {"file_ids": [file.id]}},
        {"file_search": {"vector_store_ids": [store.id]}},
    ):
        body = {"model": "m", "tool_resources": resources}
        check_error(await stranger.post("/assistants", json=body), 404)
