"""Races for runs, lost claims, and what the sweeper ends.

In a database of their own: no worker is to come between.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from runtime.clock import now
from runtime.db.transaction import Database
from runtime.engine.citations import CitedText
from runtime.engine.claim import Claim, ClaimLost, Claims, Interruption
from runtime.engine.record import Record
from runtime.engine.sweep import sweep
from runtime.engine.turn import Saying, Turn
from runtime.events.event import Event
from runtime.files.storage import Storage
from runtime.gateway import Gateway
from runtime.projects.models import Project
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus, StepType
from runtime.threads.models import Item, ItemStatus, Thread
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
            .values(status=RunStatus.CANCELLED)
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


async def test_many_workers_never_hold_one_run_together(
    quiet: Database, rows: Make
) -> None:
    wanted = {(await queue(rows)).pk for _ in range(40)}
    workers = [worker(quiet, f"worker-{n}") for n in range(4)]

    async def take_all(claims: Claims) -> list[Claim]:
        mine = []
        while (claim := await claims.take()) is not None:
            mine.append(claim)
        return mine

    piles = await asyncio.gather(*(take_all(each) for each in workers * 4))

    held = [claim.run.pk for pile in piles for claim in pile]
    assert len(held) == len(set(held))
    assert set(held) == wanted
    assert {claim.run.attempt for pile in piles for claim in pile} == {1}


async def test_a_run_whose_lease_has_ended_is_taken_over(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    lost = await taken(worker(quiet, "a"))
    await let_lease_end(quiet, run)

    claim = await taken(worker(quiet, "b"))

    assert (claim.run.pk, claim.run.attempt) == (run.pk, 2)
    assert (lost.is_takeover, claim.is_takeover) == (False, True)
    with pytest.raises(ClaimLost):
        async with lost.shown(quiet):
            pass
    async with claim.shown(quiet) as shown:
        assert shown.run.status is RunStatus.IN_PROGRESS


async def test_one_worker_handed_a_run_twice_cannot_write_by_its_first_claim(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    claims = worker(quiet, "a")
    first = await taken(claims)
    await let_lease_end(quiet, run)
    second = await taken(claims)

    with pytest.raises(ClaimLost):
        await Record(quiet, first).end(RunStatus.FAILED, error=("server_error", "x"))

    claims.drop(first)
    await claims.extend()
    assert not second.interruption.done()
    assert (await row_of(quiet, run)).status is RunStatus.IN_PROGRESS


async def test_a_claim_that_was_lost_is_known_by_the_next_heartbeat(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    claims = worker(quiet, "a")
    lost = await taken(claims)
    await let_lease_end(quiet, run)
    await taken(worker(quiet, "b"))

    await claims.extend()

    assert lost.interruption.result() is Interruption.LOST


async def test_a_heartbeat_extends_the_lease_and_learns_of_cancels(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    claims = worker(quiet, "a")
    claim = await taken(claims)
    before = (await row_of(quiet, run)).lease_expires_at
    await claims.extend()
    after = (await row_of(quiet, run)).lease_expires_at
    assert before is not None
    assert after is not None
    assert after > before
    assert not claim.interruption.done()
    async with quiet.transaction() as session:
        await session.execute(
            update(Run).where(Run.pk == run.pk).values(status=RunStatus.CANCELLING)
        )

    await claims.extend()

    assert claim.interruption.result() is Interruption.CANCELLED


async def test_a_step_learns_of_a_cancel_whose_bell_was_lost(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    claim = await taken(worker(quiet, "a"))
    async with quiet.transaction() as session:
        await session.execute(
            update(Run).where(Run.pk == run.pk).values(status=RunStatus.CANCELLING)
        )

    paused = await Record(quiet, claim).settle_calls()

    assert claim.interruption.result() is Interruption.CANCELLED
    assert not paused
    assert (await row_of(quiet, run)).status is RunStatus.CANCELLING


async def test_a_project_with_few_runs_does_not_wait_for_one_with_many(
    quiet: Database, rows: Make
) -> None:
    small, _ = await new_project(quiet)
    for _ in range(10):
        await queue(rows)
    last = await queue(rows, project=small)
    claims = worker(quiet, "a")

    first = [(await taken(claims)).run.pk for _ in range(3)]

    assert last.pk in first


async def test_what_a_lost_worker_left_comes_before_what_waits(
    quiet: Database, rows: Make
) -> None:
    orphan = await queue(rows)
    await taken(worker(quiet, "a"))
    await let_lease_end(quiet, orphan)
    await queue(rows)

    claim = await taken(worker(quiet, "b"))

    assert claim.run.pk == orphan.pk


async def test_runs_that_may_not_begin_are_not_claimed(
    quiet: Database, rows: Make
) -> None:
    async with quiet.transaction() as session:
        now = await session.database_now()
    await queue(rows, expires_at=now - timedelta(seconds=1))
    await queue(rows, available_at=now + timedelta(minutes=1))
    await queue(
        rows,
        status=RunStatus.IN_PROGRESS,
        lost_leases=3,
        lease_expires_at=now - timedelta(seconds=1),
    )

    assert await worker(quiet, "a").take() is None


async def test_each_takeover_numbers_its_events_above_all_before(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    numbers = [(await taken(worker(quiet, "a"))).event_seq]
    for name in "bc":
        await let_lease_end(quiet, run)
        numbers.append((await taken(worker(quiet, name))).event_seq)

    assert numbers[1] - numbers[0] > 20_000
    assert numbers[2] - numbers[1] > 20_000
    # Nothing was stored, so the row still tells what the first worker had kept.
    assert (await row_of(quiet, run)).event_seq == numbers[0]


async def test_an_answer_is_shown_as_abandoned_once(
    quiet: Database, rows: Make, delivered: Sent
) -> None:
    await queue(rows)
    record = Record(quiet, await taken(worker(quiet, "a")))
    half = Saying(
        message_id="msg_half",
        step_id="step_half",
        step_idx=0,
        began_at=now(),
        cited=CitedText({}, clean=["Half an"]),
    )

    # Again, as after a commit whose answer was lost.
    await record.abandon(Turn(0, saying=half))
    await record.abandon(Turn(0, saying=half))

    async with quiet.transaction() as session:
        query = select(Item).where(Item.id == "msg_half")
        (item,) = await session.scalars(query)
    assert item.status is ItemStatus.INCOMPLETE
    told = [e.name for e in delivered if isinstance(e, Event) and "id" in e.data]
    assert told.count("thread.message.incomplete") == 1


async def test_the_sweeper_ends_what_has_to_end(quiet: Database, rows: Make) -> None:
    async with quiet.transaction() as session:
        now = await session.database_now()
    past = now - timedelta(seconds=1)
    expired = await queue(rows, expires_at=past)
    paused = await queue(rows, expires_at=past, status=RunStatus.REQUIRES_ACTION)
    async with quiet.transaction() as session:
        step = RunStep(
            project_id=paused.project_id,
            id="step_of_paused",
            run_pk=paused.pk,
            idx=1,
            turn=0,
            type=StepType.TOOL_CALLS,
        )
        session.add(step)
    orphaned: dict[str, Any] = {"lease_owner": "dead", "lease_expires_at": past}
    cancelled = await queue(rows, status=RunStatus.CANCELLING, **orphaned)
    given_up = await queue(
        rows, status=RunStatus.IN_PROGRESS, lost_leases=3, **orphaned
    )
    held = await queue(
        rows,
        status=RunStatus.IN_PROGRESS,
        lease_owner="alive",
        lease_expires_at=now + timedelta(minutes=1),
    )

    await asyncio.gather(*(sweep(quiet, max_attempts=3) for _ in range(3)))

    ended = {
        name: await row_of(quiet, run)
        for name, run in {
            "expired": expired,
            "paused": paused,
            "cancelled": cancelled,
            "given_up": given_up,
        }.items()
    }
    assert {name: run.status.value for name, run in ended.items()} == {
        "expired": "expired",
        "paused": "expired",
        "cancelled": "cancelled",
        "given_up": "failed",
    }
    assert ended["given_up"].error_code == "server_error"
    assert (await row_of(quiet, held)).status is RunStatus.IN_PROGRESS
    async with quiet.transaction() as session:
        step = await session.get_one(RunStep, step.pk)
        assert step.status is StepStatus.EXPIRED
        for run in ended.values():
            assert (await session.get_one(Thread, run.thread_pk)).active_run_id is None


async def test_each_end_by_the_sweeper_is_told_once(
    quiet: Database, rows: Make, delivered: Sent
) -> None:
    async with quiet.transaction() as session:
        past = await session.database_now() - timedelta(seconds=1)
    run = await queue(rows, expires_at=past)

    await asyncio.gather(*(sweep(quiet, max_attempts=3) for _ in range(5)))

    told = [
        event.name
        for event in delivered
        if isinstance(event, Event) and event.data["id"] == run.id
    ]
    assert told == ["thread.run.expired"]


async def test_a_worker_given_up_for_dead_cannot_finish_a_swept_run(
    quiet: Database, rows: Make
) -> None:
    run = await queue(rows)
    claim = await taken(worker(quiet, "a"))
    async with quiet.transaction() as session:
        row = await session.get_one(Run, run.pk)
        past = await session.database_now() - timedelta(seconds=1)
        row.lease_expires_at = row.expires_at = past

    await sweep(quiet, max_attempts=3)

    with pytest.raises(ClaimLost):
        await Record(quiet, claim).complete(Turn(0))
    assert (await row_of(quiet, run)).status is RunStatus.EXPIRED
