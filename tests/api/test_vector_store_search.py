"""`/vector_stores/{id}/search`; the ranking has a folder of its own."""

import httpx2
from openai import AsyncOpenAI

from tests.support.envelope import check_error
from tests.support.make import Make


async def test_a_search_answers_with_the_chunk_that_fits(
    openai: AsyncOpenAI, make: Make
) -> None:
    store = await make.store()
    row = await make.store_file(
        store,
        "Bread is baked from flour and water.",
        "The moon goes around the earth.",
        attributes={"year": 1969},
    )

    page = await openai.vector_stores.search(
        store.id, query="What goes around the earth?", max_num_results=1
    )
    none = await openai.vector_stores.search(
        store.id,
        query=["moon", "bread"],
        filters={"type": "eq", "key": "year", "value": 1},
    )

    [hit] = page.data
    assert (hit.file_id, hit.filename) == (row.file_id, "notes.txt")
    assert [part.text for part in hit.content] == ["The moon goes around the earth."]
    assert 0 < hit.score <= 1
    assert hit.attributes == {"year": 1969}
    assert none.data == []


async def test_a_search_that_cannot_be_is_refused(
    api: httpx2.AsyncClient, stranger: httpx2.AsyncClient, make: Make
) -> None:
    address = f"/vector_stores/{(await make.store()).id}/search"

    check_error(await api.post(address, json={}), 400, param="query")
    check_error(await api.post(address, json={"query": ""}), 400)
    check_error(await api.post(address, json={"query": "a\0"}), 400)
    check_error(
        await api.post(address, json={"query": "a", "max_num_results": 51}), 400
    )
    check_error(await stranger.post(address, json={"query": "a"}), 404)
