"""`/vector_stores/{id}/files`; batches have a file of their own."""

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import update

from runtime.db.transaction import Database
from runtime.vector_stores.models import Chunk, StoreFileStatus
from tests.api.stored import chunk_count, statistics
from tests.support.envelope import check_error
from tests.support.make import Make

STATIC: dict[str, Any] = {
    "type": "static",
    "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50},
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
    assert await chunk_count(db, store) == 1


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
    assert await chunk_count(db, store) == 0
    assert await statistics(db, store) == (0, 0, {})


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
    before = await statistics(db, store)
    row = await make.store_file(store, "cheese bread", "moon")
    both = await statistics(db, store)

    await openai.vector_stores.files.delete(row.file_id, vector_store_id=store.id)

    assert both[0] == 4
    assert both[2] == {"moon": 3, "chees": 2, "cheese": 2, "bread": 1}
    assert await statistics(db, store) == before
    assert before == (2, 4, {"moon": 2, "chees": 1, "cheese": 1})
