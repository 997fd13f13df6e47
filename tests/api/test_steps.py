"""`/threads/{thread_id}/runs/{run_id}/steps`: read only, in the order they were made."""

from collections.abc import Awaitable, Callable
from functools import partial

import httpx2
import pytest

from tests.engine.talk import ADD, Talk, begin, call
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


async def test_steps_show_what_a_run_did(talk: Begin) -> None:
    on = await talk(calls(("add", {"a": 1})), says("Two."), tools=[ADD])
    run = await on.run()
    await on.submit(run, "2")
    run = await on.settled(run["id"])

    first, second = await on.steps(run["id"])

    assert first["object"] == second["object"] == "thread.run.step"
    assert first["run_id"] == run["id"]
    assert first["thread_id"] == on.thread_id
    assert first["assistant_id"] == on.assistant_id
    (made,) = first["step_details"]["tool_calls"]
    assert made["function"] == {"name": "add", "arguments": '{"a": 1}', "output": "2"}
    assert first["completed_at"] <= second["completed_at"]
    assert (first["expired_at"], first["cancelled_at"], first["failed_at"]) == (
        None,
        None,
        None,
    )
    total = first["usage"]["total_tokens"] + second["usage"]["total_tokens"]
    assert run["usage"]["total_tokens"] == total
    one = await call(on.api, "GET", f"{on.path}/runs/{run['id']}/steps/{first['id']}")
    assert one == first


async def test_an_unknown_step_is_not_found(talk: Begin) -> None:
    on = await talk(says("Hi."), says("Ho."))
    run, other = await on.run(), await on.run()
    (step,) = await on.steps(run["id"])

    for path in (
        f"{on.path}/runs/{run['id']}/steps/step_none",
        f"{on.path}/runs/{other['id']}/steps/{step['id']}",
        f"{on.path}/runs/run_none/steps",
    ):
        response = await on.api.get(path)
        assert response.status_code == 404, path


async def test_include_takes_only_what_there_is(talk: Begin) -> None:
    on = await talk(says("Hi."))
    run = await on.run()

    response = await on.api.get(
        f"{on.path}/runs/{run['id']}/steps", params={"include[]": "everything"}
    )

    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith("include[]")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_steps_cannot_be_changed(talk: Begin, method: str) -> None:
    on = await talk(says("Hi."))
    run = await on.run()
    (step,) = await on.steps(run["id"])

    response = await on.api.request(
        method, f"{on.path}/runs/{run['id']}/steps/{step['id']}"
    )

    assert response.status_code == 405
