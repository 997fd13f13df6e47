"""Claims in a database of their own, where no worker comes between."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from runtime.db.transaction import Database
from runtime.engine.claim import Claim, Claims
from runtime.events.bus import Bus
from runtime.files.storage import Storage
from runtime.gateway import Gateway
from runtime.projects.models import Project
from runtime.runs.models import Run, RunStatus
from tests.support import services
from tests.support.make import Make, new_project

Sent = list[Any]


@pytest.fixture(scope="module")
async def delivered() -> Sent:
    """What left after commits of this database."""
    return []


@pytest.fixture(scope="module")
async def quiet(delivered: Sent) -> AsyncIterator[Database]:
    url = services.clone_database(f"claims_{services.worker_name()}")

    async def deliver(outbox: list[Any]) -> None:
        delivered.extend(outbox)

    db = Database(url, pool_size=4, max_overflow=30, deliver=deliver)
    yield db
    await db.close()


@pytest.fixture(scope="module")
async def bus(redis_url: str) -> AsyncIterator[Bus]:
    """The test process' Redis. What is told in it of these runs, a test tells itself."""
    bus = Bus(redis_url)
    yield bus
    await bus.close()


@pytest.fixture
async def rows(
    quiet: Database, storage: Storage, gateway: Gateway
) -> AsyncIterator[Make]:
    """Makes runs; those that a test leaves behind are ended."""
    project, _ = await new_project(quiet)
    yield Make(quiet, project, storage, gateway.embedder)
    async with quiet.transaction() as session:
        await session.execute(
            update(Run)
            .where(Run.status == RunStatus.QUEUED)
            .values(status=RunStatus.CANCELLED, waits_for_thread=False)
        )
        await session.execute(
            update(Run)
            .where(Run.ended_at.is_(None), Run.status != RunStatus.CANCELLED)
            .values(status=RunStatus.EXPIRED, ended_at=func.now())
        )


def worker(db: Database, owner: str, *, lease_seconds: float = 30) -> Claims:
    return Claims(db, owner, lease_seconds=lease_seconds, max_attempts=3)


async def queue(make: Make, *, project: Project | None = None, **fields: Any) -> Run:
    """A run that waits to be claimed, on a thread of its own."""
    async with make.db.transaction() as session:
        now = await session.database_now()
    owner = {"project_id": project.id} if project else {}
    expiry = {"expires_at": now + timedelta(minutes=10)}
    thread = await make.thread(**owner)
    return await make.run(thread, **{**owner, **expiry, **fields})


async def row_of(db: Database, run: Run) -> Run:
    async with db.transaction() as session:
        return await session.get_one(Run, run.pk)


async def let_lease_end(db: Database, run: Run) -> None:
    async with db.transaction() as session:
        row = await session.get_one(Run, run.pk)
        row.lease_expires_at = await session.database_now() - timedelta(seconds=1)


async def taken(claims: Claims) -> Claim:
    claim = await claims.take()
    assert claim is not None
    return claim
