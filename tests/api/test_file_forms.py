"""`POST /files`: the forms it refuses, and what that leaves behind."""

from typing import Any

import httpx2
import pytest

from runtime.files.storage import Storage
from tests.api.stored import stored_files
from tests.support.envelope import check_error

ASSISTANTS = {"purpose": "assistants"}


def notes(name: str = "notes.txt", content: bytes = b"Some notes.") -> dict[str, Any]:
    return {"file": (name, content)}


@pytest.mark.parametrize("name", ["..", "/", "a" * 256, "x\0y.txt", " \t"])
async def test_a_name_that_cannot_be_used_is_refused(
    api: httpx2.AsyncClient, name: str
) -> None:
    boundary = "b0undary"
    body = (
        f"--{boundary}\r\ncontent-disposition: form-data; name=purpose\r\n\r\n"
        f"assistants\r\n--{boundary}\r\n"
        f'content-disposition: form-data; name=file; filename="{name}"\r\n\r\n'
        f"x\r\n--{boundary}--\r\n"
    )

    response = await api.post(
        "/files",
        content=body.encode(),
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )

    check_error(response, 400)


async def test_an_empty_file_is_refused(api: httpx2.AsyncClient) -> None:
    response = await api.post("/files", data=ASSISTANTS, files=notes(content=b""))

    check_error(response, 400, param="file", says="empty")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "purpose"),
        ({"purpose": "world domination"}, "purpose"),
        ({"purpose": "assistants\0"}, "purpose"),
        ({**ASSISTANTS, "colour": "red"}, "colour"),
        (
            {**ASSISTANTS, "expires_after[anchor]": "created_at"},
            "expires_after.seconds",
        ),
        (
            {
                **ASSISTANTS,
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "60",
            },
            "expires_after.seconds",
        ),
        (
            {
                **ASSISTANTS,
                "expires_after[anchor]": "doomsday",
                "expires_after[seconds]": "3600",
            },
            "expires_after.anchor",
        ),
    ],
)
async def test_a_wrong_field_of_the_form_is_named(
    api: httpx2.AsyncClient, fields: dict[str, str], param: str
) -> None:
    response = await api.post("/files", data=fields, files=notes())

    check_error(response, 400, param=param)


async def test_a_form_without_a_file_names_the_file(api: httpx2.AsyncClient) -> None:
    missing = await api.post("/files", files={"purpose": (None, "assistants")})
    as_text = await api.post(
        "/files", files={"purpose": (None, "assistants"), "file": (None, "text")}
    )

    check_error(missing, 400, param="file", says="Missing")
    check_error(as_text, 400, param="file")


async def test_two_files_at_once_are_refused(api: httpx2.AsyncClient) -> None:
    response = await api.post(
        "/files", data=ASSISTANTS, files=[("file", ("a", b"a")), ("file", ("b", b"b"))]
    )

    check_error(response, 400)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=other", 400),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    api: httpx2.AsyncClient, content_type: str, status: int
) -> None:
    response = await api.post(
        "/files", content=b'{"a": 1}', headers={"content-type": content_type}
    )

    check_error(response, status)


@pytest.mark.parametrize("size_mb", [8.5, 10])
async def test_a_file_over_the_limit_is_too_large(
    api: httpx2.AsyncClient, size_mb: float
) -> None:
    content = b"x" * int(size_mb * 1024 * 1024)

    response = await api.post("/files", data=ASSISTANTS, files=notes(content=content))

    check_error(response, 413, says="8 MB" if size_mb < 9 else "")


async def test_a_refused_upload_leaves_no_bytes(
    api: httpx2.AsyncClient, storage: Storage
) -> None:
    before = stored_files(storage)

    await api.post("/files", data={"purpose": "none"}, files=notes())
    await api.post("/files", data=ASSISTANTS, files=notes(name=".."))

    assert stored_files(storage) == before


@pytest.mark.parametrize("authorization", [None, "Bearer sk-wrong", "Basic abc"])
async def test_a_key_is_needed_before_a_byte_is_read(
    api_url: str, authorization: str | None
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    async with httpx2.AsyncClient(base_url=f"{api_url}/v1") as client:
        response = await client.post(
            "/files", data=ASSISTANTS, files=notes(), headers=headers
        )

    check_error(response, 401)
