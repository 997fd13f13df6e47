"""Runs that are really driven: each event, and each object they leave, by the document."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.contract import official, spec
from tests.contract.bodies import CONTENT
from tests.engine.talk import ADD, LIVE, Talk, answers, begin
from tests.support.make import Make
from tests.support.stream import Sent, named, names, read_stream
from tests.support.turns import Answers, calls, fails, hangs, says
from tests.support.upstream import Upstream

pytestmark = spec.needs_document

Begin = Callable[..., Awaitable[Talk]]


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


def checked(events: list[Sent]) -> list[Sent]:
    """The events, each of them what the document says of its name."""
    for event in events:
        official.check_event(event.name, event.data)
    return events


async def check_left(on: Talk, run_id: str) -> dict[str, Any]:
    """Check everything that a run has left on its thread; the run."""
    for path in ("messages", "runs", f"runs/{run_id}/steps"):
        official.check_answer(
            await on.api.get(f"{on.path}/{path}", params={"limit": 100})
        )
    path = f"{on.path}/runs/{run_id}/steps"
    official.check_answer(await on.api.get(path, params={"include[]": CONTENT}))
    run: dict[str, Any] = official.check_answer(
        await on.api.get(f"{on.path}/runs/{run_id}")
    )
    return run


async def test_a_run_that_answers(talk: Begin) -> None:
    on = await talk(says("Hello there."))

    events = checked(await on.stream())

    assert names(events)[-2:] == ["thread.run.completed", "done"]
    assert (await check_left(on, events[0].data["id"]))["status"] == "completed"


async def test_a_run_that_calls_a_function_and_goes_on(talk: Begin) -> None:
    on = await talk(
        calls(("add", {"a": 1}), ("add", {"a": 2})), says("Three."), tools=[ADD]
    )

    asked = checked(await on.stream())
    (run,) = named(asked, "thread.run.requires_action")
    await check_left(on, run["id"])
    told = checked(
        await read_stream(
            on.api,
            "POST",
            f"{on.path}/runs/{run['id']}/submit_tool_outputs",
            json={"tool_outputs": answers(run, "1", "2"), "stream": True},
        )
    )

    assert names(told)[-2:] == ["thread.run.completed", "done"]
    await check_left(on, run["id"])


async def test_a_thread_and_its_run_in_one_stream(talk: Begin) -> None:
    on = await talk(says("Hello."))

    events = checked(
        await read_stream(
            on.api,
            "POST",
            "/threads/runs",
            json={"assistant_id": on.assistant_id, "stream": True},
        )
    )

    assert events[0].name == "thread.created"


def _cites(body: dict[str, Any]) -> Answers:
    found = body["messages"][-1]["content"]
    return says(f"Basalt{found[: found.index('】') + 1]}.", pieces=12)


async def test_a_run_that_searches_and_cites(talk: Begin, make: Make) -> None:
    store = await make.store()
    await make.store_file(store, "The moon is made of basalt.")
    on = await talk(
        calls(("file_search", {"query": "moon"})),
        _cites,
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )

    events = checked(
        await read_stream(
            on.api,
            "POST",
            f"{on.path}/runs",
            params={"include[]": CONTENT},
            json={"assistant_id": on.assistant_id, "stream": True},
        )
    )

    (message,) = named(events, "thread.message.completed")
    assert message["content"][0]["text"]["annotations"]
    await check_left(on, events[0].data["id"])


@pytest.mark.docker
@pytest.mark.usefixtures("sandbox")
@pytest.mark.xdist_group("sandbox")
async def test_a_run_whose_code_prints_draws_and_writes(talk: Begin) -> None:
    code = (
        "import matplotlib.pyplot as plt\n"
        "print(1)\n"
        "open('/mnt/data/a.txt', 'w').write('3')\n"
        "plt.plot([1, 2])\n"
        "plt.show()\n"
    )
    on = await talk(
        calls(("code_interpreter", {"code": code})),
        says("See [a](sandbox:/mnt/data/a.txt)."),
        tools=[{"type": "code_interpreter"}],
    )

    events = checked(await on.stream())

    (step,) = [
        step
        for step in named(events, "thread.run.step.completed")
        if step["type"] == "tool_calls"
    ]
    outputs = step["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"]
    assert {output["type"] for output in outputs} == {"logs", "image"}
    (message,) = named(events, "thread.message.completed")
    await check_left(on, events[0].data["id"])
    assert [part["type"] for part in message["content"]].count("text") == 1


async def test_a_run_that_fails(talk: Begin) -> None:
    on = await talk(fails(400, message="No."))

    events = checked(await on.stream())

    assert names(events)[-2:] == ["thread.run.failed", "done"]
    run = await check_left(on, events[0].data["id"])
    assert run["last_error"]["code"] in {"server_error", "invalid_prompt"}


async def test_a_run_that_is_cut_short(talk: Begin) -> None:
    on = await talk(says("One two three", finish_reason="length"))

    events = checked(await on.stream(max_completion_tokens=256))

    assert names(events)[-2:] == ["thread.run.incomplete", "done"]
    run = await check_left(on, events[0].data["id"])
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}


async def test_a_run_that_is_cancelled_while_it_speaks(talk: Begin) -> None:
    on = await talk(hangs(after=2))
    run = await on.create()
    await on.until(run["id"], "in_progress")

    response = await on.cancel(run["id"])

    assert official.check_answer(response)["status"] in ("cancelling", "cancelled")
    ended = await on.settled(run["id"])
    assert ended["status"] == "cancelled"
    await check_left(on, run["id"])


async def test_an_object_that_is_polled_says_when_to_come_back(talk: Begin) -> None:
    on = await talk(hangs(after=1))
    run = await on.create()

    response = await on.api.get(f"{on.path}/runs/{run['id']}")

    assert response.json()["status"] in LIVE
    assert 0 < int(response.headers["openai-poll-after-ms"]) <= 1000
    await on.cancel(run["id"])
    await on.settled(run["id"])
    over = await on.api.get(f"{on.path}/runs/{run['id']}")
    assert "openai-poll-after-ms" not in over.headers
