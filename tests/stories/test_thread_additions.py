"""What threads can do beyond OpenAI's API, asked for with OpenAI's own SDK."""

import json
import warnings
from typing import Any

from openai import AsyncOpenAI
from openai.pagination import AsyncCursorPage
from openai.types.beta import Thread

from tests.engine.talk import text

Json = dict[str, Any]


async def test_the_sdk_reaches_every_addition(openai: AsyncOpenAI) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await _walk(openai)


async def _walk(client: AsyncOpenAI) -> None:
    threads = client.beta.threads
    question = {"role": "user", "content": "Where is my invoice?"}
    made = [
        await threads.create(
            messages=[question],  # type: ignore[list-item]  # a plain dict, as apps write it
            metadata={"user": "42", "title": f"Billing {n}"},
        )
        for n in range(3)
    ]
    # List and search, page by page.
    asked: Json = {"query": "invo", "metadata": {"user": "42"}, "limit": 2}
    found = [
        thread.id
        async for thread in client.get_api_list(
            "/threads",
            page=AsyncCursorPage[Thread],
            model=Thread,
            options={"params": asked},
        )
    ]
    assert found == [thread.id for thread in reversed(made)]
    # Put in between, and rewrite.
    path = made[0].id
    (first,) = (await threads.messages.list(path)).data
    hello = await threads.messages.create(
        path, role="user", content="Hello.", extra_body={"before": first.id}
    )
    await threads.messages.update(
        hello.id, thread_id=path, extra_body={"content": "Good morning."}
    )
    listed = await threads.messages.list(path, order="asc")
    said = [text(message.model_dump()) for message in listed.data]
    assert said == ["Good morning.", "Where is my invoice?"]
    # Fork.
    fork = await client.post(
        f"/threads/{path}/fork", cast_to=Thread, body={"message_id": hello.id}
    )
    assert len((await threads.messages.list(fork.id)).data) == 1
    assert fork.metadata == {"user": "42", "title": "Billing 0"}
    # Export.
    exported = json.loads(await client.get(f"/threads/{path}/export", cast_to=str))
    assert [message["id"] for message in exported["messages"]] == [hello.id, first.id]
    # Delete.
    deleted: Any = await client.post(
        "/threads/delete", cast_to=object, body={"metadata": {"user": "42"}}
    )
    assert [told["deleted"] for told in deleted["data"]] == [True] * 4
    assert deleted["has_more"] is False
