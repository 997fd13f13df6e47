"""The official client's own helpers, synchronous and not, against a live runtime."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AssistantEventHandler, AsyncOpenAI, OpenAI
from openai.types.beta import Assistant, AssistantStreamEvent
from openai.types.beta.threads import Run

from tests.stories.told import Told
from tests.support.turns import AnyTurn, calls, says
from tests.support.upstream import Upstream

ADD: Any = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}

pytestmark = pytest.mark.usefixtures("runs_worker")


@pytest.fixture
def client(api_url: str, key: str) -> Iterator[OpenAI]:
    """The synchronous client."""
    with OpenAI(base_url=f"{api_url}/v1", api_key=key, max_retries=0) as client:
        yield client


async def assistant(
    openai: AsyncOpenAI, upstream: Upstream, *turns: AnyTurn, **more: Any
) -> Assistant:
    """An assistant that can add, and whose model plays these turns."""
    repeat = more.pop("repeat", False)
    return await openai.beta.assistants.create(
        model=upstream.script(*turns, repeat=repeat), tools=[ADD], **more
    )


async def thread(openai: AsyncOpenAI) -> str:
    made = await openai.beta.threads.create(
        messages=[{"role": "user", "content": "What is 1 + 2?"}]
    )
    return made.id


def outputs(run: Run) -> list[Any]:
    """What our function gives for each call of a run."""
    assert run.required_action is not None
    given = []
    for made in run.required_action.submit_tool_outputs.tool_calls:
        arguments = json.loads(made.function.arguments)
        given.append({"tool_call_id": made.id, "output": str(sum(arguments["n"]))})
    return given


WANTS_SUM = calls(("add", {"n": [1, 2]}))


async def texts(openai: AsyncOpenAI, thread_id: str) -> list[str]:
    return [
        part.text.value
        async for message in openai.beta.threads.messages.list(thread_id, order="asc")
        for part in message.content
        if part.type == "text"
    ]


async def test_create_and_poll_then_submit_and_poll(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    helper = await assistant(openai, upstream, WANTS_SUM, says("It is 3."))
    runs, thread_id = openai.beta.threads.runs, await thread(openai)

    run = await runs.create_and_poll(thread_id=thread_id, assistant_id=helper.id)
    assert run.status == "requires_action"
    run = await runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread_id, tool_outputs=outputs(run)
    )

    assert run.status == "completed"
    assert await texts(openai, thread_id) == ["What is 1 + 2?", "It is 3."]


async def test_stream_then_submit_with_a_stream_calls_every_callback_in_order(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    helper = await assistant(openai, upstream, WANTS_SUM, says("It is 3."))
    runs, thread_id = openai.beta.threads.runs, await thread(openai)

    first = Told()
    async with runs.stream(
        thread_id=thread_id, assistant_id=helper.id, event_handler=first
    ) as stream:
        await stream.until_done()
    assert first.called == [
        "step created",
        "call created",
        "call delta",
        "call done",
        "end",
    ]
    assert first.done[0].function.arguments == '{"n": [1, 2]}'
    run = first.current_run
    assert run is not None
    assert run.status == "requires_action"
    assert [first.done[0].id] == [made["tool_call_id"] for made in outputs(run)]

    second = Told()
    async with runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread_id,
        tool_outputs=outputs(run),
        event_handler=second,
    ) as stream:
        final = await stream.get_final_run()
        messages = await stream.get_final_messages()
    assert final.status == "completed"
    assert second.called == [
        "step done",
        "step created",
        "message created",
        "text created",
        "message delta",
        "text done",
        "message done",
        "step done",
        "end",
    ]
    assert second.text == "It is 3."
    assert [message.status for message in messages] == ["completed"]


async def test_create_and_run_by_polling_and_by_streaming(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    helper = await assistant(openai, upstream, says("Hello."), repeat=True)
    body: Any = {"messages": [{"role": "user", "content": "Hi."}]}

    polled = await openai.beta.threads.create_and_run_poll(
        assistant_id=helper.id, thread=body
    )
    events: list[AssistantStreamEvent] = []
    async with openai.beta.threads.create_and_run_stream(
        assistant_id=helper.id, thread=body
    ) as stream:
        async for event in stream:
            events.append(event)
    plain = await openai.beta.threads.create_and_run(
        assistant_id=helper.id, thread=body, stream=True
    )
    raw = [event.event async for event in plain]

    assert polled.status == "completed"
    assert events[0].event == "thread.created"
    assert events[-1].event == "thread.run.completed"
    # Deltas may be cut differently; all else is alike.
    assert [e.event for e in events if "delta" not in e.event] == [
        name for name in raw if "delta" not in name
    ]


def test_the_synchronous_client_does_the_same(
    client: OpenAI, upstream: Upstream
) -> None:
    helper = client.beta.assistants.create(
        model=upstream.script(WANTS_SUM, says("It is 3."), says("Still 3.")),
        tools=[ADD],
    )
    made = client.beta.threads.create(messages=[{"role": "user", "content": "1 + 2?"}])
    with client.beta.threads.runs.stream(
        thread_id=made.id,
        assistant_id=helper.id,
        event_handler=AssistantEventHandler(),
    ) as stream:
        run = stream.get_final_run()
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=run.id, thread_id=made.id, tool_outputs=outputs(run)
    ) as stream:
        assert "".join(stream.text_deltas) == "It is 3."
    again = client.beta.threads.runs.create_and_poll(
        thread_id=made.id, assistant_id=helper.id
    )

    assert again.status == "completed"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=made.id)
    assert [step.type for step in steps] == ["message_creation", "tool_calls"]


async def test_iterators_walk_over_all_pages(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    helper = await assistant(openai, upstream, says("Hello."), repeat=True)
    threads, thread_id = openai.beta.threads, await thread(openai)
    for n in range(12):
        await threads.messages.create(thread_id, role="user", content=f"m{n}")
    runs = [
        (
            await threads.runs.create_and_poll(
                thread_id=thread_id, assistant_id=helper.id
            )
        ).id
        for _ in range(3)
    ]

    listed = threads.messages.list(thread_id, limit=5, order="asc")
    contents = [
        part.text.value
        async for message in listed
        for part in message.content
        if part.type == "text"
    ]

    assert contents == [
        "What is 1 + 2?",
        *(f"m{n}" for n in range(12)),
        *["Hello."] * 3,
    ]
    newest_first = [run.id async for run in threads.runs.list(thread_id, limit=2)]
    assert newest_first == runs[::-1]


async def test_ten_streams_at_once(openai: AsyncOpenAI, upstream: Upstream) -> None:
    helper = await assistant(
        openai, upstream, says("a b c d e f", chunk_delay_seconds=0.05), repeat=True
    )

    async def one() -> str:
        async with openai.beta.threads.create_and_run_stream(
            assistant_id=helper.id,
            thread={"messages": [{"role": "user", "content": "Hi."}]},
        ) as stream:
            (message,) = await stream.get_final_messages()
        (part,) = message.content
        assert part.type == "text"
        return part.text.value

    assert await asyncio.gather(*(one() for _ in range(10))) == ["a b c d e f"] * 10
