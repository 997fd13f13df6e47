"""Workers, Redis and Postgres die in the middle of runs; no run and no word is lost.

Each test has processes of its own, so that it may kill them.
"""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from runtime.db.migrate import upgrade
from runtime.db.transaction import Database
from runtime.local import postgres, redis
from runtime.runs.models import Run
from tests.engine.talk import ADD, Talk, answers, begin, open_calls, text
from tests.support import services
from tests.support.make import new_project
from tests.support.stack import Stack
from tests.support.stream import Sent, events_of, named, names, text_of
from tests.support.turns import Answers, calls, says
from tests.support.upstream import Upstream

TIMES = {
    "ASSISTANTS_LEASE_SECONDS": "2",
    "ASSISTANTS_HEARTBEAT_SECONDS": "0.5",
    "ASSISTANTS_SWEEP_SECONDS": "0.5",
    "ASSISTANTS_SHUTDOWN_SECONDS": "1",
    "ASSISTANTS_RUN_CONCURRENCY": "40",
    "ASSISTANTS_SANDBOX": "off",
}
ANSWER = "The answer is " + " ".join(str(n) for n in range(40))


@dataclass
class House:
    """A runtime whose parts a test may end."""

    stack: Stack
    db: Database
    upstream: Upstream
    api: httpx2.AsyncClient
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_worker(self, name: str) -> None:
        self.workers[name] = self.stack.start_worker("runs", name)

    async def end_worker(self, name: str, number: signal.Signals) -> None:
        """Send a worker a signal, and wait until it is gone."""
        worker = self.workers.pop(name)
        self.stack.forget(worker)
        worker.send_signal(number)
        await asyncio.to_thread(worker.wait, 20)

    async def holds(self, name: str, on: Talk) -> bool:
        """Whether a worker holds the run of that thread now."""
        query = select(Run.lease_owner).where(Run.thread_id == on.thread_id)
        async with self.db.transaction() as session:
            owner = await session.scalar(query) or ""
        return f"-{self.workers[name].pid}-" in owner

    async def begin(self, *turns: Any, **assistant: Any) -> Talk:
        return await begin(self.api, self.upstream, *turns, **assistant)


@contextlib.asynccontextmanager
async def open_house(
    upstream: Upstream, *, database_url: str, redis_url: str
) -> AsyncIterator[House]:
    async with AsyncExitStack() as undo:
        stack = Stack(
            database_url=database_url,
            redis_url=redis_url,
            upstream_url=upstream.base_url,
            environment=TIMES,
        )
        undo.callback(stack.stop)
        db = Database(database_url, pool_size=1)
        undo.push_async_callback(db.close)
        _, key = await new_project(db)
        url = await asyncio.to_thread(stack.start_api)
        api = httpx2.AsyncClient(
            base_url=f"{url}/v1",
            headers={"authorization": f"Bearer {key}"},
            timeout=60,
            limits=httpx2.Limits(max_connections=100),
        )
        await undo.enter_async_context(api)
        yield House(stack, db, upstream, api)


@dataclass
class OwnRedis:
    """A Redis that may be killed; it comes back with nothing."""

    socket_path: Path
    server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    def start(self) -> None:
        self.server = subprocess.Popen(
            redis.command(self.socket_path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not redis.is_ready(self.socket_path):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis.sock")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def house(upstream: Upstream, own_redis: OwnRedis) -> AsyncIterator[House]:
    name = f"house_{services.worker_name()}"
    url = services.clone_database(name)
    async with open_house(upstream, database_url=url, redis_url=own_redis.url) as it:
        yield it


def add_then_answer(body: dict[str, Any]) -> Answers:
    """A model that wants a sum and then speaks for two seconds."""
    if body["messages"][-1]["role"] == "tool":
        return says(ANSWER, chunk_delay_seconds=0.05)
    return calls(("add", {"a": 1}), delay_seconds=0.3)


class Follower:
    """Creates a run, does what it asks for, and follows it until it is over."""

    def __init__(self, on: Talk, did: Counter[str] | None = None) -> None:
        self.on = on
        self.told: list[Sent] = []
        self._did: Counter[str] = Counter() if did is None else did
        self._task = asyncio.create_task(self._follow())

    async def end(self) -> list[Sent]:
        """All events, once the run is over."""
        return await asyncio.wait_for(self._task, 40)

    async def hears(self, name: str, times: int = 1) -> None:
        """Wait until events of that name have come so often."""
        async with asyncio.timeout(20):
            while len(named(self.told, name)) < times:  # noqa: ASYNC110 - no event to wait for: a list grows
                await asyncio.sleep(0.02)

    async def _follow(self) -> list[Sent]:
        on = self.on
        path = f"{on.path}/runs"
        body = {"assistant_id": on.assistant_id, "stream": True}
        while True:
            await self._read(path, body)
            assert self.told[-1].name == "done"
            run = self.told[-2].data
            if run["status"] != "requires_action":
                return self.told
            self._did.update(made["id"] for made in open_calls(run))
            path = f"{on.path}/runs/{run['id']}/submit_tool_outputs"
            body = {"tool_outputs": answers(run, "2"), "stream": True}

    async def _read(self, path: str, body: dict[str, Any]) -> None:
        for _ in range(20):
            async with self.on.api.stream("POST", path, json=body) as response:
                if response.status_code != 503:
                    assert response.status_code == 200, await response.aread()
                    async for event in events_of(response):
                        self.told.append(event)
                    return
            # As the official client does: nothing was done, so ask again.
            await asyncio.sleep(float(response.headers["retry-after"]))
        raise AssertionError("503 for too long")


async def check_whole(on: Talk, events: list[Sent], *, answer: str = ANSWER) -> None:
    """One final message, told whole; each abandoned one told as such, and shown."""
    run = events[-2].data
    assert run["status"] == "completed", run
    held = text_of(events)
    stored = {m["id"]: m for m in await on.messages(run_id=run["id"])}
    whole = [m for m in stored.values() if m["status"] == "completed"]
    assert [text(m) for m in whole] == [answer]
    (completed,) = named(events, "thread.message.completed")
    assert completed == whole[0]
    assert held.get(completed["id"], answer) == answer
    abandoned = {m["id"] for m in named(events, "thread.message.incomplete")}
    assert set(held) - {completed["id"]} == abandoned
    for message_id in abandoned:
        assert stored[message_id]["status"] == "incomplete"
        assert text(stored[message_id]) == held[message_id]
    numbers = [event.id for event in events if event.id is not None]
    assert numbers == sorted(set(numbers))


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
