"""What the model is asked: history, truncation, pictures, earlier calls."""

import base64
from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.talk import ADD, Talk
from tests.support.make import Make
from tests.support.turns import calls, says

PIXEL = b"\x89PNG\r\n\x1a\nnot quite a picture"


def asked(on: Talk, number: int = -1) -> list[tuple[str, Any]]:
    """Role and content of each message of a request."""
    return [(m["role"], m["content"]) for m in on.requests[number]["messages"]]


async def test_a_run_reads_the_thread_in_order(talk: Begin) -> None:
    on = await talk(says("Hi."), says("Good."), instructions="Be brief.")
    await on.run()
    await on.say("How are you?")

    await on.run()

    assert asked(on) == [
        ("system", "Be brief."),
        ("user", "Hello."),
        ("assistant", "Hi."),
        ("user", "How are you?"),
    ]


async def test_the_last_messages_only_where_that_is_asked(talk: Begin) -> None:
    on = await talk(says("Hi."), instructions="Be brief.")
    for word in ("two", "three", "four"):
        await on.say(word)

    await on.run(truncation_strategy={"type": "last_messages", "last_messages": 2})

    assert asked(on) == [("system", "Be brief."), ("user", "three"), ("user", "four")]


async def test_a_prompt_budget_drops_the_oldest_messages(talk: Begin) -> None:
    on = await talk(says("Hi."), say="old " * 300)
    await on.say("new " * 200)
    await on.say("newest")

    await on.run(max_prompt_tokens=256)

    assert [content.split()[0] for _, content in asked(on)] == ["new", "newest"]


async def test_a_deleted_message_is_not_read(talk: Begin) -> None:
    on = await talk(says("Hi."))
    secret = (await on.say("A secret.")).json()["id"]
    await on.api.delete(f"{on.path}/messages/{secret}")

    await on.run()

    assert asked(on) == [("user", "Hello.")]


async def test_pictures_travel_within_the_request(talk: Begin, make: Make) -> None:
    on = await talk(says("A dot."))
    file = await make.file(PIXEL, filename="dot.png", purpose="vision")
    image = {"type": "image_file", "image_file": {"file_id": file.id, "detail": "low"}}
    link = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    body = {"role": "user", "content": [{"type": "text", "text": "What?"}, image, link]}
    await on.api.post(f"{on.path}/messages", json=body)

    await on.run()

    data = base64.b64encode(PIXEL).decode()
    (_, content) = asked(on)[-1]
    assert content == [
        {"type": "text", "text": "What?"},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{data}", "detail": "low"},
        },
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]


async def test_a_deleted_picture_is_said_to_be_gone(talk: Begin, make: Make) -> None:
    on = await talk(says("Which?"))
    file = await make.file(PIXEL, filename="dot.png", purpose="vision")
    image = {"type": "image_file", "image_file": {"file_id": file.id}}
    await on.api.post(f"{on.path}/messages", json={"role": "user", "content": [image]})
    await on.api.delete(f"/files/{file.id}")

    run = await on.run()

    assert run["status"] == "completed"
    (_, content) = asked(on)[-1]
    assert content[0]["type"] == "text"
    assert "not there" in content[0]["text"]


async def test_calls_of_earlier_runs_are_shown_with_their_outputs(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("add", {"a": 1}), ids=["call_0"]),
        says("Two."),
        # The same id again, as local models do.
        calls(("add", {"a": 2}), ids=["call_0"]),
        says("Three."),
        tools=[ADD],
    )
    first = await on.run()
    await on.submit(first, "2")
    await on.settled(first["id"])
    await on.say("And now?")
    second = await on.run()
    await on.submit(second, "3" * 5000)
    await on.settled(second["id"])

    messages = on.requests[-1]["messages"]
    assert [m["role"] for m in messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "tool",
    ]
    ids = [call["id"] for m in messages for call in m.get("tool_calls") or ()]
    assert len(set(ids)) == 2
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == ids
    # Whole while its own run goes on.
    assert len(messages[-1]["content"]) == 5000


@pytest.mark.parametrize(
    ("choice", "first", "second"),
    [
        ("auto", "auto", "auto"),
        ("required", "required", "auto"),
        (
            {"type": "function", "function": {"name": "add"}},
            {"type": "function", "function": {"name": "add"}},
            "auto",
        ),
    ],
    ids=["auto", "required", "named"],
)
async def test_a_tool_is_forced_in_the_first_turn_only(
    talk: Begin, choice: Any, first: Any, second: Any
) -> None:
    on = await talk(calls(("add", {})), says("Ok."), tools=[ADD])
    run = await on.run(tool_choice=choice)
    await on.submit(run, "1")
    await on.settled(run["id"])

    assert [request["tool_choice"] for request in on.requests] == [first, second]


async def test_a_tool_that_is_listed_twice_is_told_once(talk: Begin) -> None:
    named = {"type": "function", "function": {"name": "function"}}
    code = {"type": "code_interpreter"}
    on = await talk(says("Hi."), tools=[named, code, named, code])

    run = await on.run()

    told = [tool["function"]["name"] for tool in on.requests[0]["tools"]]
    assert told == ["function", "code_interpreter"]
    assert run["tools"] == [named, code, named, code]


async def test_no_tool_stays_no_tool(talk: Begin) -> None:
    on = await talk(calls(("add", {})), says("Ok."), tools=[ADD])

    run = await on.run(tool_choice="none")

    # The model called all the same, which only the caller can answer.
    assert run["status"] == "requires_action"
    await on.submit(run, "1")
    await on.settled(run["id"])
    assert [request["tool_choice"] for request in on.requests] == ["none", "none"]


async def test_a_run_on_an_empty_thread_asks_with_its_instructions(
    talk: Begin,
) -> None:
    on = await talk(says("Hello!"), say=None, instructions="Greet.")

    run = await on.run()

    assert run["status"] == "completed"
    assert asked(on) == [("system", "Greet.")]
