"""The official client's event handlers, synchronous and not: every callback, in order."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai import (
    AssistantEventHandler,
    AsyncAssistantEventHandler,
    AsyncOpenAI,
    OpenAI,
)

from tests.engine.test_tools import cites
from tests.support.make import Make
from tests.support.turns import calls, says
from tests.support.upstream import Upstream

ADD: Any = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {}}},
}
TOOLS: list[Any] = [{"type": "file_search"}, {"type": "code_interpreter"}, ADD]

DRAWS = (
    "import matplotlib.pyplot as plt\n"
    "print('dråwn')\n"
    "plt.plot([1, 2]); plt.show()\n"
    "_ = open('/mnt/data/points.txt', 'w').write('1 2')"
)

pytestmark = pytest.mark.usefixtures("runs_worker")


class Heard:
    """What a handler was called with, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def names(self) -> list[str]:
        """The callbacks in order, equal ones in a row once; not those of all events."""
        told: list[str] = []
        for name, _ in self.calls:
            if name not in ("event", "run_step_delta") and told[-1:] != [name]:
                told.append(name)
        return told

    def given(self, name: str) -> list[Any]:
        """The last argument of each call of that name: the thing as far as it is."""
        return [arguments[-1] for called, arguments in self.calls if called == name]


def _noting(name: str) -> Any:
    def note(self: Heard, *arguments: Any) -> None:
        self.calls.append((name, arguments))

    return note


def _noting_soon(name: str) -> Any:
    async def note(self: Heard, *arguments: Any) -> None:
        self.calls.append((name, arguments))

    return note


def handler(base: Any, noting: Any) -> Any:
    """A handler that overrides every callback there is."""
    callbacks = [name for name in dir(base) if name.startswith("on_")]
    assert len(callbacks) == 17
    methods = {name: noting(name.removeprefix("on_")) for name in callbacks}
    return type("Handler", (Heard, base), methods)()


def sync_handler() -> Any:
    return handler(AssistantEventHandler, _noting)


def async_handler() -> Any:
    return handler(AsyncAssistantEventHandler, _noting_soon)


@pytest.fixture
def client(api_url: str, key: str) -> Iterator[OpenAI]:
    """The synchronous client."""
    with OpenAI(base_url=f"{api_url}/v1", api_key=key, max_retries=0) as client:
        yield client


async def searching(
    openai: AsyncOpenAI, upstream: Upstream, make: Make
) -> tuple[str, str]:
    """An assistant that searches, asks its caller and answers; and a thread."""
    store = await make.store()
    file = await make.file("The moon is made of basalt.", filename="moon.txt")
    await make.store_file(store, "The moon is made of basalt.", file=file)
    model = upstream.script(
        calls(("file_search", {"query": "moon"})),
        calls(("add", {"n": [1, 2]}), ("add", {"n": [3]}), pieces=5),
        lambda body: cites({"messages": body["messages"][:3]}),
    )
    assistant = await openai.beta.assistants.create(
        model=model,
        tools=TOOLS,
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    thread = await openai.beta.threads.create(
        messages=[{"role": "user", "content": "What is the moon made of?"}]
    )
    return assistant.id, thread.id


FIRST = [
    "run_step_created",
    "tool_call_created",
    "tool_call_done",
    "run_step_done",
    "run_step_created",
    # The client takes the first call of a second step for the one it knows already.
    "tool_call_delta",
    "tool_call_done",
    "tool_call_created",
    "tool_call_delta",
    "tool_call_done",
    "end",
]
SECOND = [
    "run_step_done",
    "run_step_created",
    "message_created",
    "text_created",
    "text_delta",
    "message_delta",
]
LAST = ["text_done", "message_done", "run_step_done", "end"]


def outputs(run: Any) -> list[Any]:
    wanted = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": made.id, "output": "3"} for made in wanted]


def check_first(heard: Heard) -> None:
    assert heard.names == FIRST
    search = heard.given("run_step_done")[0].step_details.tool_calls[0]
    created = heard.given("tool_call_created")[0]
    assert (created.id, created.type) == (search.id, "file_search")
    first, second = heard.given("tool_call_done")[-2:]
    assert first.function.arguments == '{"n": [1, 2]}'
    assert second.function.arguments == '{"n": [3]}'
    assert (first.function.name, first.function.output) == ("add", None)
    assert len({search.id, first.id, second.id}) == 3


def check_second(heard: Heard) -> None:
    assert heard.names[: len(SECOND)] == SECOND
    assert heard.names[-len(LAST) :] == LAST
    (done,), (message,) = heard.given("text_done"), heard.given("message_done")
    # What grew by deltas is what was stored.
    grown = heard.given("text_delta")[-1]
    assert grown.value == done.value == message.content[0].text.value
    assert [a.text for a in grown.annotations] == [a.text for a in done.annotations]
    (citation,) = done.annotations
    assert done.value[citation.start_index : citation.end_index] == citation.text
    assert [step.type for step in heard.given("run_step_done")] == [
        "tool_calls",
        "message_creation",
    ]
    answered = heard.given("run_step_done")[0].step_details.tool_calls
    assert [made.function.output for made in answered] == ["3", "3"]
    assert heard.given("run_step_done")[1].usage.total_tokens == 15


async def test_an_asynchronous_handler_hears_of_searches_functions_and_citations(
    openai: AsyncOpenAI, upstream: Upstream, make: Make
) -> None:
    assistant_id, thread_id = await searching(openai, upstream, make)
    runs, heard = openai.beta.threads.runs, async_handler()

    async with runs.stream(
        thread_id=thread_id, assistant_id=assistant_id, event_handler=heard
    ) as stream:
        run = await stream.get_final_run()
    check_first(heard)
    heard = async_handler()
    async with runs.submit_tool_outputs_stream(
        run_id=run.id,
        thread_id=thread_id,
        tool_outputs=outputs(run),
        event_handler=heard,
    ) as stream:
        run = await stream.get_final_run()

    check_second(heard)
    assert (run.status, run.usage.total_tokens) == ("completed", 45)


async def test_a_synchronous_handler_hears_the_same(
    openai: AsyncOpenAI, client: OpenAI, upstream: Upstream, make: Make
) -> None:
    assistant_id, thread_id = await searching(openai, upstream, make)
    runs = client.beta.threads.runs

    def both() -> tuple[Heard, Heard]:
        first, second = sync_handler(), sync_handler()
        with runs.stream(
            thread_id=thread_id, assistant_id=assistant_id, event_handler=first
        ) as stream:
            run = stream.get_final_run()
        with runs.submit_tool_outputs_stream(
            run_id=run.id,
            thread_id=thread_id,
            tool_outputs=outputs(run),
            event_handler=second,
        ) as stream:
            stream.until_done()
        return first, second

    first, second = await asyncio.to_thread(both)

    check_first(first)
    check_second(second)


@pytest.mark.docker
@pytest.mark.xdist_group("sandbox")
@pytest.mark.usefixtures("sandbox")
async def test_a_handler_hears_of_code_as_it_is_written_and_of_what_it_drew(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    written = calls(("code_interpreter", {"code": DRAWS}), pieces=20)
    model = upstream.script(
        replace(written, chunk_delay_seconds=0.04),
        says("Here: [points](sandbox:/mnt/data/points.txt)."),
    )
    assistant = await openai.beta.assistants.create(model=model, tools=TOOLS)
    heard = async_handler()

    async with openai.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Draw."}]},
        event_handler=heard,
    ) as stream:
        await stream.until_done()

    assert heard.names == [
        "run_step_created",
        "tool_call_created",
        "tool_call_delta",
        "tool_call_done",
        "run_step_done",
        "run_step_created",
        "message_created",
        "message_delta",
        "text_created",
        "text_delta",
        "image_file_done",
        "message_delta",
        "text_delta",
        "message_delta",
        "text_done",
        "message_done",
        "tool_call_done",
        "run_step_done",
        "tool_call_done",
        "end",
    ]
    grown = heard.given("tool_call_delta")[-1]
    stored = heard.given("run_step_done")[0].step_details.tool_calls[0]
    assert grown.code_interpreter.input == stored.code_interpreter.input == DRAWS
    assert grown.id == stored.id
    logs, image = grown.code_interpreter.outputs
    assert (logs.index, logs.logs.strip()) == (0, "dråwn")
    assert (image.index, image.type) == (1, "image")
    inputs = [
        delta.code_interpreter.input
        for delta, _ in (
            arguments for name, arguments in heard.calls if name == "tool_call_delta"
        )
        if delta.code_interpreter.input
    ]
    assert len(inputs) > 3
    assert "".join(inputs) == DRAWS
    (shown,) = heard.given("image_file_done")
    assert shown.file_id == image.image.file_id
    (text,) = heard.given("text_done")
    assert [a.type for a in text.annotations] == ["file_path"]


async def test_a_handler_hears_of_an_answer_that_was_taken_again(
    openai: AsyncOpenAI, upstream: Upstream
) -> None:
    model = upstream.script(says("No JSON."), says('{"yes": 1}'))
    assistant = await openai.beta.assistants.create(
        model=model, response_format={"type": "json_object"}
    )
    heard = async_handler()

    async with openai.beta.threads.create_and_run_stream(
        assistant_id=assistant.id,
        thread={"messages": [{"role": "user", "content": "Is it?"}]},
        event_handler=heard,
    ) as stream:
        messages = await stream.get_final_messages()

    statuses = [message.status for message in heard.given("message_done")]
    assert statuses == ["incomplete", "completed"]
    steps = [step.status for step in heard.given("run_step_done")]
    assert steps == ["failed", "completed"]
    assert [message.status for message in messages] == statuses
    assert heard.given("text_done")[-1].value == '{"yes": 1}'
