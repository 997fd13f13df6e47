"""Whatever is sent, nothing breaks: no 500, and every refusal in the one envelope."""

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.world import World, make_world
from tests.properties import hostile
from tests.properties.described import OPERATIONS, Operation, check_answer
from tests.properties.requests import Request, requests
from tests.support.make import Make

# The same requests every time: no build fails by chance. All of one test's go to one
# project, on purpose: what one leaves behind, the next one meets.
_FOR_EVERY_BUILD = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
_TAKE_LONG_TEXTS = ("createThread", "createMessage", "searchVectorStore")


@pytest.fixture
async def world(make: Make, api: httpx2.AsyncClient) -> World:
    return await make_world(make, api)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
@_FOR_EVERY_BUILD
@given(data=st.data())
async def test_no_request_breaks_an_operation(
    api: httpx2.AsyncClient, world: World, operation: Operation, data: st.DataObject
) -> None:
    await _send(api, data.draw(requests(operation, world)))


@pytest.mark.parametrize("body", hostile.HUGE_BODIES, ids=lambda body: str(body[:3]))
@pytest.mark.parametrize("name", _TAKE_LONG_TEXTS)
async def test_ten_megabytes_break_nothing(
    api: httpx2.AsyncClient, world: World, name: str, body: bytes
) -> None:
    operation = next(known for known in OPERATIONS if known.id == name)
    path = operation.path.removeprefix("/v1").format(
        thread_id=world["thread"], vector_store_id=world["store"]
    )
    request = Request(
        verb="POST",
        path=path,
        body=body,
        headers={"content-type": "application/json"},
        statuses=frozenset({400}),
    )

    await _send(api, request)


async def _send(api: httpx2.AsyncClient, request: Request) -> None:
    async with api.stream(
        request.verb,
        request.path,
        content=request.body,
        headers=request.raw_headers(),
    ) as response:
        # Nobody drives runs here: a stream that has begun well would not end.
        if response.headers.get("content-type") != "text/event-stream; charset=utf-8":
            await response.aread()
        check_answer(response, request.statuses)
