"""`/uploads`, with the official client where it can say it, raw where it cannot."""

import hashlib
import os
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.files.models import File
from runtime.wire.uploads import MAX_UPLOAD_BYTES
from tests.api.uploading import ANNOUNCED, begin
from tests.support.envelope import check_error


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
