"""`Idempotency-Key` of what waits for a model: asked once, though nothing is locked."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from runtime.db.transaction import Database
from runtime.idempotency.service import Asked, claim
from runtime.projects.models import Project
from tests.api.keys import REPLAYED, at_once, check_replay, grow_older, new_key
from tests.support.envelope import check_error
from tests.support.make import Make
from tests.support.turns import Embeds, drops_after, fails, says
from tests.support.upstream import Upstream

CHAT = "/chat/completions"


def asking(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hi."}], **more}


async def test_a_model_is_asked_once_by_ten_under_one_key(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    model, key = upstream.script(says("Hello.", delay_seconds=0.5)), new_key()

    answer = await at_once(
        api.post(CHAT, json=asking(model), headers=key) for _ in range(10)
    )

    assert answer["choices"][0]["message"]["content"] == "Hello."
    assert len(upstream.requests(model)) == 1
    other = await api.post(CHAT, json=asking("another"), headers=key)
    check_error(other, 400, param="Idempotency-Key")


async def test_an_answer_that_failed_is_asked_for_again(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    model, key = upstream.script(fails(400, message="no"), says("Yes.")), new_key()

    refused = await api.post(CHAT, json=asking(model), headers=key)
    answer = await api.post(CHAT, json=asking(model), headers=key)

    check_error(refused, 400)
    check_replay(answer, await api.post(CHAT, json=asking(model), headers=key))


async def test_a_streamed_answer_is_told_again(
    api: httpx2.AsyncClient, openai: AsyncOpenAI, upstream: Upstream
) -> None:
    model, key = upstream.script(says("One two three.")), new_key()
    body = asking(model, stream=True)

    first = await api.post(CHAT, json=body, headers=key)
    again = await openai.chat.completions.create(**body, extra_headers=key)

    assert first.text.endswith("data: [DONE]\n\n")
    text = [c.choices[0].delta.content or "" async for c in again if c.choices]
    assert "".join(text) == "One two three."
    check_replay(first, await api.post(CHAT, json=body, headers=key))
    assert len(upstream.requests(model)) == 1


async def test_a_stream_that_broke_off_is_asked_for_again(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    model, key = upstream.script(drops_after(2), says("All of it.")), new_key()
    body = asking(model, stream=True)

    first = await api.post(CHAT, json=body, headers=key)
    again = await api.post(CHAT, json=body, headers=key)

    assert "[DONE]" not in first.text
    assert again.text.endswith("data: [DONE]\n\n")
    check_replay(again, await api.post(CHAT, json=body, headers=key))


async def test_who_hangs_up_on_a_stream_may_ask_again(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    slow = says("One two three four five six.", chunk_delay_seconds=0.2)
    model, key = upstream.script(slow, says("All of it.")), new_key()
    body = asking(model, stream=True)

    async with api.stream("POST", CHAT, json=body, headers=key) as response:
        await anext(response.aiter_lines())
    again = await api.post(CHAT, json=body, headers=key)

    assert again.status_code == 200
    assert REPLAYED not in again.headers


async def test_who_hangs_up_before_the_first_word_may_ask_again(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    slow = says("One two three.", delay_seconds=1.0)
    model, key = upstream.script(slow, says("All of it."), repeat=True), new_key()
    body = asking(model, stream=True)

    with pytest.raises(httpx2.ReadTimeout):
        await api.post(CHAT, json=body, headers=key, timeout=0.3)
    again = await api.post(CHAT, json=body, headers=key)

    assert again.status_code == 200
    assert again.text.endswith("data: [DONE]\n\n")


async def test_vectors_are_made_once(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    model, key = upstream.script(Embeds()), new_key()
    body = {"model": model, "input": ["a", "b"]}

    first = await api.post("/embeddings", json=body, headers=key)

    check_replay(first, await api.post("/embeddings", json=body, headers=key))
    assert len(upstream.requests(model)) == 1


async def test_a_search_under_a_key_finds_what_it_found(
    api: httpx2.AsyncClient, make: Make
) -> None:
    store, key = await make.store(), new_key()
    await make.store_file(store, "The moon goes around the earth.")
    path, body = f"/vector_stores/{store.id}/search", {"query": "moon"}

    first = await api.post(path, json=body, headers=key)
    await make.store_file(store, "The moon is made of basalt.")

    check_replay(first, await api.post(path, json=body, headers=key))
    assert len(first.json()["data"]) == 1


async def test_a_twin_waits_for_the_answer_and_asks_nobody(
    api: httpx2.AsyncClient, upstream: Upstream
) -> None:
    model = upstream.script(says("Hello.", delay_seconds=1.0))
    key, body = new_key(), asking(model)

    first = asyncio.create_task(api.post(CHAT, json=body, headers=key))
    await asyncio.sleep(0.3)
    twin = await api.post(CHAT, json=body, headers=key)

    check_replay(await first, twin)


async def test_a_claim_left_by_a_process_that_died_ends_with_its_lease(
    api: httpx2.AsyncClient, upstream: Upstream, db: Database, project: Project
) -> None:
    model, key = upstream.script(says("Hello.")), new_key()
    async with db.transaction() as session:
        left = Asked(project.id, key["idempotency-key"], b"something else")
        assert await claim(session, left) is None
    early = await api.post(CHAT, json=asking(model), headers=key)
    check_error(early, 400, param="Idempotency-Key")

    await grow_older(db, key, timedelta(minutes=5))
    first = await api.post(CHAT, json=asking(model), headers=key)

    check_replay(first, await api.post(CHAT, json=asking(model), headers=key))
