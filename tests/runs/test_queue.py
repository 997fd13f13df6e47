"""A run may wait for its thread: `busy_policy: queue`."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.runs.models import RunStatus
from runtime.runs.waiting import MOST_WAITING
from runtime.threads.models import Thread
from tests.engine.shapes import PLAIN
from tests.engine.talk import ADD, call
from tests.runs.busy import ask, asked, echo
from tests.runs.conftest import Begin, Hold
from tests.support.make import Make
from tests.support.stream import Sent, names, read_stream
from tests.support.turns import calls, fails, says


async def test_a_run_that_is_let_in_has_ten_minutes_from_then(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(calls(("add", {})), tools=[ADD])
    held = await hold(on)
    run = await asked(on, "queue")
    await asyncio.sleep(1.2)

    await on.cancel(held)

    run = await on.until(run["id"], "requires_action")
    assert run["expires_at"] > run["created_at"] + 600
    await on.cancel(run["id"])


async def test_on_an_idle_thread_a_policy_changes_nothing(talk: Begin) -> None:
    on = await talk(echo, repeat=True)

    for policy in ("reject", "queue", "replace"):
        run = await asked(on, policy, f"By {policy}.")
        assert run["expires_at"] == run["created_at"] + 600
        # Its messages are there before anybody works on it.
        assert f"By {policy}." in await on.texts()
        assert (await on.settled(run["id"]))["status"] == "completed"
    assert len(await on.messages()) == 7


@pytest.mark.parametrize("policy", [None, "reject"])
async def test_who_does_not_ask_to_wait_is_refused_though_others_wait(
    talk: Begin, hold: Hold, policy: str | None
) -> None:
    on = await talk(says("Hi."))
    held = await hold(on)
    waits = await asked(on, "queue")

    refused = await ask(on, policy)
    spelt = await ask(on, None, busy_policy=None)
    said = await on.say("May I?")

    for response in (refused, spelt, said):
        assert response.status_code == 400
        assert held in response.json()["error"]["message"]
    assert (await on.get(waits["id"]))["status"] == "queued"


async def test_a_run_that_waits_is_listed_changed_and_takes_no_outputs(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Hi."))
    held = await hold(on)
    run = await asked(on, "queue", metadata={"of": "mine"})

    page = await call(on.api, "GET", f"{on.path}/runs")
    changed = await call(
        on.api, "POST", f"{on.path}/runs/{run['id']}", json={"metadata": {"a": "b"}}
    )
    submitted = await on.api.post(
        f"{on.path}/runs/{run['id']}/submit_tool_outputs", json={"tool_outputs": []}
    )

    assert [listed["id"] for listed in page["data"]] == [run["id"], held]
    assert (changed["metadata"], changed["status"]) == ({"a": "b"}, "queued")
    assert submitted.status_code == 400
    assert "queued" in submitted.json()["error"]["message"]
    assert await on.steps(run["id"]) == []


async def test_a_run_waits_while_the_one_before_it_wants_outputs(talk: Begin) -> None:
    on = await talk(
        calls(("add", {"a": 1})), says("Two."), says("And that."), tools=[ADD]
    )
    first = await on.run()
    second = await asked(on, "queue", "And then?")

    await asyncio.sleep(1.2)  # long enough for a sweep or two
    assert (await on.get(second["id"]))["status"] == "queued"
    assert (await on.submit(first, "2")).status_code == 200

    assert (await on.settled(second["id"]))["status"] == "completed"
    assert (await on.get(first["id"]))["status"] == "completed"
    assert await on.texts() == ["Hello.", "Two.", "And then?", "And that."]


@pytest.mark.parametrize(
    ("turn", "ends"),
    [
        (says("Done."), "completed"),
        (says("Too lo", finish_reason="length"), "incomplete"),
        (fails(400, message="no such thing"), "failed"),
    ],
    ids=["completed", "incomplete", "failed"],
)
async def test_however_a_run_ends_the_next_is_let_in(
    talk: Begin, turn: Any, ends: str
) -> None:
    on = await talk(turn, says("Mine."))
    first = await asked(on, "queue")

    second = await asked(on, "queue", "Next.")

    assert (await on.settled(second["id"]))["status"] == "completed"
    assert (await on.get(first["id"]))["status"] == ends
    assert (await on.texts())[-2:] == ["Next.", "Mine."]


async def test_a_run_that_expires_lets_in_the_next(
    talk: Begin, db: Database, make: Make
) -> None:
    on = await talk(says("Mine."))
    async with db.transaction() as session:
        thread = await session.scalar(select(Thread).where(Thread.id == on.thread_id))
        now = await session.database_now()
    held = await make.run(
        thread,
        status=RunStatus.REQUIRES_ACTION,
        expires_at=now + timedelta(seconds=1),
    )

    run = await asked(on, "queue")

    assert (await on.settled(run["id"]))["status"] == "completed"
    assert (await on.get(held.id))["status"] == "expired"


async def test_a_waiting_run_is_followed_from_its_creation_to_its_end(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Mine."))
    held = await hold(on)
    heard: list[Sent] = []
    queued = asyncio.Event()

    async def follow() -> None:
        async with on.streaming(busy_policy="queue") as stream:
            async for event in stream:
                heard.append(event)
                if event.name == "thread.run.queued":
                    queued.set()

    follower = asyncio.create_task(follow())
    await asyncio.wait_for(queued.wait(), 10)
    path = f"{on.path}/runs/{heard[0].data['id']}/stream"
    late = asyncio.create_task(read_stream(on.api, "GET", path))
    await asyncio.sleep(0.5)
    assert names(heard) == ["thread.run.created", "thread.run.queued"]
    await on.cancel(held)

    await asyncio.wait_for(follower, 20)
    assert names(heard) == PLAIN
    assert await asyncio.wait_for(late, 10) == heard


async def test_deleting_the_thread_ends_what_waits_for_it(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Never."))
    await hold(on)

    waiting = [await asked(on, "queue") for _ in range(2)]
    followers = [
        asyncio.create_task(
            read_stream(on.api, "GET", f"{on.path}/runs/{run['id']}/stream")
        )
        for run in waiting
    ]
    await asyncio.sleep(0.2)

    assert (await on.api.delete(on.path)).status_code == 200

    for follower in followers:
        events = await asyncio.wait_for(follower, 10)
        assert names(events)[-2:] == ["thread.run.cancelled", "done"]
    assert on.requests == []


async def test_so_many_may_wait_for_one_thread_and_no_more(
    talk: Begin, hold: Hold
) -> None:
    on = await talk(says("Never."))
    await hold(on)
    responses = await asyncio.gather(
        *(ask(on, "queue") for _ in range(MOST_WAITING + 3))
    )

    refused = [r for r in responses if r.status_code != 200]

    assert len(refused) == 3
    for response in refused:
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0
        assert response.json()["error"]["type"] == "rate_limit_error"
    # There is room again once all of them made way.
    assert (await ask(on, "replace")).status_code == 200


@pytest.mark.parametrize("policy", ["wait", "", "QUEUE", 1, ["queue"]])
async def test_a_policy_that_is_none_is_refused_and_named(
    talk: Begin, policy: Any
) -> None:
    on = await talk(says("Hi."))

    response = await ask(on, None, busy_policy=policy)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "busy_policy"


async def test_a_thread_that_is_made_with_its_run_is_never_busy(talk: Begin) -> None:
    on = await talk(says("Hi."))

    response = await on.api.post(
        "/threads/runs",
        json={"assistant_id": on.assistant_id, "busy_policy": "queue"},
    )

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "busy_policy"


async def test_another_projects_thread_cannot_be_waited_for_or_taken(
    talk: Begin, hold: Hold, stranger: httpx2.AsyncClient
) -> None:
    on = await talk(says("Hi."))
    held = await hold(on)
    theirs = await call(stranger, "POST", "/assistants", json={"model": "builtin"})

    for policy in ("queue", "replace"):
        response = await stranger.post(
            f"{on.path}/runs",
            json={"assistant_id": theirs["id"], "busy_policy": policy},
        )
        assert response.status_code == 404
    assert (await on.get(held))["status"] == "requires_action"


async def test_the_official_sdk_asks_by_extra_body_and_polls_to_the_end(
    talk: Begin, openai: AsyncOpenAI
) -> None:
    on = await talk(says("one two three", chunk_delay_seconds=0.2), says("Mine."))
    runs = openai.beta.threads.runs
    with pytest.deprecated_call():
        first = await runs.create(on.thread_id, assistant_id=on.assistant_id)
        second = await runs.create_and_poll(
            thread_id=on.thread_id,
            assistant_id=on.assistant_id,
            extra_body={"busy_policy": "queue"},
        )

    assert second.status == "completed"
    assert (await on.get(first.id))["status"] == "completed"
