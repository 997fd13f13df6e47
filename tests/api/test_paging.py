"""Every list, a page at a time: both orders, both cursors, while the list changes."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.api.listings import LISTINGS, SIZE, Listing
from tests.support.envelope import check_error
from tests.support.make import Make

# What the official document gives no `before`.
_FORWARD_ONLY = {"files"}


@pytest.fixture(params=LISTINGS)
async def listing(request: pytest.FixtureRequest, make: Make) -> Listing:
    return await LISTINGS[request.param](make)


@pytest.fixture(params=sorted(LISTINGS.keys() - _FORWARD_ONLY))
async def two_way(request: pytest.FixtureRequest, make: Make) -> Listing:
    """A list that can be read backwards too."""
    return await LISTINGS[request.param](make)


async def page(api: httpx2.AsyncClient, path: str, **params: Any) -> dict[str, Any]:
    response = await api.get(path, params=params)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    ids = ids_of(body)
    assert body["object"] == "list"
    assert body["first_id"] == (ids[0] if ids else "")
    assert body["last_id"] == (ids[-1] if ids else "")
    return body


def ids_of(body: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in body["data"]]


def in_order(listing: Listing, order: str) -> list[str]:
    return listing.ids if order == "asc" else listing.ids[::-1]


async def pages(
    api: httpx2.AsyncClient, path: str, **params: Any
) -> AsyncIterator[list[str]]:
    """Page after page, as the official clients walk: by the last id, while there is more."""
    more: dict[str, Any] = {}
    while True:
        body = await page(api, path, **params, **more)
        yield ids_of(body)
        if not body["has_more"]:
            return
        more = {"after": body["last_id"]}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_of_any_size_make_up_the_list(
    api: httpx2.AsyncClient, listing: Listing, order: str
) -> None:
    wanted = in_order(listing, order)
    for limit in range(1, SIZE + 2):
        walked = [
            ids async for ids in pages(api, listing.path, limit=limit, order=order)
        ]

        assert [id for ids in walked for id in ids] == wanted
        # None is empty, and none but the last is short.
        assert [len(ids) for ids in walked[:-1]] == [limit] * (len(walked) - 1)
        assert walked[-1]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_of_any_size_make_up_the_list_backwards(
    api: httpx2.AsyncClient, two_way: Listing, order: str
) -> None:
    wanted = in_order(two_way, order)
    for limit in range(1, SIZE + 2):
        seen = wanted[-1:]
        while True:
            body = await page(
                api, two_way.path, limit=limit, order=order, before=seen[0]
            )
            seen = ids_of(body) + seen
            if not body["has_more"]:
                break

        assert seen == wanted


async def test_a_page_between_two_cursors(
    api: httpx2.AsyncClient, two_way: Listing
) -> None:
    path, ids = two_way.path, two_way.ids
    between = {"order": "asc", "after": ids[1], "before": ids[5]}

    assert ids_of(await page(api, path, **between)) == ids[2:5]
    some = await page(api, path, **between, limit=2)
    assert (ids_of(some), some["has_more"]) == (ids[2:4], True)
    crossed = await page(api, path, order="asc", after=ids[5], before=ids[1])
    assert (ids_of(crossed), crossed["has_more"]) == ([], False)


async def test_a_page_beyond_either_end_is_empty(
    api: httpx2.AsyncClient, two_way: Listing
) -> None:
    for cursor in ({"after": two_way.ids[-1]}, {"before": two_way.ids[0]}):
        body = await page(api, two_way.path, order="asc", **cursor)

        assert (body["data"], body["has_more"]) == ([], False)


async def test_newest_first_and_all_of_a_few_unless_asked_otherwise(
    api: httpx2.AsyncClient, listing: Listing
) -> None:
    body = await page(api, listing.path)

    assert ids_of(body) == listing.ids[::-1]
    assert body["has_more"] is False


async def test_twenty_to_a_page_unless_asked_otherwise(
    api: httpx2.AsyncClient, two_way: Listing
) -> None:
    await two_way.add(14)

    body = await page(api, two_way.path)

    assert (len(body["data"]), body["has_more"]) == (20, True)


async def test_a_cursor_that_is_empty_is_none(
    api: httpx2.AsyncClient, listing: Listing
) -> None:
    assert await page(api, listing.path, after="") == await page(api, listing.path)


async def test_an_empty_list_has_no_cursors(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread, store = await make.thread(), await make.store()
    for path in (
        "/assistants",
        "/files",
        f"/threads/{thread.id}/messages",
        f"/threads/{thread.id}/runs",
        f"/vector_stores/{store.id}/files",
    ):
        assert await page(api, path) == {
            "object": "list",
            "data": [],
            "first_id": "",
            "last_id": "",
            "has_more": False,
        }


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_what_comes_meanwhile_moves_no_page(
    api: httpx2.AsyncClient, listing: Listing, order: str
) -> None:
    came: list[str] = []
    seen: list[str] = []
    async for ids in pages(api, listing.path, order=order, limit=2):
        seen += ids
        if len(came) < 4:
            came += await listing.add(2)

    # Going up, what comes is met at the end; going down, it lies behind.
    assert seen == ([*listing.ids, *came] if order == "asc" else listing.ids[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_what_one_walks_through_can_be_deleted_on_the_way(
    api: httpx2.AsyncClient, make: Make, order: str
) -> None:
    for build in LISTINGS.values():
        listing = await build(make)
        if listing.delete is None:
            continue
        seen: list[str] = []
        async for ids in pages(api, listing.path, order=order, limit=2):
            for id in ids:
                deleted = await api.delete(f"{listing.delete}/{id}")
                assert deleted.status_code == 200
            seen += ids

        assert seen == in_order(listing, order), listing.path
        assert (await page(api, listing.path))["data"] == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"order": "random"}, "order"),
        ({"order": ""}, "order"),
        ({"after": "nobody"}, "after"),
        ({"after": "a\0b"}, "after"),
        ({"after": "🙂"}, "after"),
    ],
    ids=str,
)
async def test_what_is_no_page_is_refused(
    api: httpx2.AsyncClient, listing: Listing, params: dict[str, Any], param: str
) -> None:
    check_error(await api.get(listing.path, params=params), 400, param=param)


@pytest.mark.parametrize("params", [{"limit": 101}, {"before": "nobody"}], ids=str)
async def test_what_is_no_page_of_most_lists_is_refused(
    api: httpx2.AsyncClient, two_way: Listing, params: dict[str, Any]
) -> None:
    (param,) = params

    check_error(await api.get(two_way.path, params=params), 400, param=param)


async def test_what_is_in_another_list_is_no_cursor(
    api: httpx2.AsyncClient, stranger: httpx2.AsyncClient, make: Make
) -> None:
    for build in LISTINGS.values():
        here, elsewhere = await build(make), await build(make)
        if here.path != elsewhere.path:
            response = await api.get(here.path, params={"after": elsewhere.ids[0]})
            check_error(response, 400, param="after")
        else:  # one list in the whole project
            response = await stranger.get(here.path, params={"after": here.ids[0]})
            check_error(response, 400, param="after")


@pytest.mark.parametrize("name", ["store_files", "batch_files"])
async def test_a_file_whose_status_has_changed_is_still_a_cursor(
    api: httpx2.AsyncClient, make: Make, name: str
) -> None:
    listing = await LISTINGS[name](make)
    params = {"filter": "in_progress", "order": "asc", "after": listing.ids[0]}

    assert ids_of(await page(api, listing.path, **params)) == []
    params["filter"] = "completed"
    assert ids_of(await page(api, listing.path, **params)) == listing.ids[1:]
    refused = await api.get(listing.path, params={"filter": "odd"})
    check_error(refused, 400, param="filter")
