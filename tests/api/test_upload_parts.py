"""`/uploads/{id}/parts`: how large, how many, and what is no part."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import insert, select

from runtime.db.transaction import Database
from runtime.files.models import Upload, UploadPart
from runtime.files.parts import MAX_PARTS
from runtime.files.storage import Storage
from runtime.wire.uploads import MAX_PART_BYTES, MAX_UPLOAD_BYTES
from tests.api.stored import stored_files
from tests.api.uploading import ANNOUNCED, begin
from tests.support.envelope import check_error


async def test_a_part_names_its_upload(openai: AsyncOpenAI) -> None:
    upload, _ = await begin(openai, b"a")

    part = await openai.uploads.parts.create(upload.id, data=b"b")

    assert part.id.startswith("part_")
    assert (part.object, part.upload_id) == ("upload.part", upload.id)
    assert part.created_at >= upload.created_at


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
    before = stored_files(storage)

    response = await api.post("/uploads/upload_none/parts", files={"data": b"abc"})

    check_error(response, 404, says="upload_none")
    assert stored_files(storage) <= before


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
