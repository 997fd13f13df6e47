"""`GET /threads`: paging, metadata, and search in titles and messages."""

import asyncio
from typing import Any

import httpx2
import pytest

from runtime.threads.models import ItemStatus
from tests.engine.talk import call
from tests.support.envelope import check_error
from tests.support.make import Make

Json = dict[str, Any]


async def listed(api: httpx2.AsyncClient, **params: Any) -> list[str]:
    """The ids of the threads of one page."""
    page = await call(api, "GET", "/threads", params=params)
    assert page["object"] == "list"
    return [thread["id"] for thread in page["data"]]


async def said(make: Make, *texts: str, title: str | None = None) -> str:
    """A thread in which these were said; its id."""
    thread = await make.thread(metadata_={"title": title} if title else {})
    for text in texts:
        await make.message(thread, text)
    return thread.id


async def test_threads_are_listed_newest_first_as_they_are(
    api: httpx2.AsyncClient,
) -> None:
    one = await call(api, "POST", "/threads", json={"metadata": {"a": "b"}})
    two = await call(api, "POST", "/threads")

    page = await call(api, "GET", "/threads")

    assert page == {
        "object": "list",
        "data": [two, one],
        "first_id": two["id"],
        "last_id": one["id"],
        "has_more": False,
    }


async def test_a_list_is_read_in_pages_both_ways(
    api: httpx2.AsyncClient, make: Make
) -> None:
    ids = [(await make.thread()).id for _ in range(5)]

    first = await call(api, "GET", "/threads", params={"limit": 2})
    after = {"limit": 2, "after": first["last_id"]}
    second = await call(api, "GET", "/threads", params=after)
    before = {"limit": 2, "before": second["first_id"]}

    assert first["has_more"] and second["has_more"]
    assert [t["id"] for t in [*first["data"], *second["data"]]] == ids[:0:-1]
    assert await listed(api, **before) == [t["id"] for t in first["data"]]
    assert await listed(api, order="asc") == ids


async def test_one_may_delete_what_one_walks_through(
    api: httpx2.AsyncClient, make: Make
) -> None:
    oldest, middle, newest = [(await make.thread()).id for _ in range(3)]
    await api.delete(f"/threads/{newest}")
    await api.delete(f"/threads/{middle}")

    assert await listed(api, after=middle) == [oldest]
    assert await listed(api) == [oldest]


async def test_metadata_must_match_all_together(
    api: httpx2.AsyncClient, make: Make
) -> None:
    both = await make.thread(metadata_={"user": "42", "a [b]": "é=&"})
    await make.thread(metadata_={"user": "42"})
    await make.thread(metadata_={"user": "420", "a [b]": "é=&"})

    found = await listed(api, **{"metadata[user]": "42", "metadata[a [b]]": "é=&"})

    assert found == [both.id]
    assert len(await listed(api, **{"metadata[user]": "42"})) == 2
    assert await listed(api, **{"metadata[user]": ""}) == []


async def test_words_are_found_in_titles_and_in_messages(
    api: httpx2.AsyncClient, make: Make
) -> None:
    by_title = await said(make, "Hello.", title="The Invoice of May")
    by_text = await said(make, "Hi.", "Where is my “invoice”, please?")
    await said(make, "An invitation.", title="Voices")

    assert await listed(api, query="INVOICE") == [by_text, by_title]
    assert await listed(api, query="invoice of may") == [by_title]
    # Half typed.
    assert await listed(api, query="my invo") == [by_text]
    assert await listed(api, query='my "invo"') == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("red green", [0]),
        ('"red green"', []),
        ('"green and red"', [0]),
        ("red or blue", [0, 1]),
        ("red -green", [1]),
        ('red -"deep blue"', [0]),
        ("RED", [0, 1]),
        ("écoute", [2]),
        ("somebody@example.org", [2]),
        ("example", [2]),
        ("foo_bar", [2]),
        ("bar_foo", []),
        ("東京", [2]),
        ("green deep", []),
        ("-red", []),
        ("or", []),
        ("?!", []),
        ('"', []),
        ("red or", [0, 1]),
        ("' & | ! <-> ( ) :*", []),
        ("red:* & (blue)", [1]),
        ("\\ red", [0, 1]),
    ],
)
async def test_a_query_reads_as_in_a_search_engine(
    api: httpx2.AsyncClient, make: Make, query: str, found: list[int]
) -> None:
    ids = [
        await said(make, "Green and red."),
        await said(make, "Red, deep blue."),
        await said(make, "«Écoute», somebody@example.org — foo_bar。 東京、大阪。"),
    ]

    assert sorted(await listed(api, query=query)) == sorted(ids[n] for n in found)


async def test_a_blank_query_asks_for_nothing(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()

    assert await listed(api, query="  ") == [thread.id]
    assert await listed(api, query="") == [thread.id]


async def test_words_metadata_and_pages_go_together(
    api: httpx2.AsyncClient, make: Make
) -> None:
    ids = []
    for n in range(6):
        thread = await make.thread(metadata_={"user": str(n % 2)})
        await make.message(thread, "A needle, and a needle again.")
        await make.message(thread, "needle")
        ids.append(thread.id)
    asked = {"query": "needle", "metadata[user]": "1", "limit": 2}

    first = await call(api, "GET", "/threads", params=asked)
    second = await listed(api, **asked, after=first["last_id"])

    assert [t["id"] for t in first["data"]] == [ids[5], ids[3]]
    assert first["has_more"]
    assert second == [ids[1]]


async def test_what_is_deleted_or_edited_is_not_found_any_more(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread()
    kept = await make.message(thread, "A haystack.")
    gone = await make.message(thread, "A needle.")
    await api.delete(f"/threads/{thread.id}/messages/{gone.id}")

    assert await listed(api, query="needle") == []
    assert await listed(api, query="haystack") == [thread.id]
    path = f"/threads/{thread.id}/messages/{kept.id}"
    await call(api, "POST", path, json={"content": "A needle."})
    assert await listed(api, query="needle") == [thread.id]
    assert await listed(api, query="haystack") == []
    await api.delete(f"/threads/{thread.id}")
    assert await listed(api, query="needle") == []


async def test_only_what_was_said_is_searched(
    api: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread(metadata_={"other": "needle"})
    await make.message(
        thread,
        body={
            "content": [
                {"type": "image", "url": "https://example.org/needle.png"},
                {
                    "type": "text",
                    "text": "Cited.",
                    "annotations": [{"quote": "needle", "marker": "needle"}],
                },
                {"type": "refusal", "text": "I will not sew."},
            ],
            "attachments": [{"file_id": "needle", "tools": []}],
        },
    )
    cut = await make.message(thread, "Half a thread", status=ItemStatus.INCOMPLETE)

    assert await listed(api, query="needle") == []
    assert await listed(api, query="sew") == [thread.id]
    assert cut.id
    assert await listed(api, query="half") == [thread.id]


async def test_an_enormous_message_is_taken_and_found(
    api: httpx2.AsyncClient,
) -> None:
    # What Postgres' parser takes time squared for, and more words than it can hold.
    monsters = ["a_" * 128_000, "~/" * 128_000, "<!--" * 64_000]
    monsters.append(" ".join(chr(0x20000 + n % 40_000) for n in range(128_000)))
    for monster in monsters:
        message = {"role": "user", "content": ("needle " + monster)[:256_000]}
        async with asyncio.timeout(10):
            await call(api, "POST", "/threads", json={"messages": [message]})

    assert len(await listed(api, query="needle")) == len(monsters)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"query": "x" * 513}, "query"),
        ({"query": "a\0b"}, "query"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata[": "x"}, "metadata"),
        ({"metadata[k": "x"}, "metadata"),
        ({"metadata[k]": "v" * 513}, "metadata.k"),
        ({"metadata[" + "k" * 65 + "]": "v"}, "metadata"),
        ({"metadata[k]": "a\0b"}, "metadata"),
        ({f"metadata[{n}]": "v" for n in range(17)}, "metadata"),
        ({"metadata[k]": ["a", "b"]}, "metadata"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"order": "up"}, "order"),
        ({"after": "thread_none"}, "after"),
        ({"before": "\0"}, None),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_a_list_cannot_be_asked_is_refused(
    api: httpx2.AsyncClient, params: Json, param: str | None
) -> None:
    check_error(await api.get("/threads", params=params), 400, param=param)


async def test_another_projects_threads_are_not_listed(
    stranger: httpx2.AsyncClient, make: Make
) -> None:
    thread = await make.thread(metadata_={"user": "42", "title": "needle"})
    await make.message(thread, "needle")

    assert await listed(stranger) == []
    assert await listed(stranger, **{"metadata[user]": "42"}) == []
    assert await listed(stranger, query="needle") == []
    response = await stranger.get("/threads", params={"after": thread.id})
    check_error(response, 400, param="after")
