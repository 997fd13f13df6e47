"""Deleting what a run is using: nothing fails ugly, nothing hangs."""

import asyncio
import time
from typing import Any

import pytest

from runtime.vector_stores.models import StoreFileStatus
from tests.engine.conftest import Begin
from tests.engine.talk import ADD, Json, Talk, call
from tests.support.make import Make
from tests.support.stream import names
from tests.support.turns import calls, says

SEARCH: Json = {"type": "file_search"}
CODE: Json = {"type": "code_interpreter"}
SEARCHES = calls(("file_search", {"query": "moon"}))


async def delete(on: Talk, path: str) -> None:
    response = await on.api.delete(path)
    assert response.status_code == 200, response.text


async def paused(talk: Begin, *after: Any, **assistant: Any) -> tuple[Talk, Json]:
    """A run that waits for its caller, and goes on like this."""
    on = await talk(calls(("add", {"a": 1})), *after, **assistant)
    run = await on.run()
    assert run["status"] == "requires_action"
    return on, run


async def asked(on: Talk, times: int, model: str | None = None) -> None:
    """Wait until a model was asked so often."""
    deadline = time.monotonic() + 20
    while len(on.upstream.requests(model or on.model)) < times:
        assert time.monotonic() < deadline, "the model was not asked"
        await asyncio.sleep(0.02)


async def test_a_run_goes_on_without_its_assistant(talk: Begin) -> None:
    on, run = await paused(talk, says("Two."), tools=[ADD], instructions="Be brief.")
    await delete(on, f"/assistants/{on.assistant_id}")

    await on.submit(run, "2")

    ended = await on.settled(run["id"])
    assert (ended["status"], ended["assistant_id"]) == ("completed", on.assistant_id)
    assert on.requests[1]["messages"][0]["content"] == "Be brief."
    assert (await on.messages())[-1]["assistant_id"] == on.assistant_id
    again = await on.api.post(f"{on.path}/runs", json={"assistant_id": on.assistant_id})
    assert again.status_code == 404


async def test_a_message_deleted_while_a_run_waits_is_not_read_any_more(
    talk: Begin,
) -> None:
    on, run = await paused(talk, says("Two."), tools=[ADD])
    await delete(on, f"{on.path}/messages/{(await on.messages())[0]['id']}")

    await on.submit(run, "2")

    assert (await on.settled(run["id"]))["status"] == "completed"
    assert [m["role"] for m in on.requests[1]["messages"]] == ["assistant", "tool"]


async def test_a_thread_deleted_while_its_run_waits_takes_the_run_along(
    talk: Begin,
) -> None:
    on, run = await paused(talk, says("Never."), tools=[ADD])
    await delete(on, on.path)

    late = await on.submit(run, "2")

    assert late.status_code == 404
    assert (await on.api.get(f"{on.path}/runs/{run['id']}")).status_code == 404
    assert (await on.api.get(f"{on.path}/messages")).status_code == 404
    assert len(on.requests) == 1


async def test_the_answer_of_a_run_may_be_deleted_and_its_steps_still_read(
    talk: Begin,
) -> None:
    on = await talk(says("Hi."))
    run = await on.run()
    answer = (await on.messages())[-1]
    await delete(on, f"{on.path}/messages/{answer['id']}")

    (step,) = await on.steps(run["id"])

    assert step["step_details"]["message_creation"]["message_id"] == answer["id"]


async def searching(
    talk: Begin, make: Make, status: StoreFileStatus, **more: Any
) -> tuple[Talk, str, str]:
    """A talk that searches a store with one file; the store's id, and the file's."""
    store = await make.store()
    file = await make.file("The moon is made of basalt.", filename="moon.txt")
    await make.store_file(store, "The moon is basalt.", file=file, status=status)
    resources = {"file_search": {"vector_store_ids": [store.id]}}
    on = await talk(
        SEARCHES,
        says("I have looked."),
        tools=[SEARCH],
        tool_resources=resources,
        **more,
    )
    return on, store.id, file.id


@pytest.mark.parametrize("what", ["store", "file", "entry"])
async def test_what_a_search_waits_for_may_be_deleted(
    talk: Begin, make: Make, what: str
) -> None:
    # Nobody reads this file: the search waits for it.
    on, store, file = await searching(talk, make, StoreFileStatus.IN_PROGRESS)
    run = await on.create()
    await asked(on, 1)
    await asyncio.sleep(0.5)
    assert (await on.get(run["id"]))["status"] == "in_progress"
    paths = {
        "store": f"/vector_stores/{store}",
        "file": f"/files/{file}",
        "entry": f"/vector_stores/{store}/files/{file}",
    }

    began = time.monotonic()
    await delete(on, paths[what])

    ended = await on.settled(run["id"])
    assert ended["status"] == "completed"
    assert time.monotonic() - began < 10
    assert "No passage" in on.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("what", ["store", "file"])
async def test_what_was_found_may_be_deleted_before_it_is_cited(
    talk: Begin, make: Make, what: str
) -> None:
    on, store, file = await searching(talk, make, StoreFileStatus.COMPLETED)
    slow = says("a b c d", chunk_delay_seconds=0.2)
    model = on.upstream.script(SEARCHES, slow)
    run = await on.create(model=model)
    await asked(on, 2, model)

    await delete(on, f"/vector_stores/{store}" if what == "store" else f"/files/{file}")

    assert (await on.settled(run["id"]))["status"] == "completed"
    assert "basalt" in on.upstream.requests(model)[1]["messages"][-1]["content"]
    search, _ = await on.steps(run["id"])
    (made,) = search["step_details"]["tool_calls"]
    assert made["file_search"]["results"][0]["file_id"] == file


async def test_a_picture_deleted_while_a_run_waits_is_said_to_be_gone(
    talk: Begin, make: Make
) -> None:
    on = await talk(calls(("add", {})), says("Gone."), tools=[ADD])
    file = await make.file(b"\x89PNG\r\n\x1a\n", filename="dot.png", purpose="vision")
    image = {"type": "image_file", "image_file": {"file_id": file.id}}
    await on.api.post(f"{on.path}/messages", json={"role": "user", "content": [image]})
    run = await on.run()
    await delete(on, f"/files/{file.id}")

    await on.submit(run, "1")

    assert (await on.settled(run["id"]))["status"] == "completed"
    (part,) = on.requests[1]["messages"][1]["content"]
    assert "not there" in part["text"]


@pytest.mark.docker
@pytest.mark.xdist_group("sandbox")
@pytest.mark.usefixtures("sandbox")
async def test_code_does_without_a_file_that_was_deleted(
    talk: Begin, make: Make
) -> None:
    kept = await make.file("kept", filename="kept.txt")
    gone = await make.file("gone", filename="gone.txt")
    code = "import os; print(sorted(os.listdir('/mnt/data')))"
    on = await talk(
        calls(("add", {})),
        calls(("code_interpreter", {"code": code})),
        says("Looked."),
        tools=[ADD, CODE],
        tool_resources={"code_interpreter": {"file_ids": [kept.id, gone.id]}},
    )
    run = await on.run()
    await delete(on, f"/files/{gone.id}")

    await on.submit(run, "1")

    assert (await on.settled(run["id"], seconds=60))["status"] == "completed"
    told = on.requests[2]["messages"][-1]["content"]
    assert "kept.txt" in told
    assert "gone.txt" not in told
    assert on.requests[1]["messages"][0]["content"] == "Files in /mnt/data: kept.txt"


async def test_everything_at_once_ends_in_an_end(talk: Begin, make: Make) -> None:
    on, store, file = await searching(talk, make, StoreFileStatus.COMPLETED)
    async with on.streaming() as stream:
        events = [await anext(stream)]
        await asyncio.gather(
            delete(on, f"/assistants/{on.assistant_id}"),
            delete(on, f"/vector_stores/{store}"),
            delete(on, f"/files/{file}"),
            delete(on, on.path),
        )
        events += [event async for event in stream]

    assert names(events)[-1] == "done"
    assert names(events)[-2] in ("thread.run.cancelled", "thread.run.completed")
    assert (await on.api.get(on.path)).status_code == 404
    listed = await call(on.api, "GET", "/vector_stores")
    assert listed["data"] == []
