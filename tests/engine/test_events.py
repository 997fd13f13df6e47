"""Every event there is, told by a run that has come to it; all seen from outside."""

import asyncio
from datetime import timedelta
from typing import get_args

from sqlalchemy import delete, func, update

from runtime.db.transaction import Database
from runtime.runs.models import Run, RunStatus
from runtime.wire.events import EventName
from tests.engine.conftest import Begin
from tests.engine.shapes import check_shapes
from tests.engine.talk import ADD, Talk, answers
from tests.support.make import Make
from tests.support.stream import Sent, names, open_stream, read_stream
from tests.support.turns import calls, drops_after, fails, says

SLOW = says("word " * 100, chunk_delay_seconds=0.05)


async def follow(on: Talk, run_id: str) -> list[Sent]:
    """All that a run has told and tells."""
    return await read_stream(on.api, "GET", f"{on.path}/runs/{run_id}/stream")


async def expire(db: Database, run_id: str) -> None:
    """Let a run's time be up."""
    async with db.transaction() as session:
        await session.execute(
            update(Run)
            .where(Run.id == run_id)
            .values(expires_at=func.clock_timestamp() - timedelta(seconds=1))
        )


async def completes(talk: Begin) -> list[Sent]:
    on = await talk(calls(("add", {"a": 1})), says("Two."), tools=[ADD])
    body = {"assistant_id": on.assistant_id, "stream": True}
    first = await read_stream(on.api, "POST", "/threads/runs", json=body)
    check_shapes(first)
    run = first[-2].data
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    outputs = {"tool_outputs": answers(run, "2"), "stream": True}
    second = await read_stream(on.api, "POST", path, json=outputs)
    check_shapes(second)
    return [*first, *second]


async def fails_at_last(talk: Begin) -> list[Sent]:
    on = await talk(drops_after(3), fails(401))
    events = await on.stream()
    check_shapes(events)
    return events


async def is_cut(talk: Begin) -> list[Sent]:
    on = await talk(says("Once upon", finish_reason="length"))
    events = await on.stream()
    check_shapes(events)
    return events


async def is_cancelled(talk: Begin) -> list[Sent]:
    on = await talk(SLOW)
    events: list[Sent] = []
    async with on.streaming() as stream:
        async for event in stream:
            events.append(event)
            if event.name == "thread.message.delta" and len(events) < 12:
                await on.cancel(events[0].data["id"])
    check_shapes(events)
    return events


async def expires(talk: Begin, db: Database) -> list[Sent]:
    on = await talk(calls(("add", {"a": 1})), tools=[ADD])
    run = await on.run()
    await expire(db, run["id"])
    await on.until(run["id"], "expired")
    events = await follow(on, run["id"])
    check_shapes(events)
    return events


async def breaks(talk: Begin, db: Database, make: Make) -> list[Sent]:
    """A stream whose run is gone from under it."""
    on = await talk()
    async with db.transaction() as session:
        later = await session.database_now() + timedelta(minutes=5)
    run = await make.run(available_at=later, expires_at=later)
    path = f"/threads/{run.thread_id}/runs/{run.id}/stream"
    async with open_stream(on.api, "GET", path) as stream:
        async with db.transaction() as session:
            await session.execute(delete(Run).where(Run.pk == run.pk))
        events = [event async for event in stream]
    check_shapes(events)
    return events


async def test_each_of_the_25_events_is_told(
    talk: Begin, db: Database, make: Make
) -> None:
    streams = await asyncio.gather(
        completes(talk),
        fails_at_last(talk),
        is_cut(talk),
        is_cancelled(talk),
        expires(talk, db),
        breaks(talk, db, make),
    )

    told = {event.name for events in streams for event in events}

    official = {name for kind in get_args(EventName) for name in get_args(kind)}
    assert len(official) == 25
    assert told == official


async def test_a_stream_that_breaks_says_so_in_the_envelope(
    talk: Begin, db: Database, make: Make
) -> None:
    events = await breaks(talk, db, make)

    assert names(events) == ["error", "done"]
    assert events[0].data["error"]["type"] == "server_error"


async def test_a_run_that_expires_while_it_waits_for_its_caller_closes_its_step(
    talk: Begin, db: Database
) -> None:
    events = await expires(talk, db)

    assert names(events)[-3:] == [
        "thread.run.step.expired",
        "thread.run.expired",
        "done",
    ]
    step, run = (event.data for event in events[-3:-1])
    assert step["expired_at"] is not None
    assert step["usage"] == run["usage"]
    assert run["usage"]["total_tokens"] == 15
    assert (run["required_action"], run["last_error"]) == (None, None)


async def test_a_run_that_nobody_claims_expires(
    talk: Begin, db: Database, make: Make
) -> None:
    on = await talk()
    async with db.transaction() as session:
        now = await session.database_now()
    row = await make.run(
        available_at=now + timedelta(minutes=5), expires_at=now + timedelta(seconds=1)
    )
    path = f"/threads/{row.thread_id}/runs/{row.id}"

    events = await read_stream(on.api, "GET", f"{path}/stream")

    assert names(events) == ["thread.run.expired", "done"]
    run = (await on.api.get(path)).json()
    assert run == events[0].data
    assert (run["started_at"], run["usage"]["total_tokens"]) == (None, 0)
    again = await on.api.post(
        f"/threads/{row.thread_id}/messages", json={"role": "user", "content": "Hi."}
    )
    assert again.status_code == 200


async def test_a_cancelling_run_whose_worker_hangs_expires(
    talk: Begin, db: Database, make: Make
) -> None:
    on = await talk()
    async with db.transaction() as session:
        now = await session.database_now()
    row = await make.run(
        status=RunStatus.CANCELLING,
        # As of a worker that beats and does nothing else.
        lease_owner="hangs",
        lease_expires_at=now + timedelta(minutes=5),
        expires_at=now - timedelta(minutes=1),
    )
    path = f"/threads/{row.thread_id}/runs/{row.id}"

    events = await read_stream(on.api, "GET", f"{path}/stream")

    assert names(events)[-2:] == ["thread.run.expired", "done"]
    assert (await on.api.get(path)).json()["status"] == "expired"


async def test_a_failed_step_says_what_the_run_says(talk: Begin) -> None:
    on = await talk(
        calls(("file_search", {"query": "x"})), fails(429, retry_after=3600)
    )
    assistant = {"tools": [{"type": "file_search"}]}
    await on.api.post(f"/assistants/{on.assistant_id}", json=assistant)

    run = await on.run()

    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "rate_limit_exceeded"
    # What was done before is done.
    (step,) = await on.steps(run["id"])
    assert (step["status"], step["last_error"]) == ("completed", None)
    assert run["usage"]["total_tokens"] == 15
