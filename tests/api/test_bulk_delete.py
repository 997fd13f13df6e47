"""`POST /threads/delete`: many threads at once, by ids or by metadata."""

import asyncio
from typing import Any

import httpx2
import pytest

from runtime.runs.models import RunStatus
from tests.engine.talk import call
from tests.support.envelope import check_error
from tests.support.make import Make

Json = dict[str, Any]


async def delete(api: httpx2.AsyncClient, **body: Any) -> Json:
    return await call(api, "POST", "/threads/delete", json=body)


async def left(api: httpx2.AsyncClient) -> list[str]:
    return [t["id"] for t in (await call(api, "GET", "/threads"))["data"]]


async def test_threads_go_by_their_ids_and_each_is_answered_for(
    api: httpx2.AsyncClient, make: Make
) -> None:
    one, two, kept = [(await make.thread()).id for _ in range(3)]

    answer = await delete(api, thread_ids=[two, "thread_none", one, two])

    assert answer == {
        "object": "list",
        "data": [
            {"id": two, "object": "thread.deleted", "deleted": True},
            {"id": "thread_none", "object": "thread.deleted", "deleted": False},
            {"id": one, "object": "thread.deleted", "deleted": True},
        ],
        "first_id": two,
        "last_id": one,
        "has_more": False,
    }
    assert await left(api) == [kept]
    assert (await api.get(f"/threads/{one}")).status_code == 404
    # Once more: they are gone already.
    again = await delete(api, thread_ids=[one, two])
    assert [told["deleted"] for told in again["data"]] == [False, False]


async def test_threads_go_by_metadata_a_hundred_at_a_time(
    api: httpx2.AsyncClient, make: Make
) -> None:
    theirs = [
        await make.thread(metadata_={"user": "42", "n": str(n)}) for n in range(103)
    ]
    other = await make.thread(metadata_={"user": "43"})

    first = await delete(api, metadata={"user": "42"})
    second = await delete(api, metadata={"user": "42"})
    third = await delete(api, metadata={"user": "42"})

    ids = [thread.id for thread in theirs]
    assert [told["id"] for told in first["data"]] == ids[:100]
    assert first["has_more"]
    assert [told["id"] for told in second["data"]] == ids[100:]
    assert not second["has_more"]
    assert third["data"] == []
    assert (third["first_id"], third["last_id"]) == ("", "")
    assert await left(api) == [other.id]


async def test_what_runs_on_them_is_stopped(
    api: httpx2.AsyncClient, make: Make
) -> None:
    statuses = (RunStatus.QUEUED, RunStatus.REQUIRES_ACTION, RunStatus.IN_PROGRESS)
    runs = [await make.run(status=status) for status in statuses]

    answer = await delete(api, thread_ids=[run.thread_id for run in runs])

    assert all(told["deleted"] for told in answer["data"])
    async with make.db.transaction() as session:
        rows = [await session.get_one(type(run), run.pk) for run in runs]
    assert [row.status for row in rows] == [
        RunStatus.CANCELLED,
        RunStatus.CANCELLED,
        RunStatus.CANCELLING,
    ]


async def test_two_who_delete_the_same_threads_share_them(
    api: httpx2.AsyncClient, make: Make
) -> None:
    ids = [(await make.run(status=RunStatus.QUEUED)).thread_id for _ in range(20)]

    answers = await asyncio.gather(
        *(delete(api, thread_ids=ids[::step]) for step in (1, -1, 1, -1))
    )

    told = [told for answer in answers for told in answer["data"] if told["deleted"]]
    assert sorted(t["id"] for t in told) == sorted(str(id) for id in ids)


async def test_another_projects_threads_stay_and_nothing_is_told_of_them(
    stranger: httpx2.AsyncClient, api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread(metadata_={"user": "42"})

    by_id = await delete(stranger, thread_ids=[thread.id])
    by_metadata = await delete(stranger, metadata={"user": "42"})

    assert by_id["data"] == [
        {"id": thread.id, "object": "thread.deleted", "deleted": False}
    ]
    assert by_metadata["data"] == []
    assert await left(api) == [thread.id]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, None),
        ({"thread_ids": []}, "thread_ids"),
        ({"thread_ids": ["x"] * 101}, "thread_ids"),
        ({"thread_ids": None}, "thread_ids"),
        ({"thread_ids": ["a\0"]}, "thread_ids[0]"),
        ({"thread_ids": [5]}, "thread_ids[0]"),
        ({"metadata": {}}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "b"}, "thread_ids": ["x"]}, "metadata"),
        ({"metadata": {"a": "b"}, "limit": 5}, "limit"),
    ],
    ids=str,
)
async def test_what_cannot_be_deleted_so_is_refused(
    api: httpx2.AsyncClient, make: Make, body: Json, param: str | None
) -> None:
    thread = await make.thread(metadata_={"a": "b"})

    check_error(await api.post("/threads/delete", json=body), 400, param=param)

    assert await left(api) == [thread.id]
