"""The built-in model: what it does with each kind of message, and how it says so."""

import json
import time
from typing import Any

import pytest

from runtime.gateway import Gateway, TextDelta, chat_completion, chat_completion_stream
from tests.gateway.answers import ask, calls, reason, text, usage
from tests.gateway.conversations import ADD, SEARCH, Json, answered, user


async def test_it_says_what_it_is_and_how_to_get_a_real_model(builtin: Gateway) -> None:
    deltas = await ask(builtin, "gpt-4o", messages=[user("Tell me a joke")])

    said = text(deltas)
    assert "built-in model" in said
    assert "OPENAI_BASE_URL" in said
    assert "'gpt-4o' was asked for" in said
    assert reason(deltas) == "stop"
    assert len([delta for delta in deltas if isinstance(delta, TextDelta)]) > 3
    assert usage(deltas).output_tokens == -(-len(said) // 4)


async def test_only_the_last_message_counts(builtin: Gateway) -> None:
    history = [
        *answered("/call add {}", ("add", "old")),
        {"role": "assistant", "content": "add returned: old"},
        user("thanks"),
    ]

    deltas = await ask(builtin, "builtin", messages=history, tools=[ADD])

    assert "built-in model" in text(deltas)
    assert not calls(deltas)


async def test_a_message_in_parts_is_read(builtin: Gateway) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        {"type": "text", "text": "/call add {}"},
    ]

    deltas = await ask(builtin, "builtin", messages=[user(parts)], tools=[ADD])

    assert len(calls(deltas)) == 1


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
async def test_json_is_answered_where_json_is_wanted(
    builtin: Gateway, kind: str
) -> None:
    history = answered("Hello", ("add", 'say "hi"\n'))

    deltas = await ask(
        builtin,
        "builtin",
        messages=history,
        tools=[ADD],
        response_format={"type": kind},
    )

    assert json.loads(text(deltas)) == {"answer": 'add returned: say "hi"\n'}


@pytest.mark.parametrize(
    ("tool", "result"),
    [
        ("add", "42"),
        ("code_interpreter", "42"),
        ("file_search", "【1:0†a】\nHello there, you."),
    ],
)
async def test_who_asked_for_another_model_learns_who_answered(
    builtin: Gateway, tool: str, result: str
) -> None:
    history = answered("Hello", (tool, result))

    plain = text(await ask(builtin, "builtin", messages=history))
    other = text(await ask(builtin, "gpt-4o", messages=history))
    wants_json = await ask(
        builtin, "gpt-4o", messages=history, response_format={"type": "json_object"}
    )

    assert "built-in" not in plain
    assert other.startswith(plain + "\n\n— answered by the built-in model")
    assert json.loads(text(wants_json)) == {"answer": other}


async def test_a_token_limit_cuts_the_answer(builtin: Gateway) -> None:
    deltas = await ask(builtin, "builtin", max_completion_tokens=2)

    assert len(text(deltas)) == 8
    assert reason(deltas) == "length"


async def test_the_same_question_has_the_same_answer(builtin: Gateway) -> None:
    history = answered("Hello there", ("file_search", "【1:0†a】\nHello there, you."))

    answers = [text(await ask(builtin, "b", messages=history)) for _ in range(3)]

    assert len(set(answers)) == 1


async def test_it_serves_passed_through_requests_too(builtin: Gateway) -> None:
    body: Json = {"model": "gpt-4o", "messages": [user("/call add {}")], "tools": [ADD]}

    whole = await chat_completion(builtin, body)
    streamed = [chunk async for chunk in chat_completion_stream(builtin, body)]

    assert (whole["object"], whole["model"]) == ("chat.completion", "builtin")
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert whole["usage"]["total_tokens"] > 0
    assert {chunk["object"] for chunk in streamed} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in streamed}) == 1
    assert all(chunk["choices"] for chunk in streamed)


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "x"}],
        [user(None)],
        [user([])],
        [user("")],
        ["?"],
        [{"role": "tool", "content": "orphan", "tool_call_id": "x"}],
    ],
)
async def test_odd_conversations_are_answered(
    builtin: Gateway, messages: list[Any]
) -> None:
    body = {"model": "m", "messages": messages, "tools": [SEARCH, {"type": "?"}, 5]}

    answer = await chat_completion(builtin, body)

    assert answer["choices"][0]["finish_reason"] in ("stop", "tool_calls")


async def test_an_answer_from_twenty_long_chunks_takes_milliseconds(
    builtin: Gateway,
) -> None:
    chunk = "The office on floor 3 opens at nine. Nobody knows who was there. " * 50
    found = "\n\n".join(f"【4:{at}†long.txt】\n{at} {chunk}" for at in range(20))
    history = answered("When does the office open?", ("file_search", found))
    body = {"model": "builtin", "messages": history}
    await chat_completion(builtin, body)  # the first one compiles and caches

    took = []
    for _ in range(5):
        began = time.perf_counter()
        await chat_completion(builtin, body)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.05  # 8 ms on a quiet core; a busy machine has its reasons
