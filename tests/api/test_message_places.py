"""Messages put before and after others: lists and pages follow their place."""

from typing import Any

import httpx2
import pytest

from runtime.threads.models import Thread
from tests.api.logged import add_messages
from tests.api.saying import listed, say, texts
from tests.support.envelope import check_error
from tests.support.make import Make

Json = dict[str, Any]


@pytest.fixture
async def thread(make: Make) -> Thread:
    return await make.thread()


@pytest.fixture
def path(thread: Thread) -> str:
    """The thread's messages."""
    return f"/threads/{thread.id}/messages"


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
