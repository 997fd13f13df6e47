"""Workers, Redis and Postgres die in the middle of runs; no run and no word is lost.

Each test has processes of its own, so that it may kill them.
"""

import asyncio
import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from runtime.db.migrate import upgrade
from runtime.local import postgres
from tests.engine.talk import ADD, text
from tests.stories.house import (
    ANSWER,
    Follower,
    House,
    OwnRedis,
    add_then_answer,
    check_whole,
    open_house,
)
from tests.support.stream import named, names
from tests.support.turns import says
from tests.support.upstream import Upstream


async def test_runs_outlive_their_workers(house: House) -> None:
    for name in ("first", "second"):
        house.start_worker(name)
    did: Counter[str] = Counter()
    talks = [
        await house.begin(add_then_answer, repeat=True, tools=[ADD]) for _ in range(20)
    ]
    followers = [Follower(on, did) for on in talks]

    await followers[0].hears("thread.message.delta")
    await house.end_worker("first", signal.SIGKILL)
    await asyncio.to_thread(house.start_worker, "third")
    await house.end_worker("second", signal.SIGKILL)
    streams = [await follower.end() for follower in followers]

    for on, events in zip(talks, streams, strict=True):
        await check_whole(on, events)
    # Each function was called once: a stored call is never made again.
    assert len(did) == 20
    assert set(did.values()) == {1}
    # Somebody was cut off in the middle, or this test tried nothing.
    assert any(named(events, "thread.message.incomplete") for events in streams)


async def test_a_worker_that_is_told_to_end_hands_its_runs_back(house: House) -> None:
    house.start_worker("first")
    on = await house.begin(says(ANSWER, chunk_delay_seconds=0.1), says("Short."))
    follower = Follower(on)
    await follower.hears("thread.message.delta")

    await house.end_worker("first", signal.SIGTERM)
    (run,) = (await on.api.get(f"{on.path}/runs")).json()["data"]
    assert run["status"] == "queued"
    await asyncio.to_thread(house.start_worker, "second")
    events = await follower.end()

    await check_whole(on, events, answer="Short.")
    told = names(events)
    at = told.index("thread.message.incomplete")
    assert told[at : at + 4] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.queued",
        "thread.run.in_progress",
    ]


async def test_a_worker_that_is_told_to_end_finishes_what_is_nearly_done(
    house: House,
) -> None:
    house.start_worker("first")
    on = await house.begin(says("one two three", chunk_delay_seconds=0.1))
    follower = Follower(on)
    await follower.hears("thread.message.delta")

    await house.end_worker("first", signal.SIGTERM)
    events = await follower.end()

    await check_whole(on, events, answer="one two three")
    assert "thread.message.incomplete" not in names(events)


async def test_two_workers_lost_in_one_run_leave_no_message_open(house: House) -> None:
    slow = says(ANSWER, chunk_delay_seconds=0.1)
    on = await house.begin(slow, slow, says("At last."))
    house.start_worker("first")
    house.start_worker("second")
    follower = Follower(on)

    for lost in (1, 2):
        await follower.hears("thread.message.created", times=lost)
        (holder,) = [name for name in house.workers if await house.holds(name, on)]
        await house.end_worker(holder, signal.SIGKILL)
    await asyncio.to_thread(house.start_worker, "third")
    events = await follower.end()

    await check_whole(on, events, answer="At last.")
    assert len(named(events, "thread.message.incomplete")) == 2


async def test_runs_outlive_a_redis_that_comes_back_empty(
    house: House, own_redis: OwnRedis
) -> None:
    house.start_worker("first")
    did: Counter[str] = Counter()
    talks = [
        await house.begin(add_then_answer, repeat=True, tools=[ADD]) for _ in range(8)
    ]
    followers = [Follower(on, did) for on in talks]
    await followers[0].hears("thread.message.delta")

    own_redis.kill()
    late = await house.begin(says(ANSWER))
    followers.append(Follower(late, did))
    await asyncio.sleep(1.0)
    await asyncio.to_thread(own_redis.start)
    streams = [await follower.end() for follower in followers]

    assert set(did.values()) == {1}
    for on, events in zip([*talks, late], streams, strict=True):
        run = events[-2].data
        assert run["status"] == "completed"
        (message,) = await on.messages(run_id=run["id"])
        assert text(message) == ANSWER
        # Deltas were lost with Redis; what they led to was not.
        assert named(events, "thread.message.completed") == [message]


async def test_a_dead_redis_holds_up_no_request(
    house: House, own_redis: OwnRedis
) -> None:
    house.start_worker("first")
    own_redis.kill()
    on = await house.begin(says("Without bells."))

    began = time.monotonic()
    created = await on.create()

    assert time.monotonic() - began < 2
    own_redis.start()
    assert (await on.settled(created["id"]))["status"] == "completed"


async def test_runs_outlive_a_restart_of_postgres(
    upstream: Upstream, own_redis: OwnRedis, tmp_path: Path
) -> None:
    cluster = postgres.Cluster(
        data_dir=tmp_path / "postgres", socket_dir=tmp_path / "pg", durable=False
    )
    with ExitStack() as running:
        await asyncio.to_thread(running.enter_context, postgres.running(cluster))
        await asyncio.to_thread(upgrade, cluster.url())
        async with open_house(
            upstream, database_url=cluster.url(), redis_url=own_redis.url
        ) as house:
            house.start_worker("first")
            did: Counter[str] = Counter()
            talks = [
                await house.begin(add_then_answer, repeat=True, tools=[ADD])
                for _ in range(8)
            ]
            followers = [Follower(on, did) for on in talks]
            await followers[0].hears("thread.message.delta")

            await asyncio.to_thread(running.close)
            await asyncio.to_thread(running.enter_context, postgres.running(cluster))
            streams = [await follower.end() for follower in followers]

            for on, events in zip(talks, streams, strict=True):
                await check_whole(on, events)
            assert set(did.values()) == {1}
