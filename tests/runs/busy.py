"""Runs asked for on a thread that may be busy."""

import asyncio
import time
from typing import Any

import httpx2
from sqlalchemy import Select, select

from runtime.db.transaction import Database
from runtime.runs.lifecycle import LIVE
from runtime.runs.models import Run
from runtime.threads.models import Thread
from tests.engine.talk import Talk
from tests.support.turns import says

Json = dict[str, Any]


async def ask(on: Talk, policy: str | None = None, **body: Any) -> httpx2.Response:
    wanted = {"busy_policy": policy} if policy else {}
    return await on.api.post(
        f"{on.path}/runs", json={"assistant_id": on.assistant_id, **wanted, **body}
    )


async def asked(on: Talk, policy: str, *says: str, **body: Any) -> Json:
    """A run that was taken in, with these messages of its own."""
    brought = [{"role": "user", "content": text} for text in says]
    response = await ask(on, policy, additional_messages=brought, **body)
    assert response.status_code == 200, response.text
    run: Json = response.json()
    return run


def echo(request: Json) -> Any:
    """A model that repeats the last thing it was told."""
    return says(f"You said {request['messages'][-1]['content']}")


async def speaks(on: Talk, run: Json, *, seconds: float = 20) -> None:
    """Wait until a model was asked for a run: the next one gets its script's next turn."""
    await on.until(run["id"], "in_progress")
    deadline = time.monotonic() + seconds
    while not on.requests:
        assert time.monotonic() < deadline, "the model was never asked"
        await asyncio.sleep(0.02)


async def is_idle(on: Talk, db: Database) -> None:
    """Nothing is live on the thread, nobody waits for it, and it takes a message."""
    assert (await on.say("Anybody there?")).status_code == 200
    async with db.transaction() as session:
        thread = await session.scalar(select(Thread).where(Thread.id == on.thread_id))
        assert thread is not None
        assert thread.active_run_id is None
        waiting = await session.scalars(
            select(Run.id).where(Run.thread_pk == thread.pk, Run.waits_for_thread)
        )
        assert list(waiting) == []


async def all_ended(on: Talk, db: Database, *, seconds: float = 20) -> None:
    """Wait until no run of a thread, deleted or not, is live."""
    live = select(Run.id).where(Run.thread_id == on.thread_id, Run.status.in_(LIVE))
    deadline = time.monotonic() + seconds
    while found := await _ids(db, live):
        assert time.monotonic() < deadline, f"{found} are live for ever"
        await asyncio.sleep(0.05)


async def _ids(db: Database, query: Select[Any]) -> list[str]:
    async with db.transaction() as session:
        return list(await session.scalars(query))
