"""`Idempotency-Key` of what brings bytes: one file, one part, and none left over."""

import asyncio
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from runtime.files.storage import Storage
from tests.api.keys import at_once, check_replay, new_key
from tests.api.stored import stored_files
from tests.api.uploading import ANNOUNCED, begin
from tests.engine.talk import call
from tests.support.envelope import check_error


def form(
    content: bytes = b"Some notes.\n", name: str = "notes.txt", **fields: str
) -> dict[str, Any]:
    """A form with a file; each has a boundary of its own."""
    return {
        "files": {"file": (name, content, "text/plain")},
        "data": {"purpose": "assistants", **fields},
    }


async def test_twenty_uploads_at_once_under_one_key_are_one_file(
    api: httpx2.AsyncClient, storage: Storage
) -> None:
    key, before = new_key(), stored_files(storage)
    content = b"Some notes.\n" * 50_000

    file = await at_once(
        api.post("/files", headers=key, **form(content)) for _ in range(20)
    )

    assert file["bytes"] == len(content)
    assert [f["id"] for f in (await call(api, "GET", "/files"))["data"]] == [file["id"]]
    assert len(stored_files(storage) - before) == 1


async def test_a_client_that_tries_again_draws_another_boundary(
    openai: AsyncOpenAI, storage: Storage
) -> None:
    key = new_key()

    first = await openai.files.create(
        file=b"Some notes.", purpose="assistants", extra_headers=key
    )
    before = stored_files(storage)
    again = await openai.files.create(
        file=b"Some notes.", purpose="assistants", extra_headers=key
    )

    assert again == first
    assert stored_files(storage) == before


@pytest.mark.parametrize(
    "other",
    [
        form(b"Other notes."),
        form(name="other.txt"),
        form(purpose="user_data"),
        {"content": b"", "headers": {"content-type": "text/plain"}},
    ],
    ids=["bytes", "name", "field", "no form"],
)
async def test_a_key_stands_for_one_file(
    api: httpx2.AsyncClient, other: dict[str, Any]
) -> None:
    key = new_key()
    first = await api.post("/files", headers=key, **form())

    refused = await api.post(
        "/files", **{**other, "headers": {**other.get("headers", {}), **key}}
    )

    check_error(refused, 400, param="Idempotency-Key")
    check_replay(first, await api.post("/files", headers=key, **form()))


async def test_a_file_that_was_refused_may_be_sent_again(
    api: httpx2.AsyncClient, storage: Storage
) -> None:
    key, before = new_key(), stored_files(storage)

    refused = await api.post("/files", headers=key, **form(purpose="nonsense"))
    kept = await api.post("/files", headers=key, **form())

    check_error(refused, 400, param="purpose")
    assert kept.status_code == 200
    assert len(stored_files(storage) - before) == 1


async def test_a_form_that_cannot_be_read_is_refused_as_ever(
    api: httpx2.AsyncClient,
) -> None:
    for headers in (
        {"content-type": "multipart/form-data"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/json"},
    ):
        plain = await api.post("/files", content=b"--y", headers=headers)
        keyed = await api.post(
            "/files", content=b"--y", headers={**headers, **new_key()}
        )

        assert 400 <= plain.status_code < 500
        assert (keyed.status_code, keyed.json()) == (plain.status_code, plain.json())


async def test_a_file_that_is_too_large_is_refused_under_a_key_too(
    api: httpx2.AsyncClient,
) -> None:
    response = await api.post(
        "/files", headers=new_key(), **form(b"x" * (10 * 1024 * 1024))
    )

    check_error(response, 413)


async def test_parts_of_one_key_are_one_part(
    api: httpx2.AsyncClient, openai: AsyncOpenAI, storage: Storage
) -> None:
    upload, _ = await begin(openai, b"abc")
    before, key = stored_files(storage), new_key()
    path, sent = f"/uploads/{upload.id}/parts", {"data": ("part", b"abcdef")}

    part = await at_once(api.post(path, files=sent, headers=key) for _ in range(10))

    assert part["upload_id"] == upload.id
    assert len(stored_files(storage) - before) == 1


@pytest.mark.parametrize("times", [2, 10])
async def test_an_upload_is_completed_once_and_says_so_to_all(
    api: httpx2.AsyncClient, openai: AsyncOpenAI, times: int
) -> None:
    upload, parts = await begin(openai, b"abc", b"def")
    path, key = f"/uploads/{upload.id}/complete", new_key()
    body = {"part_ids": parts}

    done = await at_once(api.post(path, json=body, headers=key) for _ in range(times))

    assert done["status"] == "completed"
    assert len((await call(api, "GET", "/files"))["data"]) == 1
    check_error(await api.post(path, json=body), 400, says="already completed")
    again = await api.post(path, json=body, headers=key)
    assert again.json() == done


async def test_an_upload_is_cancelled_once_and_says_so_to_all(
    api: httpx2.AsyncClient, openai: AsyncOpenAI
) -> None:
    upload, _ = await begin(openai, b"abcdef")
    path, key = f"/uploads/{upload.id}/cancel", new_key()

    first = await api.post(path, headers=key)

    assert first.json()["status"] == "cancelled"
    check_replay(first, await api.post(path, headers=key))
    check_error(await api.post(path), 400, says="already cancelled")


async def test_an_upload_announced_twice_is_one(api: httpx2.AsyncClient) -> None:
    key = new_key()

    answers = await asyncio.gather(
        *(api.post("/uploads", json=ANNOUNCED, headers=key) for _ in range(5))
    )

    assert len({answer.json()["id"] for answer in answers}) == 1
