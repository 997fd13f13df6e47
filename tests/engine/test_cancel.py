"""Stopping runs: in every state, twice, by time, and by deleting what they need."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from runtime.assistants.models import Assistant
from runtime.db.transaction import Database
from runtime.runs.models import Run, RunStatus
from runtime.threads.models import Thread
from tests.engine.conftest import Begin
from tests.engine.talk import ADD, Talk, text
from tests.support.make import Make
from tests.support.stream import Sent, names, text_of
from tests.support.turns import calls, hangs, says

SLOW = says("word " * 200, chunk_delay_seconds=0.05)


async def speaking(on: Talk) -> tuple[str, asyncio.Task[list[Sent]]]:
    """A run whose model speaks, and who follows it."""
    began: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def follow() -> list[Sent]:
        events = []
        async with on.streaming() as stream:
            async for event in stream:
                events.append(event)
                if event.name == "thread.message.delta" and not began.done():
                    began.set_result(events[0].data["id"])
        return events

    follower = asyncio.create_task(follow())
    return await asyncio.wait_for(began, 20), follower


async def test_a_run_in_progress_is_cancelling_and_then_cancelled(talk: Begin) -> None:
    on = await talk(SLOW)
    run_id, follower = await speaking(on)

    response = await on.cancel(run_id)

    assert response.json()["status"] == "cancelling"
    events = await asyncio.wait_for(follower, 10)
    assert names(events)[-5:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]
    run = await on.get(run_id)
    assert run == events[-2].data
    assert run["cancelled_at"] is not None
    # Nobody counted what was said until then, and it was said all the same.
    assert run["usage"]["completion_tokens"] > 0
    (step,) = await on.steps(run_id)
    assert (step["status"], step["cancelled_at"] is not None) == ("cancelled", True)
    half = (await on.messages())[-1]
    assert half["incomplete_details"] == {"reason": "run_cancelled"}
    # A follower holds what is kept: nothing is told and lost, nothing kept untold.
    assert text_of(events)[half["id"]] == text(half)
    assert on.upstream.asked(on.model).hung_up == 1
    assert (await on.say("Something else.")).status_code == 200


async def test_cancelling_twice_is_refused(talk: Begin) -> None:
    on = await talk(SLOW)
    run_id, follower = await speaking(on)

    first, second = await asyncio.gather(on.cancel(run_id), on.cancel(run_id))

    assert sorted([first.status_code, second.status_code]) == [200, 400]
    await on.until(run_id, "cancelled")
    third = await on.cancel(run_id)
    assert third.status_code == 400
    assert "cancelled" in third.json()["error"]["message"]
    await follower


async def test_a_run_that_waits_for_its_caller_is_cancelled_at_once(
    talk: Begin,
) -> None:
    on = await talk(calls(("add", {"a": 1})), tools=[ADD])
    run = await on.run()

    response = await on.cancel(run["id"])

    assert response.json()["status"] == "cancelled"
    assert response.json()["required_action"] is None
    (step,) = await on.steps(run["id"])
    assert step["status"] == "cancelled"
    late = await on.submit(run, "1")
    assert late.status_code == 400
    # What was called and never answered is told so to the next run's model.
    assert (await on.say("Never mind.")).status_code == 200


async def test_calls_of_a_cancelled_run_do_not_break_the_next_prompt(
    talk: Begin,
) -> None:
    on = await talk(calls(("add", {"a": 1})), says("Fine."), tools=[ADD])
    run = await on.run()
    await on.cancel(run["id"])
    await on.say("Never mind.")

    again = await on.run()

    assert again["status"] == "completed"
    messages = on.requests[1]["messages"]
    open_ids = [c["id"] for m in messages for c in m.get("tool_calls") or ()]
    answered = [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert open_ids == answered
    assert len(answered) == 1


async def test_a_queued_run_is_cancelled_at_once(
    make: Make, api_url: str, talk: Begin
) -> None:
    on = await talk(says("Never."))
    waits = timedelta(minutes=5)
    async with make.db.transaction() as session:
        now = await session.database_now()
    run = await make.run(available_at=now + waits, expires_at=now + waits)

    response = await on.api.post(f"/threads/{run.thread_id}/runs/{run.id}/cancel")

    assert response.json()["status"] == "cancelled"
    again = await on.api.post(f"/threads/{run.thread_id}/runs/{run.id}/cancel")
    assert again.status_code == 400


async def test_a_run_without_an_answer_yet_is_cancelled(talk: Begin) -> None:
    on = await talk(hangs())
    run = await on.create()
    await on.until(run["id"], "in_progress")
    await asyncio.sleep(0.2)

    assert (await on.cancel(run["id"])).json()["status"] == "cancelling"

    assert (await on.until(run["id"], "cancelled"))["usage"] is not None
    assert await on.texts() == ["Hello."]


async def test_a_cancel_whose_bell_was_lost_is_heard_by_the_heartbeat(
    talk: Begin, db: Database
) -> None:
    on = await talk(SLOW)
    run_id, follower = await speaking(on)

    async with db.transaction() as session:
        await session.execute(
            update(Run).where(Run.id == run_id).values(status=RunStatus.CANCELLING)
        )

    assert names(await asyncio.wait_for(follower, 10))[-2] == "thread.run.cancelled"


async def test_a_cancel_between_submit_and_answer_wins_or_loses_whole(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("add", {"a": 1})), says("Two.", delay_seconds=0.1), tools=[ADD]
    )
    run = await on.run()

    submitted, cancelled = await asyncio.gather(
        on.submit(run, "1"), on.cancel(run["id"])
    )

    assert cancelled.status_code == 200
    assert submitted.status_code in (200, 400)
    ended = await on.settled(run["id"])
    assert ended["status"] == "cancelled"


async def test_a_run_expires_while_its_model_speaks(
    talk: Begin, db: Database, make: Make
) -> None:
    on = await talk(SLOW)
    async with db.transaction() as session:
        now = await session.database_now()
        thread = await session.scalar(select(Thread).where(Thread.id == on.thread_id))
        assistant = Assistant(project_id=make.project.id, model=on.model)
        session.add(assistant)
    assert thread is not None
    # Time is not ours to turn: a run that is born with little of it.
    row = await make.run(
        thread, assistant=assistant, expires_at=now + timedelta(seconds=2)
    )
    run = row.id

    ended = await on.until(run, "expired")

    assert ended["expires_at"] is None
    half = (await on.messages(run_id=run))[-1]
    assert half["incomplete_details"] == {"reason": "run_expired"}
    (step,) = await on.steps(run)
    assert step["status"] == "expired"
    assert step["expired_at"] is not None


@pytest.mark.parametrize("what", ["assistant", "message", "thread"])
async def test_what_is_deleted_under_a_run_does_not_leave_it_stuck(
    talk: Begin, db: Database, what: str
) -> None:
    on = await talk(says("one two three four", chunk_delay_seconds=0.2))
    run_id, follower = await speaking(on)
    message_id = (await on.messages())[0]["id"]
    paths = {
        "assistant": f"/assistants/{on.assistant_id}",
        "message": f"{on.path}/messages/{message_id}",
        "thread": on.path,
    }

    response = await on.api.delete(paths[what])

    assert response.status_code == 200
    events = await asyncio.wait_for(follower, 15)
    ended = "cancelled" if what == "thread" else "completed"
    assert names(events)[-2:] == [f"thread.run.{ended}", "done"]
    if what == "thread":
        gone = await on.api.get(f"{on.path}/runs/{run_id}")
        assert gone.status_code == 404
