"""Addresses, verbs and bytes that are none of ours: refused in the envelope, too."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.envelope import check_error
from tests.support.make import Make

_JSON = "content-type: application/json\r\n"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/assistants", "GET, POST"),
        ("/assistants/asst_x", "DELETE, GET, POST"),
        ("/files/file-x", "DELETE, GET"),
        ("/threads/runs", "POST"),
        ("/threads/thread_x/runs/run_x/cancel", "POST"),
    ],
)
@pytest.mark.parametrize("verb", ["PUT", "PATCH", "TRACE", "OPTIONS"])
async def test_a_wrong_verb_is_told_all_that_the_address_allows(
    api: httpx2.AsyncClient, verb: str, path: str, allowed: str
) -> None:
    response = await api.request(verb, path)

    check_error(response, 405, says=f"{verb} on /v1{path}")
    assert response.headers["allow"] == allowed


async def test_head_is_no_verb_of_ours(api: httpx2.AsyncClient) -> None:
    response = await api.head("/assistants")

    assert response.status_code == 405
    assert response.content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/V1/assistants",
        "/v1/assistants/",
        "//v1/assistants",
        "/v1//assistants",
        "/v1/assistants//",
        "/v1/./assistants",
        "/v1/threads/../assistants",
        "/v1/assistants/a%2Fb",
        "/v1/assistants/%00",
        "*",
    ],
)
async def test_an_address_is_taken_as_it_stands(
    api_url: str, key: str, path: str
) -> None:
    status, error = await _say(api_url, f"GET {path} HTTP/1.1\r\n{_key(key)}\r\n")

    assert status == 404
    assert error["message"].startswith("Unknown request URL: GET ")


@pytest.mark.parametrize("id", ["a" * 7_000, "%ff", "%F0%9F%98%80", "a'--", ".."])
async def test_an_id_may_be_any_text_and_is_shown_short(
    api_url: str, key: str, id: str
) -> None:
    status, error = await _say(
        api_url, f"GET /v1/assistants/{id} HTTP/1.1\r\n{_key(key)}\r\n"
    )

    assert status == 404
    assert len(error["message"]) < 200


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v1/assistants?" + "a" * 70_000 + " HTTP/1.1",
        "GET /v1/a b HTTP/1.1",
        "GET /v1/é HTTP/1.1",
        "FETCH /v1/assistants HTTP/1.1",
        "GET /v1/assistants HTTP/9.9",
        "hello",
    ],
    ids=["long", "space", "not_ascii", "verb", "version", "words"],
)
async def test_what_is_no_http_is_refused_in_the_envelope(
    api_url: str, key: str, request_line: str
) -> None:
    status, error = await _say(api_url, f"{request_line}\r\n{_key(key)}\r\n")

    assert status == 400
    assert "cannot be read as an HTTP request" in error["message"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("content-length: 1\r\n", 400),
        ("content-length: -1\r\n", 400),
        ("content-length: many\r\n", 400),
        ("content-length: 2\r\ncontent-length: 3\r\n", 400),
        ("content-length: 99999999999999999999999\r\n", 400),
        ("content-length: 9999999999\r\n", 413),
        ("content-length: 2\r\ntransfer-encoding: chunked\r\n", 400),
        ("transfer-encoding: gzip\r\n", 400),
        ("transfer-encoding: chunked\r\n", 400),
        ("content-length: 2\r\nx: a\0b\r\n", 400),
        ("content-length: 2\r\nno header\r\n", 400),
    ],
)
async def test_a_length_that_lies_is_refused_in_the_envelope(
    api_url: str, key: str, headers: str, expected: int
) -> None:
    request = f"POST /v1/threads HTTP/1.1\r\n{_key(key)}{_JSON}{headers}\r\n{{}}"

    status, _ = await _say(api_url, request, last=True)

    assert status == expected


async def test_a_stranger_address_after_a_good_one_is_still_refused(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()

    check_error(await api.get(f"/threads/{thread.id}/nothing"), 404)
    check_error(await api.get(f"/threads/{thread.id}/"), 404)
    assert (await api.get(f"/threads/{thread.id}")).status_code == 200


def _key(key: str) -> str:
    return f"host: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n"


async def _say(url: str, request: str, *, last: bool = False) -> tuple[int, Any]:
    """Send bytes as they are; the last answer's status and error.

    Args:
        last: more than one answer may come; the last one counts.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request.encode("latin-1"))
    told = (await asyncio.wait_for(reader.read(), 20)).decode()
    writer.close()
    if last:
        told = "HTTP/1.1" + told.rpartition("HTTP/1.1")[2]
    head, _, body = told.partition("\r\n\r\n")
    headers = head.lower()
    assert "content-type: application/json" in headers
    assert "x-request-id: req_" in headers
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return int(head.split()[1]), error
