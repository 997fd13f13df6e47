"""Claims of files: one worker each, none stranded, nothing written by the dead."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from runtime.db.transaction import Database
from runtime.files.storage import Storage
from runtime.gateway import Gateway
from runtime.ingest.claim import ClaimLost, fail_lost, take, waiting_count
from runtime.ingest.pipeline import Ingest, ingest_waiting
from runtime.projects.models import Project
from runtime.vector_stores.models import (
    StoreFile,
    StoreFileStatus,
    StoreStats,
)
from runtime.vector_stores.removal import cancel_ingestion, remove_store_files
from tests.ingest.waiting import (
    OpenUpstream,
    chunks_of,
    claimed,
    hanging,
    let_lease_run_out,
    read,
    waiting_file,
)
from tests.support.make import Make, new_project
from tests.support.turns import Turn, embeds
from tests.support.upstream import Upstream


@pytest.mark.parametrize("end", [remove_store_files, cancel_ingestion])
async def test_a_file_taken_away_meanwhile_is_dropped_silently(
    embedding_upstream: OpenUpstream,
    upstream: Upstream,
    make: Make,
    db: Database,
    end: Callable[..., Any],
) -> None:
    model, asked = hanging(upstream)
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    row = await waiting_file(make, "Short.", store=store)
    ingest = dataclasses.replace(embedding_upstream(model), lease_seconds=0.6)
    working = asyncio.create_task(ingest_waiting(ingest))
    await asyncio.wait_for(asked.wait(), 10)

    # Longer than a lease: the heartbeat keeps the claim good.
    await asyncio.sleep(0.9)
    assert await waiting_count(db) == 0
    async with db.transaction() as session:
        await end(session, StoreFile.pk == row.pk)

    assert await asyncio.wait_for(working, 5) == 1
    assert await chunks_of(db, row) == []
    async with db.transaction() as session:
        left = await session.get(StoreFile, row.pk)
    assert left is None or left.status is StoreFileStatus.CANCELLED


async def test_a_worker_that_is_stopped_gives_its_file_back(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    model, asked = hanging(upstream)
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    row = await waiting_file(make, "Short.", store=store)
    working = asyncio.create_task(ingest_waiting(embedding_upstream(model)))
    await asyncio.wait_for(asked.wait(), 10)

    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working

    assert (await read(db, row)).lease_owner is None
    assert await waiting_count(db) == 1


async def test_a_worker_told_to_stop_begins_no_further_file(
    embedding_upstream: OpenUpstream, upstream: Upstream, make: Make, db: Database
) -> None:
    def embeds_and_stops(_: dict[str, Any]) -> Turn:
        ingest.stopping = True
        return embeds(dimensions=8)

    model = upstream.script(embeds_and_stops)
    store = await make.store(embedding_model=model, embedding_dimensions=0)
    rows = [await waiting_file(make, f"Note {n}.", store=store) for n in range(2)]
    ingest = embedding_upstream(model)

    assert await ingest_waiting(ingest) == 1
    assert await ingest_waiting(ingest) == 0

    statuses = {(await read(db, row)).status for row in rows}
    assert statuses == {StoreFileStatus.COMPLETED, StoreFileStatus.IN_PROGRESS}
    assert await waiting_count(db) == 1


async def test_a_worker_given_up_for_dead_can_write_no_more(
    ingest: Ingest, make: Make, db: Database
) -> None:
    row = await waiting_file(make)
    dead = await claimed(db)
    assert await take(db, "w", lease_seconds=60, max_attempts=5) is None
    await let_lease_run_out(db, dead)

    assert await waiting_count(db) == 1
    assert await ingest_waiting(ingest) == 1

    assert (await read(db, row)).attempt == 2
    with pytest.raises(ClaimLost):
        await dead.fail("server_error", "No.")
    with pytest.raises(ClaimLost):
        await dead.give_back()
    assert (await read(db, row)).status is StoreFileStatus.COMPLETED


async def test_a_file_that_costs_worker_after_worker_is_given_up(
    make: Make, db: Database, ingest: Ingest
) -> None:
    row = await waiting_file(make)
    for _ in range(2):
        await let_lease_run_out(db, await claimed(db, max_attempts=2))
    assert await take(db, "w", lease_seconds=60, max_attempts=2) is None

    assert await fail_lost(db, max_attempts=2) == 1
    assert await fail_lost(db, max_attempts=2) == 0

    failed = await read(db, row)
    assert (failed.status, failed.error_code) == ("failed", "server_error")
    assert "lost repeatedly" in (failed.error_message or "")


async def test_many_workers_take_each_file_once(
    ingest: Ingest, make: Make, db: Database
) -> None:
    store = await make.store()
    rows = [await waiting_file(make, f"Note {n}.", store=store) for n in range(8)]
    workers = [dataclasses.replace(ingest, owner=f"worker-{n}") for n in range(4)]

    counts = await asyncio.gather(*map(ingest_waiting, workers))

    assert sum(counts) == 8
    for row in rows:
        done = await read(db, row)
        assert (done.status, done.attempt) == (StoreFileStatus.COMPLETED, 1)
    async with db.transaction() as session:
        assert (await session.get_one(StoreStats, store.pk)).chunk_count == 8


async def test_a_project_with_one_file_does_not_wait_behind_one_with_many(
    ingest: Ingest, make: Make, db: Database, storage: Storage, gateway: Gateway
) -> None:
    for _ in range(4):
        await waiting_file(make, "Many.")
    other: Project = (await new_project(db))[0]
    theirs = Make(db, other, storage, gateway.embedder)
    await waiting_file(theirs, "One.")

    owners = [(await claimed(db)).store_file.project_id for _ in range(2)]

    assert set(owners) == {make.project.id, other.id}
