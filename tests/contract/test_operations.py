"""Each of the 48 operations does what it is asked, and answers what the document says."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.contract import official, spec
from tests.contract.calls import CALLS, Call
from tests.contract.requests import filled, request_of
from tests.contract.world import World, make_world
from tests.support.make import Make

pytestmark = spec.needs_document


# Told in a request otherwise than in the object that comes of it.
_SHOWN_OTHERWISE = {"content", "tool_resources", "instructions", "chunking_strategy"}


@pytest.fixture
async def world(make: Make, api: httpx2.AsyncClient) -> World:
    return await make_world(make, api)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.operation)
async def test_an_operation_answers_what_the_document_says(
    api: httpx2.AsyncClient, world: World, call: Call
) -> None:
    response = await api.request(**request_of(call, world))

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
