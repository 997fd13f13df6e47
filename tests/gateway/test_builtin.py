"""The built-in model: what it does with each kind of message, and how it says so."""

import json
import time
from typing import Any

import pytest

from runtime.gateway import Gateway, TextDelta, chat_completion, chat_completion_stream
from tests.gateway.answers import ask, calls, reason, text, usage

Json = dict[str, Any]


def tool(name: str) -> Json:
    return {"type": "function", "function": {"name": name, "parameters": {}}}


CODE, SEARCH, ADD, SUB = map(tool, ("code_interpreter", "file_search", "add", "sub"))


def user(content: object) -> Json:
    return {"role": "user", "content": content}


def answered(message: str, *results: tuple[str, str]) -> list[Json]:
    """A conversation whose last turn called tools that have answered."""
    made = [
        {
            "id": f"c{at}",
            "type": "function",
            "function": {"name": name, "arguments": "{}"},
        }
        for at, (name, _) in enumerate(results)
    ]
    outputs = [
        {"role": "tool", "tool_call_id": f"c{at}", "content": content}
        for at, (_, content) in enumerate(results)
    ]
    called = {"role": "assistant", "content": None, "tool_calls": made}
    return [user(message), called, *outputs]


async def test_it_says_what_it_is_and_how_to_get_a_real_model(builtin: Gateway) -> None:
    deltas = await ask(builtin, "gpt-4o", messages=[user("Tell me a joke")])

    said = text(deltas)
    assert "built-in model" in said
    assert "OPENAI_BASE_URL" in said
    assert "'gpt-4o' was asked for" in said
    assert reason(deltas) == "stop"
    assert len([delta for delta in deltas if isinstance(delta, TextDelta)]) > 3
    assert usage(deltas).output_tokens == -(-len(said) // 4)


async def test_a_named_call_is_made_with_its_arguments(builtin: Gateway) -> None:
    message = user('Please:\n/call add {"a": 1, "b": {"c": "é"}}')

    deltas = await ask(builtin, "builtin", messages=[message], tools=[ADD])

    ((_, name, arguments),) = calls(deltas)
    assert (name, json.loads(arguments)) == ("add", {"a": 1, "b": {"c": "é"}})
    assert reason(deltas) == "tool_calls"
    assert text(deltas) == ""


async def test_several_calls_are_parallel_and_their_results_are_repeated(
    builtin: Gateway,
) -> None:
    message = '/call add {"a": 1}\n/call sub {}\n/call add'
    tools = [ADD, SUB]

    asked = await ask(builtin, "builtin", messages=[user(message)], tools=tools)
    assert [name for _, name, _ in calls(asked)] == ["add", "sub", "add"]

    history = answered(message, ("add", "42 apples"), ("sub", ""), ("add", "7"))
    said = text(await ask(builtin, "builtin", messages=history, tools=tools))
    assert said == "add returned: 42 apples\n\nsub returned: \n\nadd returned: 7"


async def test_calls_come_one_by_one_where_parallel_ones_are_declined(
    builtin: Gateway,
) -> None:
    message = '/call add {"a": 1}\n/call add {"a": 2}'
    settings: Json = {"tools": [ADD], "parallel_tool_calls": False}

    first = await ask(builtin, "builtin", messages=[user(message)], **settings)
    second = await ask(
        builtin, "builtin", messages=answered(message, ("add", "x")), **settings
    )
    history = answered(message, ("add", "x"), ("add", "y"))
    last = await ask(builtin, "builtin", messages=history, **settings)

    assert [json.loads(call[2]) for call in calls(first)] == [{"a": 1}]
    assert [json.loads(call[2]) for call in calls(second)] == [{"a": 2}]
    assert "returned: y" in text(last)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("/call nobody {}", "No function named nobody"),
        ("/call add {oops", "no JSON object: {oops"),
        ("/call add [1]", "no JSON object: [1]"),
    ],
)
async def test_a_call_that_cannot_be_made_is_explained(
    builtin: Gateway, message: str, complaint: str
) -> None:
    deltas = await ask(
        builtin, "builtin", messages=[user(message)], tools=[ADD, SEARCH]
    )

    assert complaint in text(deltas)
    assert not calls(deltas)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Run\n```python\nx = 1\nprint(x)\n```\nplease", "x = 1\nprint(x)"),
        ("```py\na\n```\nand\n```python\nb\n```", "a\nb"),
        ("/python print(6 * 7)", "print(6 * 7)"),
    ],
)
async def test_code_is_run(builtin: Gateway, message: str, code: str) -> None:
    deltas = await ask(
        builtin, "builtin", messages=[user(message)], tools=[SEARCH, CODE]
    )

    ((_, name, arguments),) = calls(deltas)
    assert (name, json.loads(arguments)) == ("code_interpreter", {"code": code})


async def test_what_code_printed_drew_and_wrote_is_told(builtin: Gateway) -> None:
    output = "42\n\nTraceback: x\nsandbox:/mnt/data/my file (1).csv\n[image 1]"

    said = text(
        await ask(
            builtin,
            "builtin",
            messages=answered("/python x", ("code_interpreter", output)),
            tools=[CODE],
        )
    )

    assert said == (
        "The code printed:\n\n42\n\nTraceback: x\n\nIt drew 1 picture.\n\n"
        "It wrote:\nsandbox:/mnt/data/my file (1).csv"
    )


async def test_code_that_prints_nothing_is_told_as_well(builtin: Gateway) -> None:
    history = answered("/python x", ("code_interpreter", ""))

    said = text(await ask(builtin, "builtin", messages=history, tools=[CODE]))

    assert said == "The code printed nothing."


async def test_a_question_is_searched_for_once_and_answered_with_its_marker(
    builtin: Gateway,
) -> None:
    question = "How many days of leave are there?"
    asked = await ask(builtin, "builtin", messages=[user(question)], tools=[SEARCH])
    ((_, name, arguments),) = calls(asked)
    assert (name, json.loads(arguments)) == ("file_search", {"query": question})

    found = "【4:0†rules.pdf】\nDogs may come. There are 30 days of leave a year."
    history = answered(question, ("file_search", found))
    said = text(await ask(builtin, "builtin", messages=history, tools=[SEARCH]))
    assert said == "There are 30 days of leave a year.【4:0†rules.pdf】"


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


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", []),
        ("auto", []),
        ("required", ["add"]),
        ({"type": "function", "function": {"name": "sub"}}, ["sub"]),
        (
            {"type": "function", "function": {"name": "code_interpreter"}},
            ["code_interpreter"],
        ),
    ],
)
async def test_tool_choice_is_honoured(
    builtin: Gateway, choice: Any, names: list[str]
) -> None:
    deltas = await ask(
        builtin,
        "builtin",
        messages=[user("Hello")],
        tools=[ADD, SUB, CODE],
        tool_choice=choice,
    )

    assert [name for _, name, _ in calls(deltas)] == names


async def test_a_forced_tool_is_called_once(builtin: Gateway) -> None:
    history = answered("Hello", ("sub", "done"))

    deltas = await ask(
        builtin, "builtin", messages=history, tools=[SUB], tool_choice="required"
    )

    assert text(deltas) == "sub returned: done"


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
async def test_json_is_answered_where_json_is_wanted(
    builtin: Gateway, kind: str
) -> None:
    history = answered("Hello", ("add", 'say "hi"\n'))

    deltas = await ask(
        builtin, "b", messages=history, tools=[ADD], response_format={"type": kind}
    )

    assert json.loads(text(deltas)) == {"answer": 'add returned: say "hi"\n'}


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
