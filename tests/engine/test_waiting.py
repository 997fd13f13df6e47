"""Runs that wait for their thread: not claimed, not rung for, let in exactly once.

In a database of their own, where no worker comes between.
"""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from runtime import jobs
from runtime.db.transaction import Database
from runtime.engine.claim import ClaimLost
from runtime.engine.entry import MessagesRefused, bring_messages
from runtime.engine.record import Record
from runtime.engine.sweep import sweep
from runtime.engine.turn import Turn
from runtime.events.bus import Bus
from runtime.gateway import Gateway
from runtime.runs.models import Run, RunStatus
from runtime.runs.service import count_live
from runtime.runs.waiting import keep_messages
from runtime.threads.models import Item, Thread
from runtime.wire.messages import CreateMessageRequest
from tests.engine.quiet import Sent, let_lease_end, queue, row_of, taken, worker
from tests.support.make import Make


async def wait_behind(make: Make, run: Run, *texts: str, **fields: Any) -> Run:
    """A run that waits for the thread of `run`, and brings these messages."""
    async with make.db.transaction() as session:
        thread = await session.get_one(Thread, run.thread_pk)
    waits = await make.run(thread, waits_for_thread=True, run_seconds=600, **fields)
    if texts:
        async with make.db.transaction() as session:
            row = await session.get_one(Run, waits.pk)
            keep_messages(
                row, [CreateMessageRequest(role="user", content=t) for t in texts]
            )
    return waits


async def tick(db: Database, bus: Bus, *, most_nudges: int = 50) -> None:
    await sweep(db, bus, max_attempts=3, most_nudges=most_nudges)


async def active_run_id(db: Database, run: Run) -> str | None:
    async with db.transaction() as session:
        return (await session.get_one(Thread, run.thread_pk)).active_run_id


async def said(db: Database, run: Run) -> list[str]:
    async with db.transaction() as session:
        items = await session.scalars(
            select(Item).where(Item.thread_pk == run.thread_pk).order_by(Item.seq)
        )
        return [item.body["content"][0]["text"] for item in items]


async def forget(db: Database, live: Run) -> None:
    """Cancel a run as the release before this one would: nobody is let in."""
    async with db.transaction() as session:
        await session.execute(
            update(Run).where(Run.pk == live.pk).values(status=RunStatus.CANCELLED)
        )
        await session.execute(
            update(Thread).where(Thread.pk == live.thread_pk).values(active_run_id=None)
        )


async def test_a_run_that_waits_is_not_claimed_and_not_rung_for(
    quiet: Database, bus: Bus, rows: Make, delivered: Sent
) -> None:
    live = await queue(rows, status=RunStatus.REQUIRES_ACTION)
    waits = await wait_behind(rows, live)
    delivered.clear()

    await tick(quiet, bus)

    assert await worker(quiet, "a").take() is None
    assert delivered == []
    assert (await row_of(quiet, waits)).waits_for_thread
    async with quiet.transaction() as session:
        live_runs = await count_live(session)
    assert (live_runs["queued"], live_runs["waiting"]) == (0, 1)


async def test_the_end_of_a_run_lets_in_the_oldest_that_waits_and_rings(
    quiet: Database, rows: Make, delivered: Sent
) -> None:
    live = await queue(rows)
    first, second = [await wait_behind(rows, live) for _ in range(2)]
    claim = await taken(worker(quiet, "a"))
    delivered.clear()

    await Record(quiet, claim).end(RunStatus.FAILED, error=("server_error", "x"))

    assert await active_run_id(quiet, live) == first.id
    row = await row_of(quiet, first)
    assert (row.status, row.waits_for_thread) == (RunStatus.QUEUED, False)
    assert row.expires_at is not None
    assert row.expires_at == row.available_at + timedelta(minutes=10)
    assert (await row_of(quiet, second)).waits_for_thread
    # One bell, and no word to its followers, who have heard `queued`.
    left = sorted(entry.name for entry in delivered)
    assert left == [jobs.DRIVE_RUNS, "thread.run.failed"]
    assert (await taken(worker(quiet, "b"))).run.pk == first.pk


async def test_what_the_sweeper_ends_lets_in_the_next_as_well(
    quiet: Database, bus: Bus, rows: Make
) -> None:
    async with quiet.transaction() as session:
        past = await session.database_now() - timedelta(seconds=1)
    orphaned: dict[str, Any] = {"lease_owner": "dead", "lease_expires_at": past}
    ending = [
        await queue(rows, expires_at=past),
        await queue(rows, status=RunStatus.REQUIRES_ACTION, expires_at=past),
        await queue(rows, status=RunStatus.CANCELLING, **orphaned),
        await queue(rows, status=RunStatus.IN_PROGRESS, lost_leases=3, **orphaned),
    ]
    waiting = [await wait_behind(rows, run) for run in ending]

    await asyncio.gather(*(tick(quiet, bus) for _ in range(3)))

    for run, next_run in zip(ending, waiting, strict=True):
        assert await active_run_id(quiet, run) == next_run.id
        assert not (await row_of(quiet, next_run)).waits_for_thread


async def test_a_worker_given_up_for_dead_lets_nobody_in(
    quiet: Database, rows: Make
) -> None:
    live = await queue(rows)
    waits = await wait_behind(rows, live)
    lost = await taken(worker(quiet, "a"))
    await let_lease_end(quiet, live)
    claim = await taken(worker(quiet, "b"))

    with pytest.raises(ClaimLost):
        await Record(quiet, lost).end(RunStatus.FAILED, error=("server_error", "x"))

    assert await active_run_id(quiet, live) == live.id
    assert (await row_of(quiet, waits)).waits_for_thread
    await Record(quiet, claim).end(RunStatus.FAILED, error=("server_error", "x"))
    assert await active_run_id(quiet, live) == waits.id


async def test_the_sweeper_lets_in_who_was_forgotten_once(
    quiet: Database, bus: Bus, rows: Make, delivered: Sent
) -> None:
    live = await queue(rows, status=RunStatus.REQUIRES_ACTION)
    first, second = [await wait_behind(rows, live) for _ in range(2)]
    await forget(quiet, live)
    delivered.clear()

    await asyncio.gather(*(tick(quiet, bus, most_nudges=0) for _ in range(5)))

    assert await active_run_id(quiet, live) == first.id
    assert not (await row_of(quiet, first)).waits_for_thread
    assert (await row_of(quiet, second)).waits_for_thread
    assert len(delivered) == 1


async def test_who_waits_for_a_deleted_thread_is_stopped_by_the_sweeper(
    quiet: Database, bus: Bus, rows: Make
) -> None:
    live = await queue(rows, status=RunStatus.REQUIRES_ACTION)
    waits = await wait_behind(rows, live)
    await forget(quiet, live)
    async with quiet.transaction() as session:
        thread = await session.get_one(Thread, live.thread_pk)
        thread.deleted_at = await session.database_now()

    await tick(quiet, bus)

    assert (await row_of(quiet, waits)).status is RunStatus.CANCELLED
    assert await worker(quiet, "a").take() is None


async def test_messages_join_the_thread_once_however_often_they_are_brought(
    quiet: Database, rows: Make, gateway: Gateway
) -> None:
    live = await queue(rows)
    waits = await wait_behind(rows, live, "One.", "Two.")
    claims = worker(quiet, "a")
    await Record(quiet, await taken(claims)).end(RunStatus.EXPIRED)
    lost = await taken(claims)
    assert await said(quiet, live) == []

    for _ in range(2):  # again, as after a commit whose answer was lost
        await bring_messages(quiet, lost, embedder=gateway.embedder)
    await let_lease_end(quiet, waits)
    claim = await taken(worker(quiet, "b"))
    await bring_messages(quiet, claim, embedder=gateway.embedder)

    assert await said(quiet, live) == ["One.", "Two."]
    with pytest.raises(ClaimLost):
        await Record(quiet, lost).complete(Turn(0))


async def test_messages_are_brought_by_nobody_whose_claim_is_lost(
    quiet: Database, rows: Make, gateway: Gateway
) -> None:
    live = await queue(rows)
    waits = await wait_behind(rows, live, "One.")
    claims = worker(quiet, "a")
    await Record(quiet, await taken(claims)).end(RunStatus.EXPIRED)
    lost = await taken(claims)
    await let_lease_end(quiet, waits)
    await taken(worker(quiet, "b"))

    with pytest.raises(ClaimLost):
        await bring_messages(quiet, lost, embedder=gateway.embedder)

    assert await said(quiet, live) == []


async def test_a_thread_with_too_many_files_by_now_takes_no_message(
    quiet: Database, rows: Make, gateway: Gateway
) -> None:
    live = await queue(rows)
    waits = await wait_behind(rows, live)
    file = await rows.file()
    attached = [{"file_id": file.id, "tools": [{"type": "code_interpreter"}]}]
    brought = CreateMessageRequest.model_validate(
        {"role": "user", "content": "Read.", "attachments": attached}
    )
    async with quiet.transaction() as session:
        keep_messages(await session.get_one(Run, waits.pk), [brought])
        thread = await session.get_one(Thread, live.thread_pk)
        held = {"file_ids": [f"file-{n}" for n in range(20)]}
        thread.tool_resources = {"code_interpreter": held}
    claims = worker(quiet, "a")
    await Record(quiet, await taken(claims)).end(RunStatus.EXPIRED)

    with pytest.raises(MessagesRefused, match="at most 20 files"):
        await bring_messages(quiet, await taken(claims), embedder=gateway.embedder)

    assert await said(quiet, live) == []


async def test_the_database_holds_one_live_run_a_thread_and_knows_who_waits(
    quiet: Database, rows: Make
) -> None:
    live = await queue(rows)
    waits = await wait_behind(rows, live)

    for change in (
        {"waits_for_thread": False},  # a second one live
        {"status": RunStatus.IN_PROGRESS},  # begun before it was let in
    ):
        with pytest.raises(IntegrityError):
            async with quiet.transaction() as session:
                await session.execute(
                    update(Run).where(Run.pk == waits.pk).values(**change)
                )
