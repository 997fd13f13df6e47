"""`/threads/{thread_id}/messages`: every kind of content, attachments, changes."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.engine.talk import call
from tests.support.make import Make


@pytest.fixture
async def path(make: Make) -> str:
    """The messages of an empty thread."""
    return f"/threads/{(await make.thread()).id}/messages"


async def create(api: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    return await call(api, "POST", path, json={"role": "user", **body})


async def test_a_message_shows_all_its_fields(
    api: httpx2.AsyncClient, path: str
) -> None:
    message = await create(api, path, content="Hello 👋", metadata={"a": "b"})

    assert message["object"] == "thread.message"
    assert message["status"] == "completed"
    assert message["completed_at"] >= message["created_at"]
    assert message["incomplete_at"] is None
    assert message["incomplete_details"] is None
    assert message["content"] == [
        {"type": "text", "text": {"value": "Hello 👋", "annotations": []}}
    ]
    assert (message["assistant_id"], message["run_id"]) == (None, None)
    assert message["attachments"] == []
    assert message["metadata"] == {"a": "b"}
    assert await call(api, "GET", f"{path}/{message['id']}") == message


async def test_pictures_by_file_and_by_address(
    api: httpx2.AsyncClient, path: str, make: Make
) -> None:
    file = await make.file(b"\x89PNG", filename="a.png", purpose="vision")
    content = [
        {"type": "text", "text": "Look:"},
        {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]

    message = await create(api, path, content=content)

    assert [part["type"] for part in message["content"]] == [
        "text",
        "image_file",
        "image_url",
    ]
    assert message["content"][1]["image_file"] == {"file_id": file.id, "detail": "low"}
    assert message["content"][2]["image_url"] == {"url": "https://example.org/a.png"}


async def test_a_store_that_was_deleted_is_replaced_by_the_next_attachment(
    api: httpx2.AsyncClient, path: str, make: Make
) -> None:
    thread = path.removesuffix("/messages")
    file = await make.file()
    attachments = [{"file_id": file.id, "tools": [{"type": "file_search"}]}]
    stores = []
    for _ in range(2):
        await create(api, path, content="x", attachments=attachments)
        resources = (await call(api, "GET", thread))["tool_resources"]
        stores += resources["file_search"]["vector_store_ids"]
        await call(api, "DELETE", f"/vector_stores/{stores[-1]}")

    assert len(set(stores)) == 2


async def test_attachments_are_handed_to_their_tools(
    api: httpx2.AsyncClient, path: str, make: Make
) -> None:
    file = await make.file()
    tools = [{"type": "code_interpreter"}, {"type": "file_search"}]

    message = await create(
        api, path, content="x", attachments=[{"file_id": file.id, "tools": tools}]
    )

    assert message["attachments"] == [{"file_id": file.id, "tools": tools}]
    thread = await call(api, "GET", path.removesuffix("/messages"))
    resources = thread["tool_resources"]
    assert resources["code_interpreter"] == {"file_ids": [file.id]}
    (store_id,) = resources["file_search"]["vector_store_ids"]
    store = await call(api, "GET", f"/vector_stores/{store_id}")
    assert store["expires_after"] == {"anchor": "last_active_at", "days": 7}
    files = await call(api, "GET", f"/vector_stores/{store_id}/files")
    assert [entry["id"] for entry in files["data"]] == [file.id]
    # A second one goes into the same store.
    second = await make.file("Others.")
    await create(
        api, path, content="y", attachments=[{"file_id": second.id, "tools": tools}]
    )
    files = await call(api, "GET", f"/vector_stores/{store_id}/files")
    assert len(files["data"]) == 2


async def test_many_messages_at_once_keep_one_order(
    api: httpx2.AsyncClient, path: str
) -> None:
    made = await asyncio.gather(
        *(create(api, path, content=f"m{n}") for n in range(20))
    )

    asc = (await call(api, "GET", path, params={"order": "asc"}))["data"]
    desc = (await call(api, "GET", path, params={"order": "desc"}))["data"]
    assert asc == desc[::-1]
    assert {m["id"] for m in asc} == {m["id"] for m in made}


async def test_metadata_changes_and_a_deleted_message_is_gone(
    api: httpx2.AsyncClient, path: str
) -> None:
    first = await create(api, path, content="one", metadata={"a": "b"})
    second = await create(api, path, content="two")
    own = f"{path}/{first['id']}"

    changed = await call(api, "POST", own, json={"metadata": {"c": "d"}})
    assert changed == {**first, "metadata": {"c": "d"}}
    deleted = await call(api, "DELETE", own)

    assert deleted == {
        "id": first["id"],
        "object": "thread.message.deleted",
        "deleted": True,
    }
    for method in ("GET", "POST", "DELETE"):
        body: dict[str, Any] | None = {} if method == "POST" else None
        assert (await api.request(method, own, json=body)).status_code == 404
    listed = (await call(api, "GET", path))["data"]
    assert [m["id"] for m in listed] == [second["id"]]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"content": "x" * 256_001}, "content"),
        ({"content": []}, "content"),
        ({"content": None}, "content"),
        ({"content": 5}, "content"),
        ({"role": "system", "content": "x"}, "role"),
        ({"content": "a\0b"}, "content"),
        ({"content": [{"type": "video"}]}, "content[0].type"),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "file:///x"}}]},
            "content[0].image_url.url",
        ),
        ({"content": "x", "metadata": []}, "metadata"),
        ({"content": "x", "attachments": [{"tools": []}]}, "attachments[0].file_id"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_a_message_cannot_be_is_refused(
    api: httpx2.AsyncClient, path: str, body: dict[str, Any], param: str
) -> None:
    response = await api.post(path, json={"role": "user", **body})

    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param
    assert (await call(api, "GET", path))["data"] == []


async def test_the_longest_message_is_taken(api: httpx2.AsyncClient, path: str) -> None:
    message = await create(api, path, content="é" * 256_000)

    assert len(message["content"][0]["text"]["value"]) == 256_000


@pytest.mark.parametrize(
    ("where", "param"),
    [
        ("content", "content[0].image_file.file_id"),
        ("attachments", "attachments[0].file_id"),
    ],
)
async def test_a_file_nobody_has_is_not_found(
    api: httpx2.AsyncClient, path: str, where: str, param: str
) -> None:
    picture = {"type": "image_file", "image_file": {"file_id": "file-none"}}
    attachment = {"file_id": "file-none", "tools": [{"type": "file_search"}]}
    body: dict[str, Any] = {"role": "user", "content": "x"}
    body[where] = [picture] if where == "content" else [attachment]

    response = await api.post(path, json=body)

    assert response.status_code == 404
    assert "file-none" in response.json()["error"]["message"]
    assert response.json()["error"]["param"] == param
