"""What the model really receives of what a run asks for, whichever way it is created."""

from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.talk import ADD, Json, Talk, answers, call
from tests.support.make import Make
from tests.support.turns import calls, says

SEARCH: Json = {"type": "file_search"}
CODE: Json = {"type": "code_interpreter"}
ADD_IN_ORDER: Json = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds.",
        "parameters": {
            "type": "object",
            "properties": {"zeroth": {"type": "integer"}, "a": {"type": "integer"}},
            "required": ["zeroth", "a"],
        },
        "strict": False,
    },
}
FORMAT = {"type": "json_object"}


async def run_by_itself(on: Talk, **body: Any) -> Json:
    """A run on the talk's thread."""
    return await on.run(**body)


async def run_with_its_thread(on: Talk, **body: Any) -> Json:
    """A run that is created together with its thread."""
    thread = {"messages": [{"role": "user", "content": "Hello."}]}
    asked = {"assistant_id": on.assistant_id, "thread": thread, **body}
    run = await call(on.api, "POST", "/threads/runs", json=asked)
    there = Talk(on.api, on.upstream, on.model, on.assistant_id, run["thread_id"])
    return await there.settled(run["id"])


both_ways = pytest.mark.parametrize(
    "create", [run_by_itself, run_with_its_thread], ids=["run", "thread_and_run"]
)


@both_ways
async def test_a_run_overrides_all_that_its_assistant_says(
    talk: Begin, create: Any
) -> None:
    on = await talk(
        instructions="Old.",
        temperature=1.5,
        top_p=0.9,
        reasoning_effort="high",
        tools=[SEARCH],
    )
    other = on.upstream.script(says('{"a": 1}'))

    run = await create(
        on,
        model=other,
        instructions="New.",
        temperature=0,
        top_p=0,
        tools=[ADD_IN_ORDER, CODE],
        parallel_tool_calls=False,
        tool_choice="auto",
        response_format=FORMAT,
        max_completion_tokens=300,
    )

    assert on.requests == []
    (asked,) = on.upstream.requests(other)
    assert [m["content"] for m in asked["messages"]] == ["New.", "Hello."]
    assert (asked["temperature"], asked["top_p"]) == (0, 0)
    assert asked["max_completion_tokens"] == 300
    assert asked["response_format"] == FORMAT
    assert (asked["tool_choice"], asked["parallel_tool_calls"]) == ("auto", False)
    function, code = asked["tools"]
    assert function == ADD_IN_ORDER
    assert list(function["function"]["parameters"]["properties"]) == ["zeroth", "a"]
    assert code["function"]["name"] == "code_interpreter"
    # What was not overridden is the assistant's.
    assert asked["reasoning_effort"] == "high"
    assert (run["model"], run["instructions"]) == (other, "New.")
    assert (run["temperature"], run["top_p"]) == (0, 0)
    assert run["parallel_tool_calls"] is False
    assert [tool["type"] for tool in run["tools"]] == ["function", "code_interpreter"]


@both_ways
async def test_what_a_run_leaves_out_or_says_null_is_its_assistants(
    talk: Begin, create: Any
) -> None:
    on = await talk(
        says("{}"),
        repeat=True,
        instructions="Be brief.",
        temperature=0.3,
        top_p=0.4,
        reasoning_effort="low",
        tools=[ADD],
        response_format=FORMAT,
    )
    nothing = dict.fromkeys(
        ("model", "instructions", "temperature", "top_p", "tools", "response_format")
    )

    for body in ({}, nothing):
        run = await create(on, **body)

        asked = on.requests[-1]
        assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (asked["temperature"], asked["top_p"]) == (0.3, 0.4)
        assert (asked["reasoning_effort"], asked["response_format"]) == ("low", FORMAT)
        assert [tool["function"]["name"] for tool in asked["tools"]] == ["add"]
        assert (run["model"], run["response_format"]) == (on.model, FORMAT)


async def test_a_run_reasons_as_hard_as_it_is_told_and_adds_to_its_instructions(
    talk: Begin,
) -> None:
    on = await talk(
        says("Hi."), repeat=True, instructions="Be brief.", reasoning_effort="high"
    )

    run = await on.run(reasoning_effort="low", additional_instructions="Be kind.")
    await on.run(instructions="", additional_instructions="Be kind.")

    first, second = on.requests
    assert first["reasoning_effort"] == "low"
    assert first["messages"][0]["content"] == "Be brief.\n\nBe kind."
    assert run["instructions"] == "Be brief.\n\nBe kind."
    assert second["messages"][0]["content"] == "Be kind."


async def test_a_model_without_tools_is_asked_nothing_about_tools(talk: Begin) -> None:
    on = await talk(says("Hi."), tools=[ADD])

    await on.run(tools=[], tool_choice="required", parallel_tool_calls=False)

    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(on.requests[0])


@both_ways
@pytest.mark.parametrize(
    ("choice", "first"),
    [
        ("auto", "auto"),
        ("required", "required"),
        (
            {"type": "function", "function": {"name": "add"}},
            {"type": "function", "function": {"name": "add"}},
        ),
        (SEARCH, {"type": "function", "function": {"name": "file_search"}}),
        (CODE, {"type": "function", "function": {"name": "code_interpreter"}}),
    ],
    ids=["auto", "required", "function", "file_search", "code_interpreter"],
)
async def test_a_tool_is_forced_in_the_first_turn_only(
    talk: Begin, create: Any, choice: Any, first: Any
) -> None:
    on = await talk(
        # A search that says nothing is answered at once, whatever there is to search.
        calls(("file_search", {})),
        calls(("file_search", {})),
        says("Ok."),
        tools=[SEARCH, CODE, ADD],
    )

    run = await create(on, tool_choice=choice)

    assert run["status"] == "completed"
    assert run["tool_choice"] == choice
    assert [asked["tool_choice"] for asked in on.requests] == [first, "auto", "auto"]


@both_ways
async def test_no_tool_is_no_tool_in_every_turn(talk: Begin, create: Any) -> None:
    on = await talk(calls(("file_search", {})), says("Ok."), tools=[SEARCH])

    await create(on, tool_choice="none")

    assert [asked["tool_choice"] for asked in on.requests] == ["none", "none"]


async def found(on: Talk, run: Json) -> list[Json]:
    """What the search of a run's first step has found."""
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps"
    page = await call(on.api, "GET", path, params={"order": "asc"})
    (made,) = page["data"][0]["step_details"]["tool_calls"]
    search: Json = made["file_search"]
    results: list[Json] = search["results"]
    return results


async def moons(make: Make) -> str:
    """A store with a file for each of some moons."""
    store = await make.store()
    for moon in ("Io", "Europa", "Ganymede", "Callisto"):
        text = f"{moon} is a moon of Jupiter."
        file = await make.file(text, filename=f"{moon}.txt")
        await make.store_file(store, text, file=file)
    return store.id


async def test_a_run_may_search_what_its_assistant_cannot(
    talk: Begin, make: Make
) -> None:
    store = await moons(make)
    on = await talk(calls(("file_search", {"query": "moon"})), says("Four."))

    run = await run_with_its_thread(
        on,
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )

    assert run["status"] == "completed"
    assert len(await found(on, run)) == 4
    assert "Ganymede is a moon" in on.requests[1]["messages"][-1]["content"]
    # For this run alone.
    assistant = await call(on.api, "GET", f"/assistants/{on.assistant_id}")
    thread = await call(on.api, "GET", f"/threads/{run['thread_id']}")
    assert assistant["tools"] == []
    assert not assistant["tool_resources"].get("file_search")
    assert not (thread["tool_resources"] or {}).get("file_search")


@both_ways
async def test_a_search_keeps_to_the_options_of_its_run(
    talk: Begin, make: Make, create: Any
) -> None:
    store = await moons(make)
    on = await talk(
        calls(("file_search", {"query": "Europa"})),
        says("Europa."),
        tools=[SEARCH],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )
    options = {
        "max_num_results": 2,
        "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
    }

    run = await create(on, tools=[{**SEARCH, "file_search": options}])

    best, _ = await found(on, run)
    assert best["file_name"] == "Europa.txt"
    assert on.requests[1]["messages"][-1]["content"].count("【") == 2
    assert run["tools"] == [{**SEARCH, "file_search": options}]


async def test_a_threshold_of_a_search_leaves_out_what_is_unlike(
    talk: Begin, make: Make
) -> None:
    store = await moons(make)
    strict = {"ranking_options": {"score_threshold": 1.0}}
    on = await talk(
        calls(("file_search", {"query": "bicycle repair"})),
        says("Nothing."),
        tools=[{**SEARCH, "file_search": strict}],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )

    run = await on.run()

    assert await found(on, run) == []
    assert "No passage" in on.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("detail", ["auto", "low", "high"])
async def test_a_picture_is_shown_in_the_detail_that_was_asked_for(
    talk: Begin, make: Make, detail: str
) -> None:
    on = await talk(says("A dot."))
    file = await make.file(b"\x89PNG\r\n\x1a\n", filename="dot.png", purpose="vision")
    link = "https://example.org/a.png"
    content = [
        {"type": "image_file", "image_file": {"file_id": file.id, "detail": detail}},
        {"type": "image_url", "image_url": {"url": link, "detail": detail}},
        {"type": "text", "text": "What is it?"},
    ]
    message = {"role": "user", "content": content}

    run = await call(
        on.api,
        "POST",
        "/threads/runs",
        json={"assistant_id": on.assistant_id, "thread": {"messages": [message]}},
    )

    there = Talk(on.api, on.upstream, on.model, on.assistant_id, run["thread_id"])
    assert (await there.settled(run["id"]))["status"] == "completed"
    shown = on.requests[0]["messages"][-1]["content"]
    assert [part["type"] for part in shown] == ["image_url", "image_url", "text"]
    pictures = [part["image_url"] for part in shown if part["type"] == "image_url"]
    assert [picture["detail"] for picture in pictures] == [detail, detail]
    assert pictures[0]["url"].startswith("data:image/png;base64,")
    assert pictures[1]["url"] == link


async def test_one_call_at_a_time_is_asked_for_in_every_turn(talk: Begin) -> None:
    on = await talk(calls(("add", {})), says("Ok."), tools=[ADD])
    run = await on.run(parallel_tool_calls=False)

    path = f"{on.path}/runs/{run['id']}/submit_tool_outputs"
    await on.api.post(path, json={"tool_outputs": answers(run, "1")})
    await on.settled(run["id"])

    assert [asked["parallel_tool_calls"] for asked in on.requests] == [False, False]
