"""Each of the 48 operations does what it is asked, and answers what the document says."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.contract import official, spec
from tests.contract.calls import CALLS, Call
from tests.contract.world import World, make_world
from tests.support.make import Make

pytestmark = spec.needs_document

# What the ids in an address are called in our world.
_PATH_IDS = {"vector_store_id": "store", "message_id": "message"}

# Told in a request otherwise than in the object that comes of it.
_SHOWN_OTHERWISE = {"content", "tool_resources", "instructions", "chunking_strategy"}


@pytest.fixture
async def world(make: Make, api: httpx2.AsyncClient) -> World:
    return await make_world(make, api)


def filled(value: Any, world: World) -> Any:
    """A value with the world's ids in place of their names."""
    if isinstance(value, dict):
        return {key: filled(part, world) for key, part in value.items()}
    if isinstance(value, list):
        return [filled(part, world) for part in value]
    return world[value[1:]] if isinstance(value, str) and value[:1] == "$" else value


def _request(call: Call, world: World) -> dict[str, Any]:
    operation = official.operations()[call.operation]
    usual = {
        name: world[_PATH_IDS.get(name, name.removesuffix("_id"))]
        for name in operation.path_ids
    }
    request: dict[str, Any] = {
        "method": operation.verb,
        "url": operation.path.format(**{**usual, **filled(call.at, world)}),
        "params": filled(call.query, world),
    }
    if call.body is not None:
        request["json"] = filled(call.body, world)
    if call.form is not None:
        request["files"] = {k: v for k, v in call.form.items() if isinstance(v, tuple)}
        request["data"] = {k: v for k, v in call.form.items() if isinstance(v, str)}
    return request


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
async def test_an_operation_answers_what_the_document_says(
    api: httpx2.AsyncClient, world: World, call: Call
) -> None:
    response = await api.request(**_request(call, world))

    answer = official.check_answer(response)
    if call.body is not None:
        sent = filled(call.body, world)
        repeated = sent.keys() & answer.keys() - _SHOWN_OTHERWISE
        assert {key: answer[key] for key in repeated} == {
            key: sent[key] for key in repeated
        }


def test_every_operation_is_asked_for_all_that_it_takes() -> None:
    forgotten = []
    for operation in official.operations().values():
        calls = [call for call in CALLS if call.operation == operation.id]
        asked = {name for call in calls for name in call.query}
        sent = {field for call in calls for field in _sent(call)}
        if not calls:
            forgotten.append(operation.id)
        forgotten += [f"{operation.id}?{name}" for name in operation.queries - asked]
        if operation.request is not None:
            fields = official.request_fields(operation.request)
            forgotten += [f"{operation.id}: {field}" for field in fields - sent]

    assert len(official.operations()) == 48
    assert sorted(forgotten) == []


def _sent(call: Call) -> Iterator[str]:
    yield from official.sent_fields(call.body)
    for name in call.form or ():
        yield name.partition("[")[0]
        yield name.replace("[", ".").replace("]", "")
