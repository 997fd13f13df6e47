"""Runs that are created, stopped and answered on one thread at the same moment."""

import asyncio
import itertools

import pytest
from sqlalchemy import select

from runtime.db.transaction import Database
from runtime.runs.models import Run
from tests.engine.talk import ADD, answers, call
from tests.runs.busy import all_ended, ask, asked, echo, is_idle, speaks
from tests.runs.conftest import Begin, Hold
from tests.support.turns import calls, says


async def test_replace_waits_for_a_run_that_is_stopping_already(
    talk: Begin, db: Database
) -> None:
    on = await talk(says("word " * 200, chunk_delay_seconds=0.05), echo, repeat=True)
    first = await on.create()
    await speaks(on, first)

    _, *responses = await asyncio.gather(
        on.cancel(first["id"]), *(ask(on, "replace") for _ in range(5))
    )

    assert {response.status_code for response in responses} == {200}
    runs = [await on.settled(response.json()["id"]) for response in responses]
    # Each took the place of the one before; the last of them was left.
    assert sorted(run["status"] for run in runs) == ["cancelled"] * 4 + ["completed"]
    await is_idle(on, db)


async def test_twenty_that_wait_at_once_are_all_answered_one_after_the_other(
    talk: Begin, hold: Hold, db: Database
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)
    wanted = [f"Number {n}." for n in range(20)]

    runs = await asyncio.gather(*(asked(on, "queue", text) for text in wanted))
    await on.cancel(held)

    for run in runs:
        assert (await on.settled(run["id"], seconds=60))["status"] == "completed"
    texts = (await on.texts())[1:]
    assert sorted(texts[::2]) == sorted(wanted)
    assert texts[1::2] == [f"You said {text}" for text in texts[::2]]
    async with db.transaction() as session:
        rows = await session.scalars(
            select(Run).where(Run.thread_id == on.thread_id).order_by(Run.pk)
        )
        _, *in_order = rows.all()
    # First come, first served; none began before the one in front of it had ended.
    for before, after in itertools.pairwise(in_order):
        assert before.ended_at is not None and after.started_at is not None
        assert before.ended_at <= after.started_at
    await is_idle(on, db)


@pytest.mark.parametrize("live", [True, False], ids=["busy", "idle"])
async def test_whatever_policies_meet_at_once_the_thread_comes_to_rest(
    talk: Begin, db: Database, live: bool
) -> None:
    on = await talk(
        says("Well now.", delay_seconds=0.3, chunk_delay_seconds=0.1), repeat=True
    )
    if live:
        await on.create()
    policies = ["reject", "queue", "replace", None] * 6

    responses = await asyncio.gather(*(ask(on, policy) for policy in policies))

    codes = [
        (policy, response.status_code)
        for policy, response in zip(policies, responses, strict=True)
    ]
    assert {code for policy, code in codes if policy in ("queue", "replace")} == {200}
    rejected = [code for policy, code in codes if policy in ("reject", None)]
    # On an idle thread the very first to come may be one of them.
    assert rejected.count(200) <= (0 if live else 1)
    assert set(rejected) <= {200, 400}
    taken = [r.json()["id"] for r in responses if r.status_code == 200]
    ended = [(await on.settled(id, seconds=60))["status"] for id in taken]
    assert set(ended) <= {"completed", "cancelled"}
    assert "completed" in ended
    await is_idle(on, db)


async def test_a_cancel_that_meets_the_end_of_the_run_before_wins_or_loses_whole(
    talk: Begin, hold: Hold, db: Database
) -> None:
    on = await talk(echo, repeat=True)
    held = await hold(on)
    runs = [await asked(on, "queue", f"Number {n}.") for n in range(6)]

    await asyncio.gather(on.cancel(held), *(on.cancel(run["id"]) for run in runs))

    for run in runs:
        assert (await on.settled(run["id"]))["status"] in ("cancelled", "completed")
    await is_idle(on, db)


async def test_outputs_at_the_moment_of_a_replacement_leave_one_run(
    talk: Begin, db: Database
) -> None:
    on = await talk(calls(("add", {})), says("Mine."), repeat=True, tools=[ADD])
    first = await on.run()
    path = f"{on.path}/runs/{first['id']}/submit_tool_outputs"

    submitted, replaced = await asyncio.gather(
        on.api.post(path, json={"tool_outputs": answers(first, "1")}),
        ask(on, "replace"),
    )

    assert submitted.status_code in (200, 400)
    assert replaced.status_code == 200
    assert (await on.settled(replaced.json()["id"]))["status"] == "completed"
    # Handed to a worker before it was stopped, it may have ended by itself.
    assert (await on.settled(first["id"]))["status"] in ("cancelled", "completed")
    await is_idle(on, db)


async def test_of_twenty_runs_created_at_once_one_is_taken(
    talk: Begin, db: Database
) -> None:
    on = await talk(says("Well now.", delay_seconds=0.5))

    responses = await asyncio.gather(*(ask(on) for _ in range(20)))

    (winner,) = [r.json() for r in responses if r.status_code == 200]
    refused = [r for r in responses if r.status_code != 200]
    assert {response.status_code for response in refused} == {400}
    assert all(winner["id"] in r.json()["error"]["message"] for r in refused)
    assert (await on.settled(winner["id"]))["status"] == "completed"
    page = await call(on.api, "GET", f"{on.path}/runs")
    assert [run["id"] for run in page["data"]] == [winner["id"]]
    assert len(on.requests) == 1


async def test_a_run_reads_each_message_that_was_taken_before_it_and_no_other(
    talk: Begin,
) -> None:
    on = await talk(says("Well now.", delay_seconds=0.5))
    texts = [f"Number {n}." for n in range(12)]

    *said, created = await asyncio.gather(
        *(on.say(text) for text in texts[:6]),
        *(on.say(text) for text in texts[6:]),
        ask(on),
    )

    assert created.status_code == 200
    assert {response.status_code for response in said} <= {200, 400}
    taken = {
        text
        for text, response in zip(texts, said, strict=True)
        if response.status_code == 200
    }
    await on.settled(created.json()["id"])
    (request,) = on.requests
    read = [message["content"] for message in request["messages"]]
    assert set(read) == {"Hello.", *taken}
    assert await on.texts() == [*read, "Well now."]


async def test_of_outputs_and_cancels_at_once_one_of_each_wins_at_most(
    talk: Begin,
) -> None:
    on = await talk(calls(("add", {})), says("Ok.", delay_seconds=1), tools=[ADD])
    run = await on.run()

    responses = await asyncio.gather(
        *(on.submit(run, str(n)) for n in range(4)),
        *(on.cancel(run["id"]) for _ in range(4)),
    )

    codes = [response.status_code for response in responses]
    assert set(codes) == {200, 400}
    assert codes[:4].count(200) <= 1
    assert codes[4:].count(200) == 1
    assert (await on.settled(run["id"]))["status"] == "cancelled"
    assert (await on.say("Anybody there?")).status_code == 200


async def test_a_thread_deleted_while_runs_are_created_keeps_none_of_them(
    talk: Begin, db: Database
) -> None:
    on = await talk(says("word " * 100, chunk_delay_seconds=0.05), repeat=True)

    *created, deleted = await asyncio.gather(
        *(ask(on, policy) for policy in ("queue", None, "replace", "queue")),
        on.api.delete(on.path),
    )

    assert deleted.status_code == 200
    assert {response.status_code for response in created} <= {200, 400, 404}
    await all_ended(on, db)


async def test_a_thread_is_deleted_once(talk: Begin) -> None:
    on = await talk(says("word " * 100, chunk_delay_seconds=0.05))
    await on.create()

    responses = await asyncio.gather(*(on.api.delete(on.path) for _ in range(5)))

    assert sorted(r.status_code for r in responses) == [200, 404, 404, 404, 404]
