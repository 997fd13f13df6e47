"""`/vector_stores` and the files in them; batches have a file of their own."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, text, update

from runtime.db.transaction import Database
from runtime.vector_stores.models import (
    Chunk,
    StoreFile,
    StoreFileStatus,
    StoreLexeme,
    StoreStats,
    VectorStore,
)
from runtime.vector_stores.removal import expire_stores
from runtime.vector_stores.service import touch
from tests.support.envelope import check_error
from tests.support.make import Make

STATIC: dict[str, Any] = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50},
}


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


async def test_a_store_is_made_with_its_files(openai: AsyncOpenAI, make: Make) -> None:
    files = [await make.file() for _ in range(3)]

    store = await openai.vector_stores.create(
        name="Notes 📚",
        description="All of them.",
        file_ids=[file.id for file in files] + [files[0].id],
        chunking_strategy=STATIC,  # type: ignore[arg-type]  # a TypedDict in the SDK
        expires_after={"anchor": "last_active_at", "days": 7},
        metadata={"a": "b"},
    )

    assert (store.name, store.metadata) == ("Notes 📚", {"a": "b"})
    assert store.status == "in_progress"
    assert store.file_counts.in_progress == store.file_counts.total == 3
    assert store.expires_after is not None
    assert store.expires_after.days == 7
    assert store.expires_at == store.last_active_at + 7 * 24 * 3600  # type: ignore[operator]  # optional in the SDK
    first = await openai.vector_stores.files.retrieve(
        files[0].id, vector_store_id=store.id
    )
    assert first.chunking_strategy is not None
    assert first.chunking_strategy.to_dict() == STATIC


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


async def test_a_file_must_exist_to_be_put_into_a_store(
    api: httpx2.AsyncClient, make: Make
) -> None:
    store = await make.store()
    body = {"file_ids": [(await make.file()).id, "file-none"]}

    response = await api.post("/vector_stores", json=body)
    check_error(response, 404, param="file_ids", says="file-none")
    response = await api.post(
        f"/vector_stores/{store.id}/files", json={"file_id": "file-none"}
    )
    check_error(response, 404, param="file_id", says="file-none")
    response = await api.post("/vector_stores/vs_none/files", json={"file_id": "x"})
    check_error(response, 404, says="vs_none")
    assert len((await api.get("/vector_stores")).json()["data"]) == 1


async def test_a_file_is_attached_modified_and_detached(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make
) -> None:
    store, file = await make.store(), await make.file()

    attached = await openai.vector_stores.files.create(
        store.id, file_id=file.id, attributes={"year": 1969, "moon": True, "a": "b"}
    )
    assert (attached.id, attached.vector_store_id) == (file.id, store.id)
    assert (attached.object, attached.status) == ("vector_store.file", "in_progress")
    assert attached.attributes == {"year": 1969, "moon": True, "a": "b"}
    assert attached.last_error is None

    modified = await openai.vector_stores.files.update(
        file.id, vector_store_id=store.id, attributes={"year": 1.5}
    )
    assert modified.attributes == {"year": 1.5}

    deleted = await openai.vector_stores.files.delete(file.id, vector_store_id=store.id)
    assert (deleted.object, deleted.deleted) == ("vector_store.file.deleted", True)
    address = f"/vector_stores/{store.id}/files/{file.id}"
    check_error(await api.get(address), 404)
    check_error(await api.post(address, json={"attributes": {}}), 404)
    check_error(await api.delete(address), 404)
    assert (await openai.files.retrieve(file.id)).id == file.id


async def test_attaching_a_file_again_changes_nothing_but_attributes(
    openai: AsyncOpenAI, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "A passage.", attributes={"a": "b"})

    same = await openai.vector_stores.files.create(store.id, file_id=row.file_id)
    assert (same.status, same.attributes) == ("completed", {"a": "b"})
    new = await openai.vector_stores.files.create(
        store.id, file_id=row.file_id, attributes={"c": 1}
    )
    assert (new.status, new.attributes) == ("completed", {"c": 1})
    assert await _chunk_count(db, store) == 1


async def test_attaching_with_other_chunking_begins_anew(
    openai: AsyncOpenAI, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "A passage.")

    again = await openai.vector_stores.files.create(
        store.id,
        file_id=row.file_id,
        chunking_strategy=STATIC,  # type: ignore[arg-type]  # a TypedDict in the SDK
    )

    assert again.status == "in_progress"
    assert await _chunk_count(db, store) == 0
    assert await _statistics(db, store) == (0, 0, {})


@pytest.mark.parametrize("status", [StoreFileStatus.FAILED, StoreFileStatus.CANCELLED])
async def test_a_file_that_did_not_make_it_is_tried_again(
    openai: AsyncOpenAI, make: Make, status: StoreFileStatus
) -> None:
    store = await make.store()
    row = await make.store_file(
        store, status=status, error_code="server_error", error_message="Lost."
    )
    before = await openai.vector_stores.files.retrieve(
        row.file_id, vector_store_id=store.id
    )
    assert before.last_error is not None
    assert (before.last_error.code, before.last_error.message) == (
        "server_error",
        "Lost.",
    )

    again = await openai.vector_stores.files.create(store.id, file_id=row.file_id)

    assert (again.status, again.last_error) == ("in_progress", None)


async def test_files_are_listed_by_status_and_paged_by_their_ids(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make
) -> None:
    store = await make.store()
    ids = [(await make.store_file(store)).file_id for _ in range(4)]
    failed = await make.store_file(store, status=StoreFileStatus.FAILED)
    address = f"/vector_stores/{store.id}/files"

    listed = [f.id async for f in openai.vector_stores.files.list(store.id, limit=2)]
    completed = [
        file.id
        async for file in openai.vector_stores.files.list(
            store.id, filter="completed", order="asc"
        )
    ]
    before = await openai.vector_stores.files.list(store.id, before=ids[0], limit=2)

    assert listed == [failed.file_id, *ids[::-1]]
    assert completed == ids
    assert [file.id for file in before.data] == [ids[2], ids[1]]
    check_error(await api.get(f"{address}?filter=odd"), 400)
    check_error(await api.get(f"{address}?limit=101"), 400, param="limit")
    check_error(await api.get(f"{address}?after=file-none"), 400, param="after")


@pytest.mark.parametrize(
    "attributes",
    [
        {str(number): "" for number in range(17)},
        {"a" * 65: "b"},
        {"a": "b" * 513},
        {"a": ["b"]},
        {"a": None},
        {"a": 2**70},
        {"a": "\0"},
    ],
)
async def test_attributes_have_limits(
    api: httpx2.AsyncClient, make: Make, attributes: dict[str, Any]
) -> None:
    store, file = await make.store(), await make.file()
    body = {"file_id": file.id, "attributes": attributes}

    check_error(await api.post(f"/vector_stores/{store.id}/files", json=body), 400)


async def test_the_text_of_a_file_is_joined_from_overlapping_chunks(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, make: Make, db: Database
) -> None:
    store = await make.store()
    row = await make.store_file(store, "Grüße, ", "Welt. 📈 ", "Ende.")
    # The second chunk reaches back into the first by three characters.
    async with db.transaction() as session:
        await session.execute(
            update(Chunk)
            .where(Chunk.store_file_pk == row.pk, Chunk.ordinal == 1)
            .values(char_start=Chunk.char_start - 3, content="e, Welt. 📈 ")
        )

    page = await openai.vector_stores.files.content(
        row.file_id, vector_store_id=store.id
    )

    assert "".join(part.text or "" for part in page.data) == "Grüße, Welt. 📈 Ende."
    waiting = await make.store_file(store, status=StoreFileStatus.IN_PROGRESS)
    address = f"/vector_stores/{store.id}/files/{waiting.file_id}/content"
    check_error(await api.get(address), 400, says="in_progress")


async def test_removing_a_file_takes_its_words_out_of_the_statistics(
    openai: AsyncOpenAI, make: Make, db: Database
) -> None:
    store = await make.store()
    await make.store_file(store, "moon", "moon cheese")
    before = await _statistics(db, store)
    row = await make.store_file(store, "cheese bread", "moon")
    both = await _statistics(db, store)

    await openai.vector_stores.files.delete(row.file_id, vector_store_id=store.id)

    assert both[0] == 4
    assert both[2] == {"moon": 3, "chees": 2, "cheese": 2, "bread": 1}
    assert await _statistics(db, store) == before
    assert before == (2, 4, {"moon": 2, "chees": 1, "cheese": 1})


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
    assert await _chunk_count(db, store) == 0
    assert await _statistics(db, store) == (0, 0, {})
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
    assert await _chunk_count(db, store) == 0
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


async def _chunk_count(db: Database, store: VectorStore) -> int:
    async with db.transaction() as session:
        count = await session.scalar(
            select(func.count()).select_from(Chunk).where(Chunk.store_pk == store.pk)
        )
    return count or 0


async def _statistics(
    db: Database, store: VectorStore
) -> tuple[int, int, dict[str, int]]:
    """Chunks, lexemes over all chunks, and chunks by lexeme."""
    async with db.transaction() as session:
        stats = await session.get(StoreStats, store.pk)
        lexemes = await session.scalars(
            select(StoreLexeme).where(StoreLexeme.store_pk == store.pk)
        )
        by_lexeme = {row.lexeme: row.chunk_count for row in lexemes}
    if stats is None:
        return 0, 0, by_lexeme
    return stats.chunk_count, stats.lexeme_count, by_lexeme


async def test_a_search_answers_with_the_chunk_that_fits(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    row = await make.store_file(
        store,
        "Bread is baked from flour and water.",
        "The moon goes around the earth.",
        attributes={"year": 1969},
    )

    page = await openai.vector_stores.search(
        store.id, query="What goes around the earth?", max_num_results=1
    )
    none = await openai.vector_stores.search(
        store.id,
        query=["moon", "bread"],
        filters={"type": "eq", "key": "year", "value": 1},
    )

    [hit] = page.data
    assert (hit.file_id, hit.filename) == (row.file_id, "notes.txt")
    assert [part.text for part in hit.content] == ["The moon goes around the earth."]
    assert 0 < hit.score <= 1
    assert hit.attributes == {"year": 1969}
    assert none.data == []


async def test_a_search_that_cannot_be_is_refused(
    api: httpx2.AsyncClient, stranger: httpx2.AsyncClient, make: Make
) -> None:
    address = f"/vector_stores/{(await make.store()).id}/search"

    check_error(await api.post(address, json={}), 400, param="query")
    check_error(await api.post(address, json={"query": ""}), 400)
    check_error(await api.post(address, json={"query": "a\0"}), 400)
    check_error(
        await api.post(address, json={"query": "a", "max_num_results": 51}), 400
    )
    check_error(await stranger.post(address, json={"query": "a"}), 404)
