"""`/vector_stores/{id}/search`; the ranking has a folder of its own."""

from typing import Any

import httpx2
import pytest
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


async def test_words_and_meaning_weigh_as_asked(
    api: httpx2.AsyncClient, make: Make
) -> None:
    store = await make.store()
    await make.store_file(store, "Aardvarks sleep.", "Bread is baked from flour.")
    address = f"/vector_stores/{store.id}/search"

    async def scores(embedding_weight: float, text_weight: float) -> list[float]:
        weights = {"embedding_weight": embedding_weight, "text_weight": text_weight}
        asked = {"query": "aardvarks", "ranking_options": {"hybrid_search": weights}}
        response = await api.post(address, json=asked)
        assert response.status_code == 200, response.text
        return [hit["score"] for hit in response.json()["data"]]

    by_words = await scores(0, 1)
    assert by_words[1:] in ([], [0])  # the other passage has no such word
    assert by_words[0] > 0
    assert await scores(0, 0.25) == by_words  # their ratio counts, not their size
    by_meaning = await scores(2, 0)
    assert len(by_meaning) == 2
    assert by_meaning != by_words


@pytest.mark.parametrize(
    ("weights", "param"),
    [
        ({"embedding_weight": 1}, ".text_weight"),
        ({"embedding_weight": -1, "text_weight": 1}, ".embedding_weight"),
        ({"embedding_weight": "1", "text_weight": 1}, ".embedding_weight"),
        ({"embedding_weight": 0, "text_weight": 0}, ""),
        (None, ""),
    ],
)
async def test_weights_that_cannot_be_are_refused(
    api: httpx2.AsyncClient, make: Make, weights: Any, param: str
) -> None:
    store = await make.store()
    options = {"score_threshold": 0, "hybrid_search": weights}
    place = "ranking_options.hybrid_search"

    searched = await api.post(
        f"/vector_stores/{store.id}/search",
        json={"query": "a", "ranking_options": options},
    )
    tool = {"type": "file_search", "file_search": {"ranking_options": options}}
    assistant = await api.post("/assistants", json={"model": "m", "tools": [tool]})

    check_error(searched, 400, param=f"{place}{param}")
    check_error(assistant, 400, param=f"tools[0].file_search.{place}{param}")


async def test_the_answer_says_which_questions_were_asked(
    api: httpx2.AsyncClient, make: Make
) -> None:
    address = f"/vector_stores/{(await make.store()).id}/search"
    for query, asked in (("boats?", ["boats?"]), (["a", "b"], ["a", "b"])):
        response = await api.post(address, json={"query": query, "rewrite_query": True})

        assert response.json()["search_query"] == asked
