"""The built-in model: when it calls tools, and what it says of their results."""

import json
import time
from typing import Any

import pytest

from runtime.gateway import Gateway
from tests.gateway.answers import ask, calls, reason, text
from tests.gateway.conversations import ADD, CODE, SEARCH, SUB, Json, answered, user


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
        ("/python \t print(1)  \nmore\n  /python 2", "print(1)\n2"),
    ],
)
async def test_code_is_run(builtin: Gateway, message: str, code: str) -> None:
    deltas = await ask(
        builtin, "builtin", messages=[user(message)], tools=[SEARCH, CODE]
    )

    ((_, name, arguments),) = calls(deltas)
    assert (name, json.loads(arguments)) == ("code_interpreter", {"code": code})


@pytest.mark.parametrize(
    "message",
    [
        "/python x" + " " * 250_000 + "y",
        "/python " + " " * 250_000,
        "/call" + " " * 250_000 + "?",
        "```python" + " " * 250_000 + "x",
    ],
)
async def test_a_line_of_blanks_takes_milliseconds(
    builtin: Gateway, message: str
) -> None:
    began = time.perf_counter()

    await ask(builtin, "builtin", messages=[user(message)], tools=[ADD, CODE])

    assert time.perf_counter() - began < 1  # minutes, were it quadratic


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
