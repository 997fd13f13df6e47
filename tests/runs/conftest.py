"""Runs are asked for over HTTP, and driven by a worker with a scripted model."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import httpx2
import pytest
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.runs.models import RunStatus
from runtime.threads.models import Thread
from tests.engine.talk import Talk, begin
from tests.support.make import Make
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]
Hold = Callable[[Talk], Awaitable[str]]


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


@pytest.fixture
def hold(db: Database, make: Make) -> Hold:
    """Keeps a thread busy with a run that waits for its caller, until it is cancelled."""

    async def hold(on: Talk) -> str:
        async with db.transaction() as session:
            thread = await session.scalar(
                select(Thread).where(Thread.id == on.thread_id)
            )
            now = await session.database_now()
        run = await make.run(
            thread,
            status=RunStatus.REQUIRES_ACTION,
            expires_at=now + timedelta(minutes=10),
        )
        return run.id

    return hold
