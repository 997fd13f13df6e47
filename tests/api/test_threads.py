"""`/threads`: created, changed, deleted, and their files handed to tools."""

from typing import Any

import httpx2
import pytest

from tests.engine.talk import call
from tests.support.make import Make


async def test_a_thread_may_be_created_without_a_body(api: httpx2.AsyncClient) -> None:
    thread = await call(api, "POST", "/threads")

    assert thread["object"] == "thread"
    assert thread["metadata"] == {}
    assert thread["tool_resources"] == {}
    assert await call(api, "GET", f"/threads/{thread['id']}") == thread


async def test_a_thread_begins_with_its_messages_in_order(
    api: httpx2.AsyncClient,
) -> None:
    said = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "three", "metadata": {"n": "3"}},
    ]

    thread = await call(api, "POST", "/threads", json={"messages": said})

    path = f"/threads/{thread['id']}/messages"
    listed = (await call(api, "GET", path, params={"order": "asc"}))["data"]
    assert [m["content"][0]["text"]["value"] for m in listed] == ["one", "two", "three"]
    assert [m["role"] for m in listed] == ["user", "assistant", "user"]
    assert listed[2]["metadata"] == {"n": "3"}


async def test_a_thread_may_begin_with_a_long_history(api: httpx2.AsyncClient) -> None:
    said = [{"role": "user", "content": f"line {n}"} for n in range(2_000)]

    thread = await call(api, "POST", "/threads", json={"messages": said})

    path = f"/threads/{thread['id']}/messages"
    ends = [
        (await call(api, "GET", path, params={"order": order}))["data"]
        for order in ("asc", "desc")
    ]
    texts = [[m["content"][0]["text"]["value"] for m in end] for end in ends]
    assert texts[0] == [f"line {n}" for n in range(20)]
    assert texts[1] == [f"line {n}" for n in range(1_999, 1_979, -1)]


async def test_null_for_the_first_messages_means_none(api: httpx2.AsyncClient) -> None:
    thread = await call(api, "POST", "/threads", json={"messages": None})

    assert (await call(api, "GET", f"/threads/{thread['id']}/messages"))["data"] == []


async def test_metadata_left_out_stays_and_null_clears(
    api: httpx2.AsyncClient,
) -> None:
    thread = await call(api, "POST", "/threads", json={"metadata": {"a": "b"}})
    path = f"/threads/{thread['id']}"

    assert (await call(api, "POST", path, json={}))["metadata"] == {"a": "b"}
    changed = await call(api, "POST", path, json={"metadata": {"c": "d"}})
    assert changed["metadata"] == {"c": "d"}
    cleared = await call(api, "POST", path, json={"metadata": None})
    assert cleared["metadata"] == {}


async def test_each_tools_resources_are_replaced_on_their_own(
    api: httpx2.AsyncClient, make: Make
) -> None:
    file, store = await make.file(), await make.store()
    resources = {"code_interpreter": {"file_ids": [file.id]}}
    thread = await call(api, "POST", "/threads", json={"tool_resources": resources})
    path = f"/threads/{thread['id']}"

    search = {"file_search": {"vector_store_ids": [store.id]}}
    both = await call(api, "POST", path, json={"tool_resources": search})

    assert both["tool_resources"] == {**resources, **search}
    neither = await call(api, "POST", path, json={"tool_resources": None})
    assert neither["tool_resources"] == {}


async def test_a_deleted_thread_is_gone_with_all_that_is_on_it(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    message = await make.message(thread)
    path = f"/threads/{thread.id}"

    deleted = await call(api, "DELETE", path)

    assert deleted == {"id": thread.id, "object": "thread.deleted", "deleted": True}
    for method, gone in (
        ("GET", path),
        ("POST", path),
        ("DELETE", path),
        ("GET", f"{path}/messages"),
        ("GET", f"{path}/messages/{message.id}"),
        ("GET", f"{path}/runs"),
    ):
        body: dict[str, Any] | None = {} if method == "POST" else None
        assert (await api.request(method, gone, json=body)).status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"k": "\0"}}, "metadata"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": "hello"}, "messages"),
        ({"name": "x"}, "name"),
        (
            {"tool_resources": {"code_interpreter": {"file_ids": ["x"] * 21}}},
            "tool_resources.code_interpreter.file_ids",
        ),
        (
            {"tool_resources": {"file_search": {"vector_store_ids": ["x", "y"]}}},
            "tool_resources.file_search.vector_store_ids",
        ),
    ],
    ids=str,
)
async def test_what_a_thread_cannot_be_is_refused(
    api: httpx2.AsyncClient, body: dict[str, Any], param: str
) -> None:
    response = await api.post("/threads", json=body)

    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


async def test_a_refused_thread_leaves_nothing(
    api: httpx2.AsyncClient, make: Make
) -> None:
    attachment = {"file_id": "file-none", "tools": [{"type": "file_search"}]}
    response = await api.post(
        "/threads",
        json={
            "messages": [
                {"role": "user", "content": "x", "attachments": [attachment]},
            ]
        },
    )

    assert response.status_code == 404
    assert (await call(api, "GET", "/vector_stores"))["data"] == []
