"""`POST /threads/{thread_id}/fork`: a copy that a run reads as it would the original."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from runtime.runs.models import Container, RunStatus
from runtime.threads.models import Item, ItemStatus, Thread
from tests.api.logged import add_call
from tests.engine.talk import call, text
from tests.support.envelope import check_error
from tests.support.make import Make

Json = dict[str, Any]


async def fork(api: httpx2.AsyncClient, thread_id: str, **body: Any) -> Json:
    return await call(api, "POST", f"/threads/{thread_id}/fork", json=body)


async def messages(api: httpx2.AsyncClient, thread_id: str) -> list[Json]:
    """The messages, oldest first."""
    path = f"/threads/{thread_id}/messages"
    page = await call(api, "GET", path, params={"order": "asc", "limit": 100})
    data: list[Json] = page["data"]
    return data


async def items(make: Make, thread_id: str) -> list[Item]:
    """The whole log, in order."""
    query = (
        select(Item)
        .join(Thread, Thread.pk == Item.thread_pk)
        .where(Thread.id == thread_id)
        .order_by(Item.seq)
    )
    async with make.db.transaction() as session:
        return list(await session.scalars(query))


async def test_a_fork_holds_the_same_under_ids_of_its_own(
    api: httpx2.AsyncClient, make: Make
) -> None:
    file, store = await make.file(), await make.store()
    resources = {
        "code_interpreter": {"file_ids": [file.id]},
        "file_search": {"vector_store_ids": [store.id]},
    }
    sent = [
        {"role": "user", "content": "one", "metadata": {"n": "1"}},
        {"role": "assistant", "content": "two"},
    ]
    body = {"messages": sent, "metadata": {"a": "b"}, "tool_resources": resources}
    original = await call(api, "POST", "/threads", json=body)

    copy = await fork(api, original["id"])

    assert copy["id"] != original["id"]
    assert copy["object"] == "thread"
    assert copy["metadata"] == {"a": "b"}
    assert copy["tool_resources"] == resources
    assert await call(api, "GET", f"/threads/{copy['id']}") == copy
    theirs = await messages(api, original["id"])
    ours = await messages(api, copy["id"])
    assert {m["id"] for m in ours}.isdisjoint(m["id"] for m in theirs)
    assert all(m["id"].startswith("msg_") for m in ours)
    assert all(m["thread_id"] == copy["id"] for m in ours)
    own: Json = {"id": None, "thread_id": None}
    assert [m | own for m in ours] == [m | own for m in theirs]


async def test_a_fork_ends_with_the_message_that_is_named(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    said = [await make.message(thread, word) for word in ("one", "two", "three")]

    copy = await fork(api, thread.id, message_id=said[1].id)

    assert [text(m) for m in await messages(api, copy["id"])] == ["one", "two"]
    # And goes on by itself.
    more = {"role": "user", "content": "four"}
    await call(api, "POST", f"/threads/{copy['id']}/messages", json=more)
    assert [text(m) for m in await messages(api, copy["id"])] == ["one", "two", "four"]
    assert len(await messages(api, thread.id)) == 3


async def test_a_body_is_not_needed(api: httpx2.AsyncClient, make: Make) -> None:
    thread = await make.thread()

    copy = await call(api, "POST", f"/threads/{thread.id}/fork")

    assert await messages(api, copy["id"]) == []
    await call(
        api,
        "POST",
        f"/threads/{copy['id']}/messages",
        json={"role": "user", "content": "x"},
    )


@pytest.mark.parametrize(
    ("body", "metadata"),
    [
        ({}, {"a": "b"}),
        ({"metadata": {"c": "d"}}, {"c": "d"}),
        ({"metadata": {}}, {}),
        ({"metadata": None}, {}),
    ],
    ids=str,
)
async def test_metadata_left_out_are_the_originals(
    api: httpx2.AsyncClient, make: Make, body: Json, metadata: Json
) -> None:
    thread = await make.thread(metadata_={"a": "b"})

    assert (await fork(api, thread.id, **body))["metadata"] == metadata


async def test_deleted_messages_stay_behind(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    gone = await make.message(thread, "gone")
    await make.message(thread, "kept")
    await api.delete(f"/threads/{thread.id}/messages/{gone.id}")

    copy = await fork(api, thread.id)

    assert [text(m) for m in await messages(api, copy["id"])] == ["kept"]
    response = await api.post(
        f"/threads/{thread.id}/fork", json={"message_id": gone.id}
    )
    check_error(response, 400, param="message_id")


async def test_citations_and_pictures_go_along(
    api: httpx2.AsyncClient, make: Make
) -> None:
    file = await make.file()
    thread = await make.thread()
    cited = {
        "kind": "file_citation",
        "file_id": file.id,
        "filename": "notes.txt",
        "quote": "Some notes.",
        "marker": "【0:0†notes.txt】",
        "start": 2,
    }
    content = [
        {"type": "image", "file_id": file.id},
        {"type": "text", "text": "So.", "annotations": [cited]},
    ]
    await make.message(
        thread, role="assistant", body={"content": content, "attachments": []}
    )

    copy = await fork(api, thread.id)

    (ours,), (theirs,) = (
        await messages(api, copy["id"]),
        await messages(api, thread.id),
    )
    assert ours["content"] == theirs["content"]
    assert ours["content"][1]["text"]["annotations"][0]["text"] == cited["marker"]


async def test_of_a_live_run_what_is_finished_is_taken(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    await make.message(thread, "Add.")
    # Nobody answered a call of this run before it was cancelled.
    ended = await make.run(thread, status=RunStatus.CANCELLED)
    await add_call(make, ended, 0)
    live = await make.run(thread, status=RunStatus.REQUIRES_ACTION)
    done: Json = {"output": {"text": "2"}, "status": ItemStatus.COMPLETED}
    await add_call(make, live, 0, **done)
    await add_call(make, live, 1)

    copy = await fork(api, thread.id)

    log = await items(make, copy["id"])
    assert [item.output for item in log] == [None, None, {"text": "2"}]
    assert len({item.turn for item in log[1:]}) == 2
    owners = {owner for i in log for owner in (i.run_pk, i.run_id, i.step_pk)}
    assert owners == {None}
    # The fork is free, and the original waits as before.
    more = {"role": "user", "content": "Go on."}
    path = f"/threads/{copy['id']}/messages"
    await call(api, "POST", path, json=more)
    run = await call(api, "GET", f"/threads/{thread.id}/runs/{live.id}")
    assert run["status"] == "requires_action"
    (waiting,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert waiting["id"] not in {item.call_id for item in log}


async def test_files_that_code_wrote_lie_on_the_forks_desk_too(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    before = await make.file(filename="before.csv")
    message = await make.message(thread, "Written.")
    after = await make.file(filename="after.csv")
    written = {"before.csv": before.id, "after.csv": after.id}
    async with make.db.transaction() as session:
        session.add(
            Container(
                project_id=make.project.id,
                thread_pk=thread.pk,
                epoch="one",
                held=written,
                written=written,
            )
        )

    whole = await fork(api, thread.id)
    part = await fork(api, thread.id, message_id=message.id)

    async with make.db.transaction() as session:
        desks = {
            thread_id: container
            for thread_id, container in await session.execute(
                select(Thread.id, Container).join(
                    Container, Container.thread_pk == Thread.pk
                )
            )
        }
    assert desks[whole["id"]].written == written
    assert desks[part["id"]].written == {"before.csv": before.id}
    # What lies in a container lies in that one only.
    assert (desks[whole["id"]].epoch, desks[whole["id"]].held) == (None, {})


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"message_id": None}, "message_id"),
        ({"message_id": "msg_none"}, "message_id"),
        ({"message_id": "a\0"}, "message_id"),
        ({"message_id": 5}, "message_id"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"messages": []}, "messages"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_is_no_fork_is_refused(
    api: httpx2.AsyncClient, make: Make, body: Json, param: str
) -> None:
    thread = await make.thread()

    response = await api.post(f"/threads/{thread.id}/fork", json=body)

    check_error(response, 400, param=param)
    assert len((await call(api, "GET", "/threads"))["data"]) == 1


async def test_a_message_of_another_thread_is_no_end(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    elsewhere = await make.message(await make.thread())

    body = {"message_id": elsewhere.id}
    response = await api.post(f"/threads/{thread.id}/fork", json=body)

    check_error(response, 400, param="message_id")
