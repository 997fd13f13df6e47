"""What a modification leaves out stays; null clears; and what may not be null is refused."""

from typing import Any

import httpx2
import pytest

from tests.contract import bodies, official, spec
from tests.contract.calls import Call
from tests.contract.requests import filled, request_of
from tests.contract.world import World, make_world
from tests.support.envelope import check_error
from tests.support.make import Make

pytestmark = spec.needs_document

Json = dict[str, Any]

_RESOURCES = {"metadata": bodies.METADATA, "tool_resources": bodies.EXISTING}
_STORE = {"name": "Boats", "expires_after": bodies.EXPIRY, "metadata": bodies.METADATA}

# Everything that each of them can change, and what null makes of it.
CHANGES: dict[str, tuple[Json, Json]] = {
    "modifyAssistant": (
        {**bodies.ASSISTANT, **_RESOURCES},
        {
            "name": None,
            "description": None,
            "instructions": None,
            "metadata": {},
            "tool_resources": {},
            "temperature": 1,
            "top_p": 1,
            "reasoning_effort": None,
            "response_format": "auto",
        },
    ),
    "modifyThread": (_RESOURCES, {"metadata": {}, "tool_resources": {}}),
    "modifyMessage": ({"metadata": bodies.METADATA}, {"metadata": {}}),
    "modifyRun": ({"metadata": bodies.METADATA}, {"metadata": {}}),
    "modifyVectorStore": (_STORE, {"name": "", "expires_after": None, "metadata": {}}),
    "updateVectorStoreFileAttributes": (
        {"attributes": {"kind": "ship"}},
        {"attributes": {}},
    ),
}

# An expiry counts from when it is set: said again, a second later, it is another.
_MOMENTS = {"expires_at", "last_active_at"}


@pytest.fixture
async def world(make: Make, api: httpx2.AsyncClient) -> World:
    return await make_world(make, api)


@pytest.fixture(params=CHANGES)
def operation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def modified(
    api: httpx2.AsyncClient, world: World, operation: str, body: Json
) -> Json:
    call = Call(operation=operation, body=body)
    answer: Json = official.check_answer(await api.request(**request_of(call, world)))
    return answer


def _but_for(fields: set[str], shown: Json) -> Json:
    return {name: value for name, value in shown.items() if name not in fields}


async def test_what_is_left_out_stays(
    api: httpx2.AsyncClient, world: World, operation: str
) -> None:
    everything, _ = CHANGES[operation]
    full = await modified(api, world, operation, everything)
    for name, value in everything.items():
        if name in full:
            assert full[name] == filled(value, world), name
    if operation == "updateVectorStoreFileAttributes":
        return  # its one field is required

    assert await modified(api, world, operation, {}) == full
    for name, value in everything.items():
        now = await modified(api, world, operation, {name: value})
        assert _but_for(_MOMENTS, now) == _but_for(_MOMENTS, full), name


async def test_null_clears_that_field_alone(
    api: httpx2.AsyncClient, world: World, operation: str
) -> None:
    everything, cleared = CHANGES[operation]
    for name, value in cleared.items():
        full = await modified(api, world, operation, everything)

        now = await modified(api, world, operation, {name: None})

        assert now.get(name) == value, name
        touched = {name, *_MOMENTS}
        assert _but_for(touched, now) == _but_for(touched, full)


@pytest.mark.parametrize("name", ["model", "tools"])
async def test_what_an_assistant_cannot_be_without_is_not_cleared(
    api: httpx2.AsyncClient, world: World, name: str
) -> None:
    call = Call(operation="modifyAssistant", body={name: None})

    response = await api.request(**request_of(call, world))

    check_error(response, 400, param=name)


async def test_resources_change_a_tool_at_a_time(
    api: httpx2.AsyncClient, world: World
) -> None:
    for operation in ("modifyAssistant", "modifyThread"):
        full = await modified(api, world, operation, _RESOURCES)
        none: Json = {"tool_resources": {"code_interpreter": {"file_ids": []}}}

        now = await modified(api, world, operation, none)

        assert now["tool_resources"] == {
            "code_interpreter": {"file_ids": []},
            "file_search": full["tool_resources"]["file_search"],
        }
