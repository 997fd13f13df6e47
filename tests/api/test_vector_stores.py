"""`/vector_stores`; the files in them, and search, have files of their own."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, text, update

from runtime.db.transaction import Database
from runtime.vector_stores.models import StoreFile, StoreFileStatus, VectorStore
from runtime.vector_stores.removal import expire_stores
from runtime.vector_stores.service import touch
from tests.api.stored import chunk_count, statistics
from tests.support.envelope import check_error
from tests.support.make import Make


async def test_a_store_needs_nothing_at_all(api: httpx2.AsyncClient) -> None:
    response = await api.post("/vector_stores", json={})

    body = response.json()
    assert response.status_code == 200
    assert body.pop("id").startswith("vs_")
    assert body.pop("last_active_at") == body.pop("created_at") > 0
    counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
    assert body == {
        "object": "vector_store",
        "name": "",
        "usage_bytes": 0,
        "file_counts": {**counts, "total": 0},
        "status": "completed",
        "metadata": {},
        "expires_at": None,
    }


async def test_modifying_changes_what_is_named(
    openai: AsyncOpenAI, api: httpx2.AsyncClient
) -> None:
    store = await openai.vector_stores.create(name="Old", metadata={"a": "b"})

    renamed = await openai.vector_stores.update(
        store.id, name="New", expires_after={"anchor": "last_active_at", "days": 1}
    )
    assert (renamed.name, renamed.metadata) == ("New", {"a": "b"})
    assert renamed.expires_at is not None

    response = await api.post(
        f"/vector_stores/{store.id}",
        json={"name": None, "metadata": None, "expires_after": None},
    )
    cleared = response.json()
    assert (cleared["name"], cleared["metadata"]) == ("", {})
    assert cleared["expires_at"] is None
    assert "expires_after" not in cleared


async def test_counts_and_status_are_those_of_the_files(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    for status in (*StoreFileStatus, StoreFileStatus.COMPLETED):
        await make.store_file(store, status=status, usage_bytes=10)

    seen = await openai.vector_stores.retrieve(store.id)
    [listed] = [store async for store in openai.vector_stores.list()]

    assert listed == seen
    counts = seen.file_counts
    assert (counts.in_progress, counts.completed) == (1, 2)
    assert (counts.failed, counts.cancelled, counts.total) == (1, 1, 5)
    assert seen.usage_bytes == 50
    assert seen.status == "in_progress"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": 1}, "name"),
        ({"name": "a\0"}, "name"),
        ({"colour": "red"}, "colour"),
        ({"file_ids": ["f"] * 501}, "file_ids"),
        ({"expires_after": {"anchor": "last_active_at", "days": 0}}, None),
        ({"expires_after": {"anchor": "last_active_at", "days": 366}}, None),
        ({"expires_after": {"anchor": "created_at", "days": 3}}, None),
        (
            {
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0},
                }
            },
            None,
        ),
        (
            {
                "chunking_strategy": {
                    "type": "static",
                    "static": {
                        "max_chunk_size_tokens": 100,
                        "chunk_overlap_tokens": 51,
                    },
                }
            },
            None,
        ),
        ({"metadata": {"a" * 65: "b"}}, "metadata"),
    ],
)
async def test_what_breaks_a_rule_is_refused(
    api: httpx2.AsyncClient, body: dict[str, Any], param: str | None
) -> None:
    check_error(await api.post("/vector_stores", json=body), 400, param=param)


async def test_a_deleted_store_is_gone_and_later_empty(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "A passage.")
    waiting = await make.store_file(store, status=StoreFileStatus.IN_PROGRESS)

    deleted = await openai.vector_stores.delete(store.id)

    assert (deleted.object, deleted.deleted) == ("vector_store.deleted", True)
    address = f"/vector_stores/{store.id}"
    for below in ("", "/files", f"/files/{row.file_id}"):
        check_error(await api.get(address + below), 404)
    check_error(await api.delete(address), 404)
    check_error(await api.post(address, json={}), 404)
    await _sweep(db)
    assert await chunk_count(db, store) == 0
    assert await statistics(db, store) == (0, 0, {})
    async with db.transaction() as session:
        stopped = await session.get_one(StoreFile, waiting.pk)
        assert stopped.status is StoreFileStatus.CANCELLED
    assert (await openai.files.retrieve(row.file_id)).id == row.file_id


async def test_an_expired_store_can_be_looked_at_and_takes_nothing(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make, db: Database
) -> None:
    store = await make.store(expires_after_days=1)
    row = await make.store_file(store, "A passage.", usage_bytes=10)
    async with db.transaction() as session:
        await session.execute(
            update(VectorStore)
            .where(VectorStore.pk == store.pk)
            .values(expires_at=func.now(), last_active_at=text("now() - interval '1d'"))
        )
        await touch(session, store)

    seen = await openai.vector_stores.retrieve(store.id)
    assert (seen.status, seen.file_counts.completed) == ("expired", 1)
    await _sweep(db)

    seen = await openai.vector_stores.retrieve(store.id)
    assert (seen.status, seen.usage_bytes) == ("expired", 0)
    listed = [file.id async for file in openai.vector_stores.files.list(store.id)]
    assert listed == [row.file_id]
    assert await chunk_count(db, store) == 0
    for below, body in (
        ("/files", {"file_id": row.file_id}),
        ("", {"expires_after": {"anchor": "last_active_at", "days": 3}}),
    ):
        response = await api.post(f"/vector_stores/{store.id}{below}", json=body)
        check_error(response, 400, says="expired")


async def test_use_puts_an_expiry_off(make: Make, db: Database) -> None:
    store = await make.store(expires_after_days=2)
    async with db.transaction() as session:
        await session.execute(
            update(VectorStore)
            .where(VectorStore.pk == store.pk)
            .values(
                last_active_at=text("now() - interval '1 day'"),
                expires_at=text("now() + interval '1 day'"),
            )
        )

    async with db.transaction() as session:
        await touch(session, store)

    async with db.transaction() as session:
        row = await session.get_one(VectorStore, store.pk)
    assert row.expires_at is not None
    assert (row.expires_at - row.last_active_at).days == 2
    assert row.last_active_at > store.created_at


async def test_stores_are_paged_both_ways(openai: AsyncOpenAI, make: Make) -> None:
    ids = [(await make.store()).id for _ in range(5)]

    listed = [store.id async for store in openai.vector_stores.list(limit=2)]
    before = await openai.vector_stores.list(before=ids[1], limit=2)
    oldest = await openai.vector_stores.list(order="asc", after=ids[2])

    assert listed == ids[::-1]
    assert [store.id for store in before.data] == [ids[3], ids[2]]
    assert [store.id for store in oldest.data] == ids[3:]


async def test_another_project_sees_nothing(
    stranger: httpx2.AsyncClient, make: Make
) -> None:
    store = await make.store()
    row = await make.store_file(store, "A passage.")
    address = f"/vector_stores/{store.id}"
    file_address = f"{address}/files/{row.file_id}"

    for below in (address, f"{address}/files", file_address, f"{file_address}/content"):
        check_error(await stranger.get(below), 404)
    check_error(await stranger.post(address, json={"name": "Mine"}), 404)
    check_error(await stranger.post(file_address, json={"attributes": {}}), 404)
    check_error(await stranger.delete(file_address), 404)
    check_error(await stranger.delete(address), 404)
    # Nor does a store of its own take another's file.
    own = (await stranger.post("/vector_stores", json={})).json()
    body = {"file_id": row.file_id}
    response = await stranger.post(f"/vector_stores/{own['id']}/files", json=body)
    check_error(response, 404)


async def _sweep(db: Database) -> None:
    async with db.transaction() as session:
        await expire_stores(session, limit=100)
