"""A runtime whose parts a test may kill, and who follows its runs meanwhile."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.local import redis
from runtime.runs.models import Run
from tests.engine.talk import Talk, answers, begin, open_calls, text
from tests.support.make import new_project
from tests.support.stack import Stack
from tests.support.stream import Sent, events_of, named, text_of
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
