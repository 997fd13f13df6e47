"""Messages rewritten, and messages put in between: lists follow, and so do models."""

from typing import Any

import httpx2
import pytest

from runtime.runs.models import RunStatus
from runtime.threads.models import Item, ItemStatus, Thread
from tests.api.logged import add_messages
from tests.engine.talk import ADD, begin, call, text
from tests.support.envelope import check_error
from tests.support.make import Make
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Json = dict[str, Any]


@pytest.fixture
async def thread(make: Make) -> Thread:
    return await make.thread()


@pytest.fixture
def path(thread: Thread) -> str:
    """The thread's messages."""
    return f"/threads/{thread.id}/messages"


async def say(api: httpx2.AsyncClient, path: str, content: str, **body: Any) -> str:
    """Add a message; its id."""
    sent = {"role": "user", "content": content, **body}
    id: str = (await call(api, "POST", path, json=sent))["id"]
    return id


async def texts(api: httpx2.AsyncClient, path: str, **params: Any) -> list[str]:
    """What the messages say, oldest first."""
    return [text(message) for message in await listed(api, path, **params)]


async def listed(api: httpx2.AsyncClient, path: str, **params: Any) -> list[Json]:
    params = {"order": "asc", "limit": 100, **params}
    data: list[Json] = (await call(api, "GET", path, params=params))["data"]
    return data


async def test_new_content_stands_for_all_of_the_old(
    api: httpx2.AsyncClient, make: Make, path: str
) -> None:
    file = await make.file(b"\x89PNG", filename="a.png", purpose="vision")
    attached = {"file_id": file.id, "tools": [{"type": "code_interpreter"}]}
    sent = {
        "role": "user",
        "content": "Old.",
        "metadata": {"a": "b"},
        "attachments": [attached],
    }
    old = await call(api, "POST", path, json=sent)
    picture = {"type": "image_file", "image_file": {"file_id": file.id}}
    content = [{"type": "text", "text": "New."}, picture]

    new = await call(api, "POST", f"{path}/{old['id']}", json={"content": content})

    assert new["content"] == [
        {"type": "text", "text": {"value": "New.", "annotations": []}},
        picture,
    ]
    assert {**new, "content": None} == {**old, "content": None}
    assert await call(api, "GET", f"{path}/{old['id']}") == new


async def test_metadata_and_content_change_together_or_alone(
    api: httpx2.AsyncClient, path: str
) -> None:
    own = f"{path}/{await say(api, path, 'Old.', metadata={'a': 'b'})}"

    both = await call(
        api, "POST", own, json={"content": "New.", "metadata": {"c": "d"}}
    )
    alone = await call(api, "POST", own, json={"metadata": None})

    assert (text(both), both["metadata"]) == ("New.", {"c": "d"})
    assert (text(alone), alone["metadata"]) == ("New.", {})


async def test_an_edited_answer_loses_its_annotations_and_is_whole(
    api: httpx2.AsyncClient, make: Make, thread: Thread, path: str
) -> None:
    cited = {
        "kind": "file_citation",
        "file_id": "file-x",
        "filename": "x.txt",
        "marker": "【0:0†x.txt】",
        "start": 3,
    }
    part = {"type": "text", "text": "So.", "annotations": [cited]}
    answer = await make.message(
        thread,
        role="assistant",
        status=ItemStatus.INCOMPLETE,
        incomplete_reason="max_tokens",
        body={"content": [part], "attachments": []},
    )

    edited = await call(api, "POST", f"{path}/{answer.id}", json={"content": "No."})

    assert edited["content"] == [
        {"type": "text", "text": {"value": "No.", "annotations": []}}
    ]
    assert (edited["status"], edited["incomplete_details"]) == ("completed", None)


async def test_messages_are_put_before_and_after_others(
    api: httpx2.AsyncClient, path: str
) -> None:
    first = await say(api, path, "1")
    last = await say(api, path, "5")

    third = await say(api, path, "3", after=first)
    await say(api, path, "2", before=third)
    await say(api, path, "4", before=last)
    await say(api, path, "6", after=last)
    await say(api, path, "0", before=first)
    await say(api, path, "7")

    assert await texts(api, path) == list("01234567")
    assert await texts(api, path, after=third, limit=2) == ["4", "5"]
    assert await texts(api, path, before=third, order="desc", limit=3) == list("654")


@pytest.mark.parametrize("crowded", [False, True], ids=["roomy", "crowded"])
@pytest.mark.parametrize("beside", ["before", "after"])
async def test_a_place_takes_any_number_of_messages(
    api: httpx2.AsyncClient, make: Make, beside: str, crowded: bool
) -> None:
    thread = await make.thread()
    rest = [f"rest {n}" for n in range(100)]
    first, second, *_ = await add_messages(
        make, thread, ["first", "second", *rest], crowded=crowded
    )
    path = f"/threads/{thread.id}/messages"
    anchor = second if beside == "before" else first

    for n in range(50):
        await say(api, path, str(n), **{beside: anchor.id})
    await say(api, path, "end")

    between = [str(n) for n in range(50)]
    if beside == "after":
        between.reverse()
    page = await texts(api, path)
    page += await texts(api, path, after=(await listed(api, path))[-1]["id"])
    assert page == ["first", *between, "second", *rest, "end"]


async def test_a_deleted_neighbour_and_one_elsewhere_are_no_place(
    api: httpx2.AsyncClient, make: Make, thread: Thread, path: str
) -> None:
    kept = await say(api, path, "kept")
    gone = await say(api, path, "gone")
    await api.delete(f"{path}/{gone}")
    elsewhere = await make.message(await make.thread())

    for wrong in (gone, elsewhere.id, "msg_none", thread.id, "", "x" * 5000):
        for beside in ("before", "after"):
            body = {"role": "user", "content": "x", beside: wrong}
            check_error(await api.post(path, json=body), 400, param=beside)
    assert await texts(api, path) == ["kept"]
    # The place of the deleted one does not stand in the way.
    await say(api, path, "next", after=kept)
    assert await texts(api, path) == ["kept", "next"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"before": "msg_a", "after": "msg_b"}, "after"),
        ({"before": None}, "before"),
        ({"after": 5}, "after"),
        ({"after": "a\0"}, "after"),
        ({"at": "msg_a"}, "at"),
    ],
    ids=str,
)
async def test_what_is_no_place_is_refused(
    api: httpx2.AsyncClient, path: str, body: Json, param: str
) -> None:
    sent = {"role": "user", "content": "x", **body}

    check_error(await api.post(path, json=sent), 400, param=param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"content": None}, "content"),
        ({"content": ""}, "content"),
        ({"content": []}, "content"),
        ({"content": "a\0"}, "content"),
        ({"content": "x" * 256_001}, "content"),
        ({"content": [{"type": "video"}]}, "content[0].type"),
        ({"content": "x", "role": "user"}, "role"),
        ({"attachments": []}, "attachments"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_no_message_can_say_is_refused(
    api: httpx2.AsyncClient, path: str, body: Json, param: str
) -> None:
    own = f"{path}/{await say(api, path, 'Old.')}"

    check_error(await api.post(own, json=body), 400, param=param)

    assert await texts(api, path) == ["Old."]


async def test_a_picture_nobody_has_is_not_put_into_a_message(
    api: httpx2.AsyncClient, path: str
) -> None:
    own = f"{path}/{await say(api, path, 'Old.')}"
    picture = {"type": "image_file", "image_file": {"file_id": "file-none"}}

    response = await api.post(own, json={"content": [picture]})

    assert response.status_code in (400, 404)
    assert response.json()["error"]["param"] == "content[0].image_file.file_id"
    assert await texts(api, path) == ["Old."]


async def test_messages_beside_others_are_for_their_own_request_only(
    api: httpx2.AsyncClient, make: Make, path: str
) -> None:
    there = await say(api, path, "x")
    message = {"role": "user", "content": "x", "after": there}
    assistant = await make.assistant()

    response = await api.post("/threads", json={"messages": [message]})
    check_error(response, 400, param="messages[0].after")
    body = {"assistant_id": assistant.id, "additional_messages": [message]}
    response = await api.post(f"{path.removesuffix('/messages')}/runs", json=body)
    check_error(response, 400, param="additional_messages[0].after")


async def test_a_thread_with_a_live_run_is_not_rewritten(
    api: httpx2.AsyncClient, make: Make, thread: Thread, path: str
) -> None:
    there = await say(api, path, "x")
    run = await make.run(thread, status=RunStatus.REQUIRES_ACTION)

    edited = await api.post(f"{path}/{there}", json={"content": "y"})
    put = await api.post(path, json={"role": "user", "content": "y", "before": there})

    check_error(edited, 400, says=run.id)
    check_error(put, 400, says=run.id)
    changed = await call(api, "POST", f"{path}/{there}", json={"metadata": {"a": "b"}})
    assert changed["metadata"] == {"a": "b"}
    assert await texts(api, path) == ["x"]


async def test_a_model_reads_what_was_edited_and_put_in(
    api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None
) -> None:
    on = await begin(
        api,
        upstream,
        calls(("add", {"a": 1, "b": 1})),
        says("Two."),
        says("Fine."),
        tools=[ADD],
        say="How much is 1 + 1?",
    )
    run = await on.run()
    await on.submit(run, "2")
    await on.settled(run["id"])
    question, answer = (message["id"] for message in await on.messages())
    path = f"{on.path}/messages"

    await say(api, path, "In words.", before=answer)
    await call(api, "POST", f"{path}/{question}", json={"content": "What is 1 + 1?"})
    await call(api, "POST", f"{path}/{answer}", json={"content": "It is two."})
    await say(api, path, "Thank you.")
    await on.run()

    sent = on.requests[-1]["messages"]
    assert [(m["role"], m["content"]) for m in sent] == [
        ("user", "What is 1 + 1?"),
        ("user", "In words."),
        # The call stays with the answer that it led to.
        ("assistant", None),
        ("tool", "2"),
        ("assistant", "It is two."),
        ("user", "Thank you."),
    ]


async def test_another_projects_messages_are_not_edited(
    stranger: httpx2.AsyncClient, make: Make, thread: Thread, path: str
) -> None:
    message: Item = await make.message(thread, "Mine.")

    response = await stranger.post(f"{path}/{message.id}", json={"content": "Yours."})
    check_error(response, 404)
    own = await call(stranger, "POST", "/threads")
    body = {"role": "user", "content": "x", "after": message.id}
    response = await stranger.post(f"/threads/{own['id']}/messages", json=body)
    check_error(response, 400, param="after")
