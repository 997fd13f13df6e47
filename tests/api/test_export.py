"""`GET /threads/{thread_id}/export`: all of a thread, as its lists show it, at one moment."""

import asyncio
import json
from typing import Any

import httpx2

from runtime.runs.models import RunStatus
from runtime.threads.models import ItemStatus, ItemType, Thread
from runtime.wire.exports import ThreadExport
from tests.api.logged import add_call, add_messages, message_row
from tests.engine.talk import ADD, begin, call
from tests.support.envelope import check_error
from tests.support.make import Make
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Json = dict[str, Any]


async def export(api: httpx2.AsyncClient, thread_id: str) -> Json:
    exported = await call(api, "GET", f"/threads/{thread_id}/export")
    ThreadExport.model_validate(exported)
    return exported


async def listed(api: httpx2.AsyncClient, path: str, **params: Any) -> list[Json]:
    params = {"order": "asc", "limit": 100, **params}
    data: list[Json] = (await call(api, "GET", path, params=params))["data"]
    return data


async def test_an_empty_thread_is_a_whole_document_too(
    api: httpx2.AsyncClient,
) -> None:
    thread = await call(api, "POST", "/threads", json={"metadata": {"ü": '\\"\n'}})

    exported = await export(api, thread["id"])

    assert exported.pop("exported_at") >= thread["created_at"]
    assert exported == {
        "object": "thread.export",
        "thread": thread,
        "messages": [],
        "runs": [],
        "run_steps": [],
        "files": [],
    }


async def test_an_export_holds_what_the_lists_show(
    api: httpx2.AsyncClient, upstream: Upstream, make: Make, runs_worker: None
) -> None:
    on = await begin(
        api,
        upstream,
        calls(("add", {"a": 1})),
        says("One. 👋"),
        calls(("add", {"a": 2})),
        tools=[ADD],
    )
    first = await on.run()
    await on.submit(first, "1")
    await on.settled(first["id"])
    await on.say("Again.")
    second = await on.run()
    assert second["status"] == "requires_action"

    exported = await export(api, on.thread_id)

    assert exported["thread"] == await call(api, "GET", on.path)
    assert exported["messages"] == await on.messages()
    assert exported["runs"] == await listed(api, f"{on.path}/runs")
    assert exported["runs"][1]["required_action"] == second["required_action"]
    assert exported["run_steps"] == [
        *await on.steps(first["id"]),
        *await on.steps(second["id"]),
    ]
    assert [step["run_id"] for step in exported["run_steps"]] == [
        *(first["id"], first["id"], second["id"])
    ]


async def test_the_files_are_those_that_are_named_and_there(
    api: httpx2.AsyncClient, make: Make
) -> None:
    names = ("attached", "seen", "cited", "code", "gone", "drawn", "unnamed")
    files = {name: await make.file(filename=f"{name}.txt") for name in names}
    ids = {name: file.id for name, file in files.items()}
    resources = {"code_interpreter": {"file_ids": [ids["code"]]}}
    thread = await make.thread(tool_resources=resources)
    cited = {
        "kind": "file_citation",
        "file_id": ids["cited"],
        "marker": "【0:0†x】",
        "start": 0,
    }
    content = [
        {"type": "image", "file_id": ids["seen"]},
        {"type": "image", "file_id": ids["gone"]},
        {"type": "text", "text": "So.", "annotations": [cited]},
    ]
    tools = [{"type": "file_search"}]
    attachments = [{"file_id": ids["attached"], "tools": tools}]
    body = {"content": content, "attachments": attachments}
    await make.message(thread, body=body)
    await add_drawing(make, thread, ids["drawn"])
    await api.delete(f"/files/{ids['gone']}")

    exported = await export(api, thread.id)

    order = ("code", "seen", "cited", "attached", "drawn")
    assert [file["id"] for file in exported["files"]] == [ids[name] for name in order]
    assert exported["files"][0] == await call(api, "GET", f"/files/{ids['code']}")


async def add_drawing(make: Make, thread: Thread, file_id: str) -> None:
    """A run whose code drew this picture."""
    run = await make.run(thread, status=RunStatus.COMPLETED)
    image = {"type": "image", "image": {"file_id": file_id}}
    await add_call(
        make,
        run,
        0,
        type=ItemType.CODE_INTERPRETER_CALL,
        name="code_interpreter",
        body={"arguments": "{}", "code": "plot()"},
        output={"outputs": [image]},
        status=ItemStatus.COMPLETED,
    )


async def test_it_comes_as_a_file_to_be_saved(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()

    response = await api.get(f"/threads/{thread.id}/export")

    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))
    assert f'filename="{thread.id}.json"' in response.headers["content-disposition"]
    assert response.headers["content-disposition"].startswith("attachment;")
    assert response.headers["x-request-id"]


async def test_a_long_thread_is_exported_as_it_was_at_one_moment(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread(metadata_={"count": "250"})
    await add_messages(make, thread, ["x"] * 250)
    path = f"/threads/{thread.id}/messages"
    done = False

    async def go_on() -> int:
        count = 250
        while not done:
            # One fact in two rows that are read at two times.
            async with make.db.transaction() as session:
                row = await session.get_one(Thread, thread.pk, with_for_update=True)
                count += 1
                row.metadata_ = {"count": str(count)}
                session.add(message_row(row, str(count)))
            await asyncio.sleep(0)
        return count

    writing = asyncio.create_task(go_on())
    exports = [await export(api, thread.id) for _ in range(5)]
    done = True
    written = await writing

    counts = [len(exported["messages"]) for exported in exports]
    assert [int(exported["thread"]["metadata"]["count"]) for exported in exports] == (
        counts
    )
    assert 250 < counts[-1] <= written
    assert exports[-1]["messages"][:100] == await listed(api, path)


async def test_a_slow_reader_gets_all_of_it(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    for _ in range(20):
        await make.message(thread, "é" * 100_000)

    async with api.stream("GET", f"/threads/{thread.id}/export") as response:
        pieces = []
        async for piece in response.aiter_bytes(500_000):
            pieces.append(piece)
            await asyncio.sleep(0.05)

    exported = json.loads(b"".join(pieces))
    assert len(exported["messages"]) == 20
    # And one who leaves in the middle harms nobody.
    async with api.stream("GET", f"/threads/{thread.id}/export") as response:
        await anext(response.aiter_bytes(1000))
    assert (await api.get(f"/threads/{thread.id}")).status_code == 200


async def test_what_is_not_there_is_refused_in_the_envelope(
    api: httpx2.AsyncClient, stranger: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()

    check_error(await api.get("/threads/thread_none/export"), 404)
    check_error(await stranger.get(f"/threads/{thread.id}/export"), 404)
    await api.delete(f"/threads/{thread.id}")
    check_error(await api.get(f"/threads/{thread.id}/export"), 404)
