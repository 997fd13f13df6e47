"""Races for runs, lost claims, and what the sweeper ends.

In a database of their own: no worker is to come between.
"""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from runtime.clock import now
from runtime.db.transaction import Database
from runtime.engine.citations import CitedText
from runtime.engine.claim import Claim, ClaimLost, Claims, Interruption
from runtime.engine.record import Record
from runtime.engine.turn import Saying, Turn
from runtime.events.event import Event
from runtime.ids import new_id
from runtime.runs.models import Run, RunStatus
from runtime.threads.models import Item, ItemStatus
from tests.engine.quiet import Sent, let_lease_end, queue, row_of, taken, worker
from tests.support.make import Make, new_project


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


async def test_a_row_that_somebody_has_locked_holds_up_no_other_lease(
    quiet: Database, rows: Make
) -> None:
    locked, free = await queue(rows), await queue(rows)
    claims = worker(quiet, "a", lease_seconds=30)
    mine = [await taken(claims), await taken(claims)]
    before = (await row_of(quiet, free)).lease_expires_at

    async with quiet.transaction() as session:
        await session.get_one(Run, locked.pk, with_for_update=True)
        async with asyncio.timeout(5):
            await claims.extend()

    after = (await row_of(quiet, free)).lease_expires_at
    assert before is not None and after is not None and after > before
    # The one passed by is not taken for lost.
    assert not any(claim.interruption.done() for claim in mine)


async def test_a_bell_stops_the_run_that_it_names_and_no_other(
    quiet: Database, rows: Make
) -> None:
    rung, other = await queue(rows), await queue(rows)
    claims = worker(quiet, "a")
    held = {claim.run.id: claim for claim in [await taken(claims), await taken(claims)]}

    claims.cancel(rung.id)
    claims.cancel(new_id("run"))

    assert held[rung.id].interruption.result() is Interruption.CANCELLED
    assert not held[other.id].interruption.done()


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

    # Again, as after a commit whose answer was lost; or a cancel came right behind it.
    await record.abandon(Turn(0, saying=half))
    await record.abandon(Turn(0, saying=half))
    await record.end(RunStatus.EXPIRED, Turn(0, saying=half))

    async with quiet.transaction() as session:
        query = select(Item).where(Item.id == "msg_half")
        (item,) = await session.scalars(query)
    assert item.status is ItemStatus.INCOMPLETE
    told = [e.name for e in delivered if isinstance(e, Event) and "id" in e.data]
    assert told.count("thread.message.incomplete") == 1
