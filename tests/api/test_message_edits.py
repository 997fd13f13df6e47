"""Messages rewritten, and what of it a model reads."""

from typing import Any

import httpx2
import pytest

from runtime.runs.models import RunStatus
from runtime.threads.models import Item, ItemStatus, Thread
from tests.api.saying import say, texts
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
