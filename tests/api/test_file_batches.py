"""`/vector_stores/{id}/file_batches`."""

import asyncio
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import update

from runtime.db.transaction import Database
from runtime.vector_stores.models import StoreFile, StoreFileStatus
from tests.support.envelope import check_error
from tests.support.make import Make


async def test_a_batch_puts_files_into_a_store(openai: AsyncOpenAI, make: Make) -> None:
    store = await make.store()
    ids = [(await make.file()).id for _ in range(3)]

    batch = await openai.vector_stores.file_batches.create(
        store.id, file_ids=ids, attributes={"team": "blue"}
    )

    assert (batch.object, batch.status) == ("vector_store.files_batch", "in_progress")
    assert batch.id.startswith("vsfb_")
    assert batch.vector_store_id == store.id
    assert batch.file_counts.in_progress == batch.file_counts.total == 3
    files = await openai.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, order="asc"
    )
    assert [file.id for file in files.data] == ids
    assert all(file.attributes == {"team": "blue"} for file in files.data)


async def test_each_file_may_come_with_settings_of_its_own(
    openai: AsyncOpenAI, make: Make
) -> None:
    store, first, second = await make.store(), await make.file(), await make.file()

    batch = await openai.vector_stores.file_batches.create(
        store.id,
        files=[
            {"file_id": first.id, "attributes": {"n": 1}},
            {
                "file_id": second.id,
                "chunking_strategy": {
                    "type": "static",
                    "static": {
                        "max_chunk_size_tokens": 300,
                        "chunk_overlap_tokens": 10,
                    },
                },
            },
        ],
    )

    files = await openai.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, order="asc"
    )
    sizes = [
        file.chunking_strategy.to_dict()["static"]["max_chunk_size_tokens"]  # type: ignore[index, union-attr]  # always static here
        for file in files.data
    ]
    assert [file.attributes for file in files.data] == [{"n": 1}, {}]
    assert sizes == [800, 300]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "in_progress"], "in_progress"),
        (["completed", "failed"], "completed"),
        (["failed", "failed"], "failed"),
    ],
)
async def test_its_status_is_that_of_its_files(
    openai: AsyncOpenAI,
    make: Make,
    db: Database,
    statuses: list[str],
    expected: str,
) -> None:
    store = await make.store()
    ids = [(await make.file()).id for _ in statuses]
    batch = await openai.vector_stores.file_batches.create(store.id, file_ids=ids)
    async with db.transaction() as session:
        for file_id, status in zip(ids, statuses, strict=True):
            await session.execute(
                update(StoreFile)
                .where(StoreFile.file_id == file_id)
                .values(status=StoreFileStatus(status))
            )

    seen = await openai.vector_stores.file_batches.retrieve(
        batch.id, vector_store_id=store.id
    )
    some = await openai.vector_stores.file_batches.list_files(
        batch.id, vector_store_id=store.id, filter="completed"
    )

    assert seen.status == expected
    assert seen.file_counts.failed == statuses.count("failed")
    assert len(some.data) == statuses.count("completed")


async def test_cancelling_stops_what_is_not_done(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    done = await make.store_file(store, "A passage.")
    batch = await openai.vector_stores.file_batches.create(
        store.id, file_ids=[done.file_id, (await make.file()).id]
    )

    cancelled = await openai.vector_stores.file_batches.cancel(
        batch.id, vector_store_id=store.id
    )
    again = await openai.vector_stores.file_batches.cancel(
        batch.id, vector_store_id=store.id
    )

    assert cancelled.status == "cancelled"
    assert cancelled.file_counts.cancelled == cancelled.file_counts.completed == 1
    assert again == cancelled


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"file_ids": []},
        {"files": []},
        {"file_ids": ["a"], "files": [{"file_id": "a"}]},
        {"file_ids": ["a"] * 2001},
        {"file_ids": "a"},
        {"files": [{"file_id": "a", "colour": "red"}]},
    ],
)
async def test_what_breaks_a_rule_is_refused(
    api: httpx2.AsyncClient, make: Make, body: dict[str, Any]
) -> None:
    store = await make.store()

    response = await api.post(f"/vector_stores/{store.id}/file_batches", json=body)

    check_error(response, 400)


async def test_with_one_unknown_file_none_is_added(
    api: httpx2.AsyncClient, make: Make
) -> None:
    store, file = await make.store(), await make.file()
    address = f"/vector_stores/{store.id}"

    by_ids = await api.post(
        f"{address}/file_batches", json={"file_ids": [file.id, "file-none"]}
    )
    by_files = await api.post(
        f"{address}/file_batches",
        json={"files": [{"file_id": file.id}, {"file_id": "file-none"}]},
    )

    check_error(by_ids, 404, param="file_ids", says="file-none")
    check_error(by_files, 404, param="files", says="file-none")
    assert (await api.get(f"{address}/files")).json()["data"] == []


async def test_the_same_files_added_at_once_are_added_once(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    ids = [(await make.file()).id for _ in range(5)]

    batches = await asyncio.gather(
        *(
            openai.vector_stores.file_batches.create(
                store.id, file_ids=ids if number % 2 else ids[::-1]
            )
            for number in range(6)
        )
    )

    assert all(batch.file_counts.total == 5 for batch in batches)
    seen = await openai.vector_stores.retrieve(store.id)
    assert seen.file_counts.total == 5


async def test_an_unknown_batch_or_one_of_another_is_not_found(
    api: httpx2.AsyncClient,
    stranger: httpx2.AsyncClient,
    openai: AsyncOpenAI,
    make: Make,
) -> None:
    store, other = await make.store(), await make.store()
    batch = await openai.vector_stores.file_batches.create(
        store.id, file_ids=[(await make.file()).id]
    )
    address = f"/vector_stores/{store.id}/file_batches/{batch.id}"

    for client, at in (
        (stranger, address),
        (api, f"/vector_stores/{other.id}/file_batches/{batch.id}"),
        (api, f"/vector_stores/{store.id}/file_batches/vsfb_none"),
    ):
        check_error(await client.get(at), 404)
        check_error(await client.get(f"{at}/files"), 404)
        check_error(await client.post(f"{at}/cancel"), 404)
    assert (await api.get(address)).status_code == 200
