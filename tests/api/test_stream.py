"""Following runs: from the start, again after a break, from anywhere, together."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.engine.talk import ADD, Talk, begin
from tests.support.stream import Sent, named, names, open_stream, read_stream, text_of
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]
LONG = says(" ".join(f"w{n}" for n in range(40)), chunk_delay_seconds=0.03)


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


def resumed(on: Talk, run_id: str, **more: Any) -> Awaitable[list[Sent]]:
    return read_stream(on.api, "GET", f"{on.path}/runs/{run_id}/stream", **more)


async def left_early(on: Talk, after_deltas: int) -> list[Sent]:
    """What a follower holds who leaves in the middle of an answer."""
    held: list[Sent] = []
    async with on.streaming() as events:
        async for event in events:
            held.append(event)
            if len(named(held, "thread.message.delta")) == after_deltas:
                break
    return held


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_follower_comes_back_without_a_gap_or_a_repeat(
    talk: Begin, how: str
) -> None:
    on = await talk(LONG)
    held = await left_early(on, 3)
    run_id, last = held[0].data["id"], str(held[-1].id)

    where: dict[str, Any] = (
        {"headers": {"last-event-id": last}}
        if how == "header"
        else {"params": {"after": last}}
    )
    rest = await resumed(on, run_id, **where)

    together = [*held, *rest]
    numbers = [event.id or 0 for event in together[:-1]]
    assert numbers == sorted(set(numbers))
    (text,) = text_of(together).values()
    assert text == " ".join(f"w{n}" for n in range(40))
    # Leaving did not touch the run.
    assert (await on.get(run_id))["status"] == "completed"
    assert names(together)[-3:] == [
        "thread.run.step.completed",
        "thread.run.completed",
        "done",
    ]


async def test_a_follower_who_leaves_and_returns_at_once_misses_nothing(
    talk: Begin,
) -> None:
    on = await talk(LONG)
    held = await left_early(on, 2)
    run_id = held[0].data["id"]

    # Over and over, each time from an earlier place than was read already.
    for _ in range(8):
        async with open_stream(
            on.api,
            "GET",
            f"{on.path}/runs/{run_id}/stream",
            params={"after": held[-1].id},
        ) as events:
            async for event in events:
                held.append(event)
                if event.name in ("thread.message.delta", "done"):
                    break
        if held[-1].name == "done":
            break
    else:
        held += await resumed(on, run_id, params={"after": held[-1].id})

    numbers = [event.id or 0 for event in held[:-1]]
    assert numbers == sorted(set(numbers))
    (text,) = text_of(held).values()
    assert text == " ".join(f"w{n}" for n in range(40))


async def test_a_late_follower_hears_all_from_the_beginning(talk: Begin) -> None:
    on = await talk(says("Hello there."))
    run = await on.run()

    events = await resumed(on, run["id"])

    assert names(events)[0] == "thread.run.created"
    assert names(events)[-2:] == ["thread.run.completed", "done"]
    assert list(text_of(events).values()) == ["Hello there."]


async def test_a_pause_that_is_over_does_not_end_a_late_followers_stream(
    talk: Begin,
) -> None:
    on = await talk(calls(("add", {"a": 1, "b": 2})), says("Three."), tools=[ADD])
    run = await on.run()
    waiting = await resumed(on, run["id"])
    assert names(waiting)[-2:] == ["thread.run.requires_action", "done"]
    await on.submit(run, "3")
    await on.until(run["id"], "completed")

    events = await resumed(on, run["id"])

    assert "thread.run.requires_action" in names(events)
    assert names(events)[-2:] == ["thread.run.completed", "done"]


async def test_who_heard_the_end_is_told_only_done(talk: Begin) -> None:
    on = await talk(says("Hello."))
    events = await on.stream()
    run_id, last = events[0].data["id"], events[-2].id

    assert names(await resumed(on, run_id, params={"after": last})) == ["done"]


async def test_many_followers_hear_the_same(talk: Begin) -> None:
    on = await talk(LONG)
    run = await on.create()

    async def join_later(seconds: float) -> list[Sent]:
        await asyncio.sleep(seconds)
        return await resumed(on, run["id"])

    heard = await asyncio.gather(*(join_later(n * 0.1) for n in range(12)))

    assert all(events == heard[0] for events in heard)


async def test_a_follower_of_a_paused_run_waits_for_its_caller(talk: Begin) -> None:
    on = await talk(calls(("add", {"a": 1})), says("Done."), tools=[ADD])
    first = await on.stream()
    paused = first[-2]
    waiting = asyncio.ensure_future(
        resumed(on, paused.data["id"], params={"after": paused.id})
    )
    await asyncio.sleep(1.5)
    assert not waiting.done()

    assert (await on.submit(paused.data, "1")).status_code == 200

    events = await asyncio.wait_for(waiting, 20)
    assert names(events)[:3] == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert names(events)[-2:] == ["thread.run.completed", "done"]


@pytest.mark.parametrize("place", ["x", "-1", "1" * 19, "1.5", "²"])
async def test_a_place_that_is_no_number_is_refused(talk: Begin, place: str) -> None:
    on = await talk(says("Hello."))
    run = await on.run()
    url = f"{on.path}/runs/{run['id']}/stream"

    by_header = await on.api.get(
        url, headers=[(b"last-event-id", place.encode("latin-1"))]
    )
    by_query = await on.api.get(url, params={"after": place})

    assert (by_header.status_code, by_query.status_code) == (400, 400)
    assert by_query.json()["error"]["type"] == "invalid_request_error"


async def test_what_is_refused_before_a_stream_begins_is_plain_json(
    talk: Begin,
) -> None:
    on = await talk(says("Hello."))

    response = await on.api.post(
        f"{on.path}/runs", json={"assistant_id": "asst_none", "stream": True}
    )

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]["code"] == "not_found"
