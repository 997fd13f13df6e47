"""Every way a request can fail has the envelope, and the right status."""

import asyncio
import gzip
import json
from typing import Any

import httpx2
import pytest

from tests.support.make import Make
from tests.support.turns import fails
from tests.support.upstream import Upstream


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """The error of a response, in the one form there is."""
    body = response.json()
    assert set(body) == {"error"}, body
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert response.headers["x-request-id"].startswith("req_")
    assert int(response.headers["openai-processing-ms"]) >= 0
    return error


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer sk-wrong", "Basic abc", "sk-x"]
)
async def test_without_a_key_nothing_is_told(api_url: str, header: str | None) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        headers = {} if header is None else {"authorization": header}
        response = await client.post("/v1/threads", headers=headers, content=b"{")

    assert response.status_code == 401
    assert error_of(response)["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_key_is_known_by_any_case_of_its_scheme(api_url: str, key: str) -> None:
    async with httpx2.AsyncClient(base_url=api_url) as client:
        headers = {"authorization": f"bearer {key}"}
        assert (await client.post("/v1/threads", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/threads/", "/threads/x/nothing", "//"])
async def test_an_unknown_address_is_404(api: httpx2.AsyncClient, path: str) -> None:
    response = await api.get(path)

    assert response.status_code == 404
    assert error_of(response)["type"] == "invalid_request_error"


async def test_a_wrong_verb_is_405(api: httpx2.AsyncClient) -> None:
    response = await api.put("/threads/thread_x", json={})

    assert response.status_code == 405
    assert "PUT" in error_of(response)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"assistant_id": NaN}',
        b'{"role": "user", "content": "\\ud800"}',
        b'{"role": "user", "content": "a\\u0000b"}',
        b"[" * 100_000,
        b'{"role": "user", "content": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"role": "user", "content": ' + b"9" * 5_000 + b"}",
    ],
    ids=[
        "half",
        "empty",
        "null",
        "array",
        "string",
        "not_utf8",
        "nan",
        "surrogate",
        "nul",
        "deep",
        "deep_value",
        "long_number",
    ],
)
async def test_a_body_that_is_no_message_is_400(
    api: httpx2.AsyncClient, make: Make, body: bytes
) -> None:
    thread = await make.thread()
    response = await api.post(
        f"/threads/{thread.id}/messages",
        content=body,
        headers={"content-type": "application/json"},
    )

    assert response.status_code == 400, response.text
    assert error_of(response)["type"] == "invalid_request_error"


async def test_a_compressed_body_is_415(api: httpx2.AsyncClient) -> None:
    response = await api.post(
        "/assistants",
        content=gzip.compress(b'{"model": "builtin"}'),
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    )

    assert response.status_code == 415
    assert "gzip" in error_of(response)["message"]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded"]
)
async def test_a_body_of_another_type_is_415(
    api: httpx2.AsyncClient, make: Make, media_type: str
) -> None:
    thread = await make.thread()
    response = await api.post(
        f"/threads/{thread.id}/messages",
        content=b'{"role": "user", "content": "x"}',
        headers={"content-type": media_type},
    )

    assert response.status_code == 415
    assert media_type in error_of(response)["message"]


async def test_a_body_too_large_is_413_whether_its_length_is_told_or_not(
    api: httpx2.AsyncClient,
) -> None:
    async def blocks() -> Any:
        for _ in range(33):
            yield b" " * 1024 * 1024

    told = await api.post(
        "/threads",
        content=b" " * (33 * 1024 * 1024),
        headers={"content-type": "application/json"},
    )
    assert told.status_code == 413
    assert "32 MB" in error_of(told)["message"]
    untold = await api.post(
        "/threads", content=blocks(), headers={"content-type": "application/json"}
    )
    assert untold.status_code == 413


@pytest.mark.parametrize("id", ["thread_%00", "%F0%9F%98%80", "a" * 3000, "%ff", "'--"])
async def test_wild_ids_are_refused_in_words(api: httpx2.AsyncClient, id: str) -> None:
    response = await api.get(f"/threads/{id}")

    assert response.status_code == 404
    assert len(error_of(response)["message"]) < 400


async def test_who_asked_too_much_is_always_told_when_to_come_back(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    # The upstream does not say when; our caller's client wants to know all the same.
    model = upstream.script(fails(429), repeat=True)

    response = await api.post(
        "/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "x"}]},
    )

    assert response.status_code == 429
    assert error_of(response)["type"] == "rate_limit_error"
    assert int(response.headers["retry-after"]) >= 1


async def test_a_refusal_names_the_place_of_the_fault(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    response = await api.post(
        f"/threads/{thread.id}/messages",
        json={"role": "user", "content": [{"type": "text", "text": ""}]},
    )

    assert response.status_code == 400
    assert error_of(response)["param"] == "content[0].text"


async def test_hanging_up_in_the_middle_of_a_body_harms_nobody(
    api: httpx2.AsyncClient, api_url: str, key: str
) -> None:
    host, port = api_url.removeprefix("http://").split(":")
    for _ in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/threads HTTP/1.1\r\nhost: x\r\ncontent-type: application/json"
            b"\r\nauthorization: Bearer " + key.encode() + b"\r\ncontent-length: 100"
            b'\r\n\r\n{"metadata"'
        )
        await writer.drain()
        writer.close()

    response = await api.post("/threads")

    assert response.status_code == 200
    assert json.loads(response.text)["object"] == "thread"
