"""`Idempotency-Key` of a stream: the run is made once, and its events are told again."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI
from redis.asyncio import Redis

from runtime.events.announce import stream_of
from runtime.runs.models import Run
from tests.api.keys import REPLAYED, new_key
from tests.engine.talk import ADD, Talk, answers, begin, call
from tests.support.envelope import check_error
from tests.support.stream import Sent, named, names, read_stream, text_of
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

Begin = Callable[..., Awaitable[Talk]]


@pytest.fixture
def talk(api: httpx2.AsyncClient, upstream: Upstream, runs_worker: None) -> Begin:
    return partial(begin, api, upstream)


async def told(on: Talk, path: str, key: dict[str, str], **body: Any) -> list[Sent]:
    return await read_stream(
        on.api, "POST", path, json={**body, "stream": True}, headers=key
    )


async def test_a_run_is_made_once_and_its_events_are_told_twice(talk: Begin) -> None:
    on, key = await talk(says("One two three.")), new_key()
    path, body = f"{on.path}/runs", {"assistant_id": on.assistant_id}

    first = await told(on, path, key, **body)
    again = await told(on, path, key, **body)

    assert again == first
    assert len(on.requests) == 1
    response = await on.api.post(path, json={**body, "stream": True}, headers=key)
    assert response.headers[REPLAYED] == "true"
    whole = await on.api.post(path, json=body, headers=key)
    check_error(whole, 400, param="Idempotency-Key")


async def test_a_thread_and_its_run_are_made_once(talk: Begin) -> None:
    on, key = await talk(says("One two three.")), new_key()
    body = {
        "assistant_id": on.assistant_id,
        "thread": {"messages": [{"role": "user", "content": "Count."}]},
    }

    first = await told(on, "/threads/runs", key, **body)
    again = await told(on, "/threads/runs", key, **body)

    assert again == first
    assert first[0].name == "thread.created"


async def test_each_stream_of_a_run_ends_where_it_ended(talk: Begin) -> None:
    on = await talk(calls(("add", {"a": 1})), says("It is 2."), tools=[ADD])
    creating, submitting = new_key(), new_key()
    path, body = f"{on.path}/runs", {"assistant_id": on.assistant_id}

    asked = await told(on, path, creating, **body)
    run = named(asked, "thread.run.requires_action")[0]
    outputs = {"tool_outputs": answers(run, "2")}
    submit = f"{path}/{run['id']}/submit_tool_outputs"
    answered = await told(on, submit, submitting, **outputs)

    assert names(asked)[-2:] == ["thread.run.requires_action", "done"]
    assert await told(on, path, creating, **body) == asked
    assert await told(on, submit, submitting, **outputs) == answered
    assert len(on.requests) == 2


async def test_the_sdk_reads_a_stream_again(talk: Begin, openai: AsyncOpenAI) -> None:
    on, key = await talk(says("One two three.")), new_key()

    texts = []
    for _ in range(2):
        async with openai.beta.threads.runs.stream(
            thread_id=on.thread_id, assistant_id=on.assistant_id, extra_headers=key
        ) as stream:
            texts.append([text async for text in stream.text_deltas])

    assert texts[0] == texts[1]
    assert "".join(texts[0]) == "One two three."


async def test_of_a_stream_that_is_lost_the_end_is_told(
    talk: Begin, make: Any, redis_url: str
) -> None:
    on, key = await talk(says("One two three.")), new_key()
    path, body = f"{on.path}/runs", {"assistant_id": on.assistant_id}
    first = await told(on, path, key, **body)
    run = Run(
        project_id=make.project.id, id=named(first, "thread.run.created")[0]["id"]
    )
    async with Redis.from_url(redis_url) as redis:
        assert await redis.delete(stream_of(run)) == 1

    again = await told(on, path, key, **body)

    assert names(again)[-2:] == ["thread.run.completed", "done"]
    [message] = named(again, "thread.message.completed")
    assert message["content"][0]["text"]["value"] == "".join(text_of(first).values())


async def test_a_stream_of_a_deleted_thread_is_not_told_again(talk: Begin) -> None:
    on, key = await talk(says("One.")), new_key()
    path, body = f"{on.path}/runs", {"assistant_id": on.assistant_id, "stream": True}
    await on.api.post(path, json=body, headers=key)

    await call(on.api, "DELETE", on.path)

    check_error(await on.api.post(path, json=body, headers=key), 404)
