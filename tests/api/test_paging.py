"""Lists, a page at a time: both orders, both cursors, while the list grows."""

from typing import Any

import httpx2
import pytest

from runtime.runs.models import RunStatus, RunStep, StepStatus, StepType
from tests.support.make import Make

Listing = tuple[str, list[str]]


@pytest.fixture(params=["messages", "runs", "steps"])
async def listing(request: pytest.FixtureRequest, make: Make) -> Listing:
    """The address of a list of seven, and their ids, oldest first."""
    thread = await make.thread()
    path = f"/threads/{thread.id}"
    if request.param == "messages":
        ids = [(await make.message(thread, f"m{n}")).id for n in range(7)]
        return f"{path}/messages", ids
    if request.param == "runs":
        done = RunStatus.COMPLETED
        ids = [(await make.run(thread, status=done)).id for _ in range(7)]
        return f"{path}/runs", ids
    run = await make.run(thread, status=RunStatus.COMPLETED)
    steps = [
        RunStep(
            project_id=run.project_id,
            id=f"step_{n}_{run.id}",
            run_pk=run.pk,
            # Not in the order of their keys: a later turn's step has a later place.
            idx=n,
            turn=n,
            type=StepType.MESSAGE_CREATION,
            status=StepStatus.COMPLETED,
        )
        for n in range(7)
    ]
    async with make.db.transaction() as session:
        session.add_all(steps[::-1])
    return f"{path}/runs/{run.id}/steps", [step.id for step in steps]


async def page(api: httpx2.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    response = await api.get(path, params=params)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def ids_of(body: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in body["data"]]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_forward_make_up_the_list(
    api: httpx2.AsyncClient, listing: Listing, order: str
) -> None:
    path, ids = listing
    seen: list[str] = []
    more: dict[str, Any] = {}
    while True:
        body = await page(api, path, order=order, limit=3, **more)
        seen += ids_of(body)
        assert (body["first_id"], body["last_id"]) == (
            seen[-len(body["data"])],
            seen[-1],
        )
        if not body["has_more"]:
            break
        more = {"after": body["last_id"]}

    assert seen == (ids if order == "asc" else ids[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_backward_make_up_the_list(
    api: httpx2.AsyncClient, listing: Listing, order: str
) -> None:
    path, ids = listing
    wanted = ids if order == "asc" else ids[::-1]
    seen = wanted[-1:]
    while True:
        body = await page(api, path, order=order, limit=2, before=seen[0])
        seen = ids_of(body) + seen
        if not body["has_more"]:
            break

    assert seen == wanted


async def test_a_page_between_two_cursors(
    api: httpx2.AsyncClient, listing: Listing
) -> None:
    path, ids = listing

    body = await page(api, path, order="asc", after=ids[1], before=ids[4])

    assert ids_of(body) == ids[2:4]
    assert body["has_more"] is False


async def test_newest_first_and_twenty_unless_asked_otherwise(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    ids = [(await make.message(thread)).id for _ in range(21)]

    body = await page(api, f"/threads/{thread.id}/messages")

    assert ids_of(body) == ids[:0:-1]
    assert body["has_more"] is True


async def test_an_empty_list_has_no_cursors(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()

    body = await page(api, f"/threads/{thread.id}/messages")

    assert body == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_what_comes_meanwhile_moves_no_page(
    api: httpx2.AsyncClient, make: Make, order: str
) -> None:
    thread = await make.thread()
    ids = [(await make.message(thread)).id for _ in range(6)]
    path = f"/threads/{thread.id}/messages"
    seen: list[str] = []
    more: dict[str, Any] = {}
    came: list[str] = []
    while True:
        body = await page(api, path, order=order, limit=2, **more)
        seen += ids_of(body)
        if not body["has_more"] or len(came) > 3:
            break
        more = {"after": body["last_id"]}
        came.append((await make.message(thread)).id)

    assert len(seen) == len(set(seen))
    wanted = [*ids, *came] if order == "asc" else ids[::-1]
    assert seen == wanted[: len(seen)]
    assert set(ids) <= set(seen)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"order": "random"}, "order"),
        ({"after": "nobody"}, "after"),
        ({"before": "nobody"}, "before"),
        ({"after": "a\0b"}, None),
    ],
    ids=str,
)
async def test_what_is_no_page_is_refused(
    api: httpx2.AsyncClient,
    listing: Listing,
    params: dict[str, Any],
    param: str | None,
) -> None:
    path, _ = listing

    response = await api.get(path, params=params)

    assert response.status_code == 400, response.text
    assert response.json()["error"]["type"] == "invalid_request_error"
    if param:
        assert response.json()["error"]["param"] == param


async def test_another_threads_message_is_no_cursor(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, other = await make.thread(), await make.thread()
    elsewhere = await make.message(other)

    response = await api.get(
        f"/threads/{thread.id}/messages", params={"after": elsewhere.id}
    )

    assert response.status_code == 400
