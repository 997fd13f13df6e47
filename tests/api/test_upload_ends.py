"""How an upload ends: completed, cancelled or expired, once, and without its parts."""

import asyncio
import hashlib

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, update

from runtime.db.transaction import Database
from runtime.files.models import Upload, UploadPart, UploadStatus
from runtime.files.parts import remove_parts
from runtime.files.storage import BytesMissing, Storage
from runtime.files.uploads import cancel_upload, expire_uploads
from runtime.projects.models import Project
from tests.api.stored import stored_files
from tests.api.uploading import begin
from tests.support.envelope import check_error
from tests.support.stack import Stack


async def test_parts_that_are_not_what_was_announced_make_no_file(
    openai: AsyncOpenAI, api: httpx2.AsyncClient
) -> None:
    _, (foreign,) = await begin(openai, b"foreign")
    upload, (a, b) = await begin(openai, b"abc", b"def")
    extra = (await openai.uploads.parts.create(upload.id, data=b"ghi")).id

    for part_ids, param, says in [
        ([], "part_ids", "0 bytes"),
        ([a], "part_ids", "3 bytes"),
        ([a, b, extra], "part_ids", "9 bytes"),
        ([a, a], "part_ids[1]", "twice"),
        ([a, foreign], "part_ids[1]", foreign),
        ([a, "part_none"], "part_ids[1]", "part_none"),
        (["x" * 100_000], "part_ids[0]", "no part"),
        (["nul\0"], "part_ids[0]", ""),
        ([7], "part_ids[0]", ""),
        (None, "part_ids", ""),
    ]:
        response = await api.post(
            f"/uploads/{upload.id}/complete", json={"part_ids": part_ids}
        )
        check_error(response, 400, param=param, says=says)

    assert [file async for file in openai.files.list()] == []
    completed = await openai.uploads.complete(upload.id, part_ids=[a, b])
    assert completed.status == "completed"


async def test_a_wrong_md5_makes_no_file_and_may_be_righted(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, storage: Storage
) -> None:
    upload, part_ids = await begin(openai, b"abc", b"def")
    md5 = hashlib.md5(b"abcdef").hexdigest()
    address = f"/uploads/{upload.id}/complete"
    before = stored_files(storage)

    for wrong, says in [
        (hashlib.md5(b"other").hexdigest(), md5),
        ("", "32 hexadecimal"),
        ("5d41402abc4b2a76b9719d911017c59", "32 hexadecimal"),
    ]:
        response = await api.post(address, json={"part_ids": part_ids, "md5": wrong})
        check_error(response, 400, param="md5", says=says)
    assert stored_files(storage) <= before
    assert [file async for file in openai.files.list()] == []

    completed = await openai.uploads.complete(
        upload.id, part_ids=part_ids, md5=md5.upper()
    )
    assert completed.status == "completed"


async def test_of_simultaneous_completes_one_wins(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, storage: Storage
) -> None:
    upload, part_ids = await begin(openai, b"x" * 3_000_000, b"y" * 3_000_000)
    before = stored_files(storage)

    responses = await asyncio.gather(
        *(
            api.post(f"/uploads/{upload.id}/complete", json={"part_ids": part_ids})
            for _ in range(6)
        )
    )

    won = [response for response in responses if response.status_code == 200]
    assert len(won) == 1
    for response in responses:
        if response not in won:
            check_error(response, 400, says="completed")
    files = [file.id async for file in openai.files.list()]
    assert files == [won[0].json()["file"]["id"]]
    assert len(stored_files(storage) - before) == 1


async def test_a_cancel_beats_a_complete_that_is_not_done(
    openai: AsyncOpenAI,
    api: httpx2.AsyncClient,
    db: Database,
    project: Project,
    storage: Storage,
) -> None:
    upload, part_ids = await begin(openai, b"abc", b"def")
    before = stored_files(storage)

    async with db.transaction() as session:
        await cancel_upload(session, project, upload.id)
        completing = asyncio.create_task(
            api.post(f"/uploads/{upload.id}/complete", json={"part_ids": part_ids})
        )
        # The parts are joined; what is left is to learn that it is too late.
        for _ in range(200):
            if stored_files(storage) - before:
                break
            await asyncio.sleep(0.02)
    response = await completing

    check_error(response, 400, says="cancelled")
    assert not stored_files(storage) - before
    assert [file async for file in openai.files.list()] == []


@pytest.mark.parametrize("end", ["completed", "cancelled", "expired"])
async def test_an_upload_that_has_ended_takes_nothing_more(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database, end: str
) -> None:
    upload, part_ids = await begin(openai, b"abc")
    if end == "completed":
        await openai.uploads.complete(upload.id, part_ids=part_ids)
    elif end == "cancelled":
        assert (await openai.uploads.cancel(upload.id)).status == "cancelled"
    else:
        await _let_expire(db, upload.id)

    address = f"/uploads/{upload.id}"
    for response in (
        await api.post(f"{address}/parts", files={"data": b"more"}),
        await api.post(f"{address}/complete", json={"part_ids": part_ids}),
        await api.post(f"{address}/cancel"),
    ):
        check_error(response, 400, says=end)


async def test_parts_are_removed_once_their_upload_has_ended(
    openai: AsyncOpenAI, db: Database, storage: Storage
) -> None:
    completed, part_ids = await begin(openai, b"abc")
    cancelled, _ = await begin(openai, b"abc")
    expired, _ = await begin(openai, b"abc")
    pending, _ = await begin(openai, b"abc")
    ended = [completed.id, cancelled.id, expired.id]
    keys = [key for id in ended for key in await _part_keys(db, id)]
    await openai.uploads.complete(completed.id, part_ids=part_ids)
    await openai.uploads.cancel(cancelled.id)
    await _let_expire(db, expired.id)

    async with db.transaction() as session:
        await expire_uploads(session)
    while await remove_parts(db, storage):
        pass

    assert await _status(db, expired.id) is UploadStatus.EXPIRED
    assert [key for id in ended for key in await _part_keys(db, id)] == []
    for key in keys:
        with pytest.raises(BytesMissing):
            await storage.open(key)
    assert await _status(db, pending.id) is UploadStatus.PENDING
    (kept,) = await _part_keys(db, pending.id)
    assert await storage.read(kept) == b"abc"


async def test_a_worker_clears_away_what_an_expired_upload_left(
    openai: AsyncOpenAI,
    db: Database,
    storage: Storage,
    stack: Stack,
    sandbox_token: None,
) -> None:
    upload, _ = await begin(openai, b"abc")
    (key,) = await _part_keys(db, upload.id)
    await _let_expire(db, upload.id)

    # Its own, as a worker tidies when it starts and then only now and then.
    worker = await asyncio.to_thread(stack.start_worker, "runs", "worker-tidy")
    for _ in range(200):
        if not await _part_keys(db, upload.id):
            break
        await asyncio.sleep(0.05)
    stack.forget(worker)
    worker.terminate()
    await asyncio.to_thread(worker.wait)

    assert await _status(db, upload.id) is UploadStatus.EXPIRED
    assert await _part_keys(db, upload.id) == []
    with pytest.raises(BytesMissing):
        await storage.open(key)


async def test_a_part_whose_bytes_are_lost_says_so(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database, storage: Storage
) -> None:
    upload, part_ids = await begin(openai, b"abc")
    for key in await _part_keys(db, upload.id):
        await storage.delete(key)

    response = await api.post(
        f"/uploads/{upload.id}/complete", json={"part_ids": part_ids}
    )

    check_error(response, 404, says=upload.id)
    assert await _status(db, upload.id) is UploadStatus.PENDING


async def _let_expire(db: Database, upload_id: str) -> None:
    async with db.transaction() as session:
        await session.execute(
            update(Upload).where(Upload.id == upload_id).values(expires_at=func.now())
        )


async def _status(db: Database, upload_id: str) -> UploadStatus | None:
    async with db.transaction() as session:
        return await session.scalar(select(Upload.status).where(Upload.id == upload_id))


async def _part_keys(db: Database, upload_id: str) -> list[str]:
    async with db.transaction() as session:
        return list(
            await session.scalars(
                select(UploadPart.storage_key)
                .join(Upload, Upload.pk == UploadPart.upload_pk)
                .where(Upload.id == upload_id)
            )
        )
