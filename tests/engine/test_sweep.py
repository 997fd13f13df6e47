"""What the sweeper ends, and what it must not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from runtime.db.transaction import Database
from runtime.engine.claim import Claim, ClaimLost
from runtime.engine.listen import Listener
from runtime.engine.record import Record
from runtime.engine.sweep import sweep
from runtime.engine.turn import Turn
from runtime.engine.voice import Voice
from runtime.events.announce import stream_of
from runtime.events.bus import Bus
from runtime.events.event import Event
from runtime.gateway import ChatRequest, Gateway
from runtime.runs.models import Run, RunStatus, RunStep, StepStatus, StepType
from runtime.threads.models import Thread
from tests.engine.quiet import Sent, let_lease_end, queue, row_of, taken, worker
from tests.support.make import Make


async def test_the_sweeper_ends_what_has_to_end(
    quiet: Database, bus: Bus, rows: Make
) -> None:
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

    await asyncio.gather(
        *(sweep(quiet, bus, max_attempts=3, most_nudges=50) for _ in range(3))
    )

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
    quiet: Database, bus: Bus, rows: Make, delivered: Sent
) -> None:
    async with quiet.transaction() as session:
        past = await session.database_now() - timedelta(seconds=1)
    run = await queue(rows, expires_at=past)

    await asyncio.gather(
        *(sweep(quiet, bus, max_attempts=3, most_nudges=50) for _ in range(5))
    )

    told = [
        event.name
        for event in delivered
        if isinstance(event, Event) and event.data["id"] == run.id
    ]
    assert told == ["thread.run.expired"]


async def test_a_worker_given_up_for_dead_cannot_finish_a_swept_run(
    quiet: Database, bus: Bus, rows: Make
) -> None:
    run = await queue(rows)
    claim = await taken(worker(quiet, "a"))
    async with quiet.transaction() as session:
        row = await session.get_one(Run, run.pk)
        past = await session.database_now() - timedelta(seconds=1)
        row.lease_expires_at = row.expires_at = past

    await sweep(quiet, bus, max_attempts=3, most_nudges=50)

    with pytest.raises(ClaimLost):
        await Record(quiet, claim).complete(Turn(0))
    assert (await row_of(quiet, run)).status is RunStatus.EXPIRED


async def test_a_run_long_past_its_time_ends_though_its_worker_still_beats(
    quiet: Database, bus: Bus, rows: Make
) -> None:
    async with quiet.transaction() as session:
        now = await session.database_now()
    held: dict[str, Any] = {
        "status": RunStatus.IN_PROGRESS,
        "lease_owner": "hangs",
        "lease_expires_at": now + timedelta(minutes=1),
    }
    just_late = await queue(rows, expires_at=now - timedelta(seconds=5), **held)
    too_late = await queue(rows, expires_at=now - timedelta(minutes=1), **held)

    await sweep(quiet, bus, max_attempts=3, most_nudges=50)

    assert (await row_of(quiet, just_late)).status is RunStatus.IN_PROGRESS
    assert (await row_of(quiet, too_late)).status is RunStatus.EXPIRED


async def say_without_storing(bus: Bus, gateway: Gateway, claim: Claim) -> Turn:
    """What a worker has told when it dies: an answer that is on no row."""
    async with Voice.of(bus, claim) as voice:
        listener = Listener(
            claim, voice, number=0, take=0, sources={}, written={}, images=["file-1"]
        )
        question = [{"role": "user", "content": "Who are you?"}]
        return await listener.listen(
            gateway, ChatRequest(model="builtin", messages=question)
        )


@pytest.mark.parametrize(
    ("found", "ended", "reason"),
    [
        ({"late": True}, "expired", "run_expired"),
        ({"status": RunStatus.CANCELLING}, "cancelled", "run_cancelled"),
        ({"lost_leases": 3}, "failed", "run_failed"),
    ],
    ids=["expired", "cancelled", "failed"],
)
async def test_a_message_that_a_lost_worker_began_ends_with_its_run(
    quiet: Database,
    bus: Bus,
    gateway: Gateway,
    rows: Make,
    delivered: Sent,
    found: dict[str, Any],
    ended: str,
    reason: str,
) -> None:
    run = await queue(rows)
    told = await say_without_storing(bus, gateway, await taken(worker(quiet, "a")))
    assert told.saying is not None
    await let_lease_end(quiet, run)
    async with quiet.transaction() as session:
        row = await session.get_one(Run, run.pk)
        if found.pop("late", False):
            row.expires_at = row.lease_expires_at
        for name, value in found.items():
            setattr(row, name, value)

    await sweep(quiet, bus, max_attempts=3, most_nudges=50)

    mine = stream_of(run)
    heard = [e for e in delivered if isinstance(e, Event) and e.stream == mine]
    names = [event.name for event in heard if event.name != "thread.run.in_progress"]
    assert names == [
        *(["thread.run.cancelling"] if ended == "cancelled" else []),
        "thread.message.incomplete",
        f"thread.run.step.{ended}",
        f"thread.run.{ended}",
    ]
    message, step, _ = (event.data for event in heard[-3:])
    assert message["id"] == told.saying.message_id
    assert message["incomplete_details"] == {"reason": reason}
    image, text = message["content"]
    assert image["image_file"]["file_id"] == "file-1"
    assert text["text"]["value"] == told.saying.cited.text
    assert step["id"] == told.saying.step_id
    assert step["step_details"]["message_creation"]["message_id"] == message["id"]
    # All of it is told behind what the lost worker said.
    last = (await bus.read(mine, 0))[-1]
    assert heard[-3].number > last.number
