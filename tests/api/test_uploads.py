"""`/uploads`, with the official client where it can say it, raw where it cannot."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from openai.types import Upload as UploadObject
from sqlalchemy import func, insert, select, update

from runtime.db.transaction import Database
from runtime.files.models import File, Upload, UploadPart, UploadStatus
from runtime.files.parts import MAX_PARTS, remove_parts
from runtime.files.storage import BytesMissing, Storage
from runtime.files.uploads import cancel_upload, expire_uploads
from runtime.projects.models import Project
from runtime.wire.uploads import MAX_PART_BYTES, MAX_UPLOAD_BYTES
from tests.support.envelope import check_error
from tests.support.stack import Stack

ANNOUNCED: dict[str, Any] = {
    "filename": "notes.txt",
    "purpose": "assistants",
    "bytes": 6,
    "mime_type": "text/plain",
}


async def begin(
    openai: AsyncOpenAI, *contents: bytes
) -> tuple[UploadObject, list[str]]:
    """An upload, and the ids of its parts."""
    upload = await openai.uploads.create(
        filename="notes.txt",
        purpose="assistants",
        bytes=sum(map(len, contents)),
        mime_type="text/plain",
    )
    parts = [await openai.uploads.parts.create(upload.id, data=c) for c in contents]
    return upload, [part.id for part in parts]


async def test_parts_become_one_file_in_the_order_named(openai: AsyncOpenAI) -> None:
    upload, (a, b, c) = await begin(openai, b"one ", b"two ", b"three")

    completed = await openai.uploads.complete(upload.id, part_ids=[c, a, b])

    assert completed.id == upload.id
    assert completed.status == "completed"
    file = completed.file
    assert file is not None
    assert (file.filename, file.bytes, file.purpose) == ("notes.txt", 13, "assistants")
    assert file.status == "processed"
    assert await openai.files.retrieve(file.id) == file
    assert (await openai.files.content(file.id)).content == b"threeone two "


async def test_an_upload_is_pending_for_an_hour_and_has_no_file(
    api: httpx2.AsyncClient,
) -> None:
    response = await api.post("/uploads", json=ANNOUNCED)

    upload = response.json()
    assert response.status_code == 200
    assert upload["id"].startswith("upload_")
    assert upload["object"] == "upload"
    assert upload["status"] == "pending"
    assert upload["expires_at"] - upload["created_at"] == 3600
    assert (upload["filename"], upload["bytes"]) == ("notes.txt", 6)
    assert "file" not in upload


async def test_a_part_names_its_upload(openai: AsyncOpenAI) -> None:
    upload, _ = await begin(openai, b"a")

    part = await openai.uploads.parts.create(upload.id, data=b"b")

    assert part.id.startswith("part_")
    assert (part.object, part.upload_id) == ("upload.part", upload.id)
    assert part.created_at >= upload.created_at


async def test_the_sdk_uploads_bytes_in_chunks(openai: AsyncOpenAI) -> None:
    content = os.urandom(1_000_003)

    upload = await openai.uploads.upload_file_chunked(
        file=content,
        filename="data.bin",
        bytes=len(content),
        mime_type="application/octet-stream",
        purpose="user_data",
        part_size=300_000,
        md5=hashlib.md5(content).hexdigest(),
    )

    assert upload.file is not None
    assert (await openai.files.content(upload.file.id)).content == content


async def test_the_sdk_uploads_a_file_from_disk(
    openai: AsyncOpenAI, db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n" * 1000)

    upload = await openai.uploads.upload_file_chunked(
        file=path, mime_type="csv", purpose="assistants"
    )

    assert upload.file is not None
    async with db.transaction() as session:
        row = await session.scalar(select(File).where(File.id == upload.file.id))
    assert row is not None
    assert (row.filename, row.size_bytes) == ("table.csv", 4000)
    # What was said is no media type; the name tells.
    assert row.media_type == "text/csv"
    assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


async def test_parts_may_come_at_the_same_time(openai: AsyncOpenAI) -> None:
    contents = [bytes([number]) * 10_000 for number in range(8)]
    upload = await openai.uploads.create(**{**ANNOUNCED, "bytes": 80_000})

    parts = await asyncio.gather(
        *(openai.uploads.parts.create(upload.id, data=content) for content in contents)
    )
    completed = await openai.uploads.complete(
        upload.id, part_ids=[part.id for part in parts]
    )

    assert completed.file is not None
    whole = (await openai.files.content(completed.file.id)).content
    assert whole == b"".join(contents)


async def test_a_part_sent_again_may_be_left_out(openai: AsyncOpenAI) -> None:
    upload, part_ids = await begin(openai, b"one", b"two")
    again = await openai.uploads.parts.create(upload.id, data=b"TWO")

    completed = await openai.uploads.complete(
        upload.id, part_ids=[part_ids[0], again.id]
    )

    assert completed.file is not None
    assert (await openai.files.content(completed.file.id)).content == b"oneTWO"


async def test_the_finished_file_expires_as_was_asked(openai: AsyncOpenAI) -> None:
    upload = await openai.uploads.create(
        **ANNOUNCED, expires_after={"anchor": "created_at", "seconds": 7200}
    )
    part = await openai.uploads.parts.create(upload.id, data=b"123456")

    completed = await openai.uploads.complete(upload.id, part_ids=[part.id])

    file = completed.file
    assert file is not None
    assert file.expires_at is not None
    assert file.expires_at - file.created_at == 7200


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"filename": ""}, "filename"),
        ({"filename": ".."}, "filename"),
        ({"filename": "a" * 256}, "filename"),
        ({"filename": "a\0b"}, "filename"),
        ({"filename": None}, "filename"),
        ({"purpose": "assistants_output"}, "purpose"),
        ({"bytes": 0}, "bytes"),
        ({"bytes": -1}, "bytes"),
        ({"bytes": MAX_UPLOAD_BYTES + 1}, "bytes"),
        ({"bytes": 10**30}, "bytes"),
        ({"bytes": "6"}, "bytes"),
        ({"mime_type": 5}, "mime_type"),
        ({"expires_after": {"anchor": "created_at"}}, "expires_after.seconds"),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 60}},
            "expires_after.seconds",
        ),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_of_an_announcement_is_named(
    api: httpx2.AsyncClient, changed: dict[str, Any], param: str
) -> None:
    response = await api.post("/uploads", json={**ANNOUNCED, **changed})

    check_error(response, 400, param=param)


@pytest.mark.parametrize("field", ANNOUNCED)
async def test_a_missing_field_of_an_announcement_is_named(
    api: httpx2.AsyncClient, field: str
) -> None:
    body = {key: value for key, value in ANNOUNCED.items() if key != field}

    check_error(await api.post("/uploads", json=body), 400, param=field, says="Missing")


async def test_eight_gigabytes_may_be_announced(openai: AsyncOpenAI) -> None:
    upload = await openai.uploads.create(**{**ANNOUNCED, "bytes": MAX_UPLOAD_BYTES})

    assert upload.bytes == 8 * 1024**3


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
    before = _stored_files(storage)

    for wrong, says in [
        (hashlib.md5(b"other").hexdigest(), md5),
        ("", "32 hexadecimal"),
        ("5d41402abc4b2a76b9719d911017c59", "32 hexadecimal"),
    ]:
        response = await api.post(address, json={"part_ids": part_ids, "md5": wrong})
        check_error(response, 400, param="md5", says=says)
    assert _stored_files(storage) <= before
    assert [file async for file in openai.files.list()] == []

    completed = await openai.uploads.complete(
        upload.id, part_ids=part_ids, md5=md5.upper()
    )
    assert completed.status == "completed"


async def test_of_simultaneous_completes_one_wins(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, storage: Storage
) -> None:
    upload, part_ids = await begin(openai, b"x" * 3_000_000, b"y" * 3_000_000)
    before = _stored_files(storage)

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
    assert len(_stored_files(storage) - before) == 1


async def test_a_cancel_beats_a_complete_that_is_not_done(
    openai: AsyncOpenAI,
    api: httpx2.AsyncClient,
    db: Database,
    project: Project,
    storage: Storage,
) -> None:
    upload, part_ids = await begin(openai, b"abc", b"def")
    before = _stored_files(storage)

    async with db.transaction() as session:
        await cancel_upload(session, project, upload.id)
        completing = asyncio.create_task(
            api.post(f"/uploads/{upload.id}/complete", json={"part_ids": part_ids})
        )
        # The parts are joined; what is left is to learn that it is too late.
        for _ in range(200):
            if _stored_files(storage) - before:
                break
            await asyncio.sleep(0.02)
    response = await completing

    check_error(response, 400, says="cancelled")
    assert not _stored_files(storage) - before
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


async def test_a_part_has_at_most_64_mb(api: httpx2.AsyncClient) -> None:
    upload = (await api.post("/uploads", json=ANNOUNCED)).json()
    address = f"/uploads/{upload['id']}/parts"

    largest = await api.post(address, files={"data": bytes(MAX_PART_BYTES)})
    larger = await api.post(address, files={"data": bytes(MAX_PART_BYTES + 1)})

    assert largest.status_code == 200
    check_error(larger, 413, says="64 MB")


async def test_a_body_far_beyond_a_part_is_refused_chunked_too(
    api: httpx2.AsyncClient,
) -> None:
    upload = (await api.post("/uploads", json=ANNOUNCED)).json()

    async def endless() -> AsyncIterator[bytes]:
        yield b"--b\r\ncontent-disposition: form-data; name=data; filename=a\r\n\r\n"
        for _ in range(66):
            yield bytes(1024 * 1024)

    response = await api.post(
        f"/uploads/{upload['id']}/parts",
        content=endless(),
        headers={"content-type": "multipart/form-data; boundary=b"},
    )

    check_error(response, 413, says="65 MB")


async def test_an_upload_holds_at_most_8_gb(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database
) -> None:
    upload, _ = await begin(openai, b"abc")
    await _add_rows(db, upload.id, count=1, size_bytes=MAX_UPLOAD_BYTES - 5)

    fits = await api.post(f"/uploads/{upload.id}/parts", files={"data": b"12"})
    over = await api.post(f"/uploads/{upload.id}/parts", files={"data": b"3"})

    assert fits.status_code == 200
    check_error(over, 413, param="data", says="8 GB")


async def test_an_upload_has_at_most_ten_thousand_parts(
    openai: AsyncOpenAI, api: httpx2.AsyncClient, db: Database
) -> None:
    upload, _ = await begin(openai, b"abc")
    await _add_rows(db, upload.id, count=MAX_PARTS - 1, size_bytes=1)

    response = await api.post(f"/uploads/{upload.id}/parts", files={"data": b"more"})

    check_error(response, 400, param="data", says="10,000")


@pytest.mark.parametrize(
    ("form", "status", "param", "says"),
    [
        ({"json": {"data": "abc"}}, 415, None, "multipart/form-data"),
        ({"files": {"other": (None, "text")}}, 400, "other", "Unknown"),
        ({"files": {"data": b"x", "purpose": (None, "vision")}}, 400, "purpose", ""),
        ({"files": {"data": (None, "text")}}, 400, "data", "file"),
        ({"files": {"data": b""}}, 400, "data", "empty"),
        ({"files": [("data", b"a"), ("data", b"b")]}, 400, None, ""),
        (
            # Half of a surrogate pair, which could not be sent back.
            {
                "content": b"--b\r\ncontent-disposition: form-data; "
                b'name="\\ud800"\r\n\r\nx\r\n--b--\r\n',
                "headers": {
                    "content-type": "multipart/form-data; boundary=b;"
                    " charset=unicode_escape"
                },
            },
            400,
            None,
            "Unknown",
        ),
        (
            {
                "content": b"--b--\r\n",
                "headers": {"content-type": "multipart/form-data; boundary=b"},
            },
            400,
            "data",
            "Missing",
        ),
    ],
)
async def test_a_part_that_cannot_be_read_says_why(
    api: httpx2.AsyncClient,
    form: dict[str, Any],
    status: int,
    param: str | None,
    says: str,
) -> None:
    upload = (await api.post("/uploads", json=ANNOUNCED)).json()

    response = await api.post(f"/uploads/{upload['id']}/parts", **form)

    check_error(response, status, param=param, says=says)


async def test_a_refused_part_leaves_no_bytes(
    api: httpx2.AsyncClient, storage: Storage
) -> None:
    before = _stored_files(storage)

    response = await api.post("/uploads/upload_none/parts", files={"data": b"abc"})

    check_error(response, 404, says="upload_none")
    assert _stored_files(storage) <= before


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


async def test_another_project_finds_no_upload(
    openai: AsyncOpenAI, stranger: httpx2.AsyncClient
) -> None:
    upload, part_ids = await begin(openai, b"abc")

    address = f"/uploads/{upload.id}"
    for response in (
        await stranger.post(f"{address}/parts", files={"data": b"more"}),
        await stranger.post(f"{address}/complete", json={"part_ids": part_ids}),
        await stranger.post(f"{address}/cancel"),
    ):
        check_error(response, 404, says=upload.id)
    completed = await openai.uploads.complete(upload.id, part_ids=part_ids)
    assert completed.status == "completed"


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


async def _add_rows(
    db: Database, upload_id: str, *, count: int, size_bytes: int
) -> None:
    """Parts without bytes: what counts is what the rows say."""
    async with db.transaction() as session:
        upload_pk = await session.scalar(
            select(Upload.pk).where(Upload.id == upload_id)
        )
        await session.execute(
            insert(UploadPart),
            [
                {
                    "upload_pk": upload_pk,
                    "id": f"part_{number}",
                    "size_bytes": size_bytes,
                    "storage_key": "none",
                }
                for number in range(count)
            ],
        )


def _stored_files(storage: Storage) -> set[Path]:
    directory = storage._directory
    assert directory is not None
    return {path for path in directory.rglob("*") if path.is_file()}
