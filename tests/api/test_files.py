"""`/files`, with the official client where it can say it, raw where it cannot."""

import asyncio
import hashlib
import os

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, update

from runtime.db.transaction import Database
from runtime.files.models import ContentState, File
from runtime.files.service import remove_bytes
from runtime.files.storage import BytesMissing, Storage
from runtime.vector_stores.removal import expire_files
from tests.support.envelope import check_error
from tests.support.make import Make


async def test_an_uploaded_file_comes_back_byte_for_byte(openai: AsyncOpenAI) -> None:
    content = os.urandom(3_000_000)

    file = await openai.files.create(file=("data.bin", content), purpose="assistants")
    fetched = await openai.files.retrieve(file.id)
    downloaded = await openai.files.content(file.id)

    assert fetched == file
    assert (file.object, file.bytes, file.filename) == ("file", 3_000_000, "data.bin")
    assert file.purpose == "assistants"
    assert file.id.startswith("file-")
    assert downloaded.content == content


async def test_a_file_is_processed_at_once(openai: AsyncOpenAI) -> None:
    file = await openai.files.create(file=("a.txt", b"a"), purpose="user_data")

    waited = await openai.files.wait_for_processing(file.id, max_wait_seconds=1)

    assert file.status == waited.status == "processed"


async def test_a_row_knows_the_digest_and_media_type_of_its_bytes(
    openai: AsyncOpenAI, db: Database
) -> None:
    file = await openai.files.create(file=("t.csv", b"a,b"), purpose="assistants")

    async with db.transaction() as session:
        row = await session.scalar(select(File).where(File.id == file.id))

    assert row is not None
    assert row.sha256 == hashlib.sha256(b"a,b").hexdigest()
    assert row.media_type == "text/csv"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\notes\\plan.txt", "plan.txt"),
        ('say "hi" 📈.txt', 'say "hi" 📈.txt'),
        ("Grüße, Welt; 1.txt", "Grüße, Welt; 1.txt"),
        ("a" * 251 + ".txt", "a" * 251 + ".txt"),
    ],
)
async def test_a_name_is_kept_without_its_path(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, sent: str, kept: str
) -> None:
    file = await openai.files.create(file=(sent, b"x"), purpose="assistants")
    response = await api.get(f"/files/{file.id}/content")

    assert file.filename == kept
    assert response.content == b"x"
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_deleted_file_is_gone_with_its_bytes(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database, storage: Storage
) -> None:
    file = await openai.files.create(file=("a.txt", b"a"), purpose="assistants")

    deleted = await openai.files.delete(file.id)

    assert (deleted.object, deleted.deleted) == ("file", True)
    for address in (f"/files/{file.id}", f"/files/{file.id}/content"):
        check_error(await api.get(address), 404, says=file.id)
    check_error(await api.delete(f"/files/{file.id}"), 404)
    assert file.id not in [f.id async for f in openai.files.list()]
    row = await _row(db, file.id)
    for _ in range(100):
        if (await _row(db, file.id)).content_state is ContentState.MISSING:
            break
        await asyncio.sleep(0.05)
    with pytest.raises(BytesMissing):
        await storage.open(row.storage_key)


async def test_deleting_a_file_takes_it_out_of_its_stores(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    row = await make.store_file(store, "Cheese is made of milk.")
    await make.store_file(store, "Bread is made of flour.")

    await openai.files.delete(row.file_id)

    left = [file.id async for file in openai.vector_stores.files.list(store.id)]
    assert len(left) == 1
    assert row.file_id not in left


async def test_files_are_listed_newest_first_and_by_purpose(
    openai: AsyncOpenAI,
) -> None:
    for name, purpose in [("a", "assistants"), ("b", "vision"), ("c", "assistants")]:
        await openai.files.create(file=(name, b"x"), purpose=purpose)  # type: ignore[arg-type]  # a loop widens the literal

    everything = [file.filename async for file in openai.files.list()]
    oldest_first = [file.filename async for file in openai.files.list(order="asc")]
    some = [file.filename async for file in openai.files.list(purpose="assistants")]

    assert everything == ["c", "b", "a"]
    assert oldest_first == ["a", "b", "c"]
    assert some == ["c", "a"]


async def test_a_list_is_read_a_page_at_a_time(openai: AsyncOpenAI, make: Make) -> None:
    for number in range(5):
        await make.file(filename=f"{number}.txt")

    page = await openai.files.list(limit=2)
    names = [file.filename async for file in page]

    assert len(page.data) == 2
    assert page.has_more
    assert names == ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=many", "limit"),
        ("order=sideways", "order"),
        ("after=file-unknown", "after"),
    ],
)
async def test_a_list_refuses_what_it_cannot_do(
    api: httpx2.AsyncClient, query: str, param: str
) -> None:
    check_error(await api.get(f"/files?{query}"), 400, param=param)


async def test_an_expiry_is_kept_and_then_takes_the_file(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database, storage: Storage
) -> None:
    file = await openai.files.create(
        file=("a.txt", b"a"),
        purpose="assistants",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert file.expires_at is not None
    assert file.expires_at - file.created_at == 3600

    async with db.transaction() as session:
        await session.execute(
            update(File).where(File.id == file.id).values(expires_at=func.now())
        )
    # Nobody sees it from that moment on, swept or not.
    check_error(await api.get(f"/files/{file.id}"), 404)
    async with db.transaction() as session:
        assert await expire_files(session) >= 1
    await remove_bytes(db, storage)

    row = await _row(db, file.id)
    assert row.deleted_at is not None
    with pytest.raises(BytesMissing):
        await storage.open(row.storage_key)


async def test_a_row_whose_bytes_are_lost_says_so(
    api: httpx2.AsyncClient, make: Make, storage: Storage
) -> None:
    file = await make.file()
    await storage.delete(file.storage_key)

    response = await api.get(f"/files/{file.id}/content")

    check_error(response, 404, says=file.id)


async def test_another_project_sees_nothing(
    stranger: httpx2.AsyncClient, make: Make
) -> None:
    file = await make.file()

    for address in (f"/files/{file.id}", f"/files/{file.id}/content"):
        check_error(await stranger.get(address), 404)
    check_error(await stranger.delete(f"/files/{file.id}"), 404)
    assert (await stranger.get("/files")).json()["data"] == []


async def test_ids_may_be_any_text(api: httpx2.AsyncClient) -> None:
    for file_id in ("x", "file-" + "a" * 5000, "%00", "%F0%9F%93%88", "a%20b"):
        response = await api.get(f"/files/{file_id}")
        assert response.status_code in (400, 404), file_id
        check_error(response, response.status_code)


async def _row(db: Database, file_id: str) -> File:
    async with db.transaction() as session:
        row = await session.scalar(select(File).where(File.id == file_id))
    assert row is not None
    return row
