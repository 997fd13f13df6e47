"""The runtime's own tools within a run, and what followers hear of them."""

from typing import Any

import pytest

from tests.engine.conftest import Begin
from tests.engine.talk import ADD, Talk, call, open_calls
from tests.support.make import Make
from tests.support.stream import named, names
from tests.support.turns import Answers, calls, says

SEARCH = {"type": "file_search"}
CODE = {"type": "code_interpreter"}
CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


async def search_talk(talk: Begin, make: Make, *turns: Any, **more: Any) -> Talk:
    """A talk whose assistant searches a store with one file."""
    store = await make.store()
    file = await make.file("The moon is made of basalt.", filename="moon.txt")
    await make.store_file(store, "The moon is made of basalt.", file=file)
    resources = {"file_search": {"vector_store_ids": [store.id]}}
    return await talk(*turns, tools=[SEARCH, ADD], tool_resources=resources, **more)


def cites(body: dict[str, Any]) -> Answers:
    """Repeats the first marker of what it was given, and one that nobody gave."""
    found = body["messages"][-1]["content"]
    marker = found[: found.index("】") + 1]
    return says(f"👋 It is basalt{marker}, they say【7:7†no.txt】.", pieces=30)


async def test_a_search_is_answered_and_its_markers_become_citations(
    talk: Begin, make: Make
) -> None:
    on = await search_talk(talk, make, calls(("file_search", {"query": "moon"})), cites)

    events = await on.stream()

    assert names(events)[-2:] == ["thread.run.completed", "done"]
    (message,) = named(events, "thread.message.completed")
    text = message["content"][0]["text"]
    (annotation,) = text["annotations"]
    place = slice(annotation["start_index"], annotation["end_index"])
    assert text["value"][place] == annotation["text"]
    assert text["value"].startswith("👋 It is basalt【")
    assert "no.txt" not in text["value"]
    assert annotation["file_citation"]["quote"] == "The moon is made of basalt."
    run_id = events[0].data["id"]
    search, _ = await on.steps(run_id)
    (shown,) = search["step_details"]["tool_calls"]
    assert shown["file_search"]["results"][0]["file_name"] == "moon.txt"
    assert "content" not in shown["file_search"]["results"][0]
    full = await call(
        on.api,
        "GET",
        f"{on.path}/runs/{run_id}/steps/{search['id']}",
        params={"include[]": CONTENT},
    )
    (result,) = full["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert result["content"] == [
        {"type": "text", "text": "The moon is made of basalt."}
    ]


async def test_our_tools_are_answered_before_the_caller_is_asked(
    talk: Begin, make: Make
) -> None:
    on = await search_talk(
        talk,
        make,
        calls(("add", {"a": 1}), ("file_search", {"query": "moon"}), ("add", {})),
        says("Done."),
    )

    run = await on.run()

    assert run["status"] == "requires_action"
    assert [c["function"]["name"] for c in open_calls(run)] == ["add", "add"]
    (step,) = await on.steps(run["id"])
    assert step["status"] == "in_progress"
    await on.submit(run, "1", "2")
    ended = await on.settled(run["id"])
    assert ended["status"] == "completed"
    told = [m["content"] for m in on.requests[1]["messages"] if m["role"] == "tool"]
    assert told[0] == "1"
    assert "basalt" in told[1]
    assert told[2] == "2"


@pytest.mark.parametrize("arguments", [{}, {"query": 5}, {"query": ""}])
async def test_a_search_for_nothing_is_told_to_the_model(
    talk: Begin, make: Make, arguments: dict[str, Any]
) -> None:
    on = await search_talk(
        talk, make, calls(("file_search", arguments)), says("I see.")
    )

    run = await on.run()

    assert run["status"] == "completed"
    assert "query" in on.requests[1]["messages"][-1]["content"]


async def test_a_search_without_files_finds_nothing(talk: Begin) -> None:
    on = await talk(
        calls(("file_search", {"query": "moon"})), says("Nothing."), tools=[SEARCH]
    )

    run = await on.run()

    assert run["status"] == "completed"
    assert "No passage" in on.requests[1]["messages"][-1]["content"]


async def test_a_store_deleted_meanwhile_does_not_fail_the_run(
    talk: Begin, make: Make
) -> None:
    on = await search_talk(
        talk,
        make,
        calls(("add", {})),
        calls(("file_search", {"query": "moon"})),
        says("Nothing."),
    )
    run = await on.run()
    assistant = await call(on.api, "GET", f"/assistants/{on.assistant_id}")
    (store_id,) = assistant["tool_resources"]["file_search"]["vector_store_ids"]
    assert (await on.api.delete(f"/vector_stores/{store_id}")).status_code == 200

    await on.submit(run, "1")

    assert (await on.settled(run["id"]))["status"] == "completed"


async def test_code_without_a_sandbox_is_answered_with_why(talk: Begin) -> None:
    # No manager was started for these tests, unless those of the sandbox ran before.
    on = await talk(
        calls(("code_interpreter", {"cod": "1"})), says("No code."), tools=[CODE]
    )

    events = await on.stream()

    assert names(events)[-2:] == ["thread.run.completed", "done"]
    step, _ = await on.steps(events[0].data["id"])
    (shown,) = step["step_details"]["tool_calls"]
    assert "code" in shown["code_interpreter"]["outputs"][0]["logs"]


@pytest.mark.docker
@pytest.mark.usefixtures("sandbox")
async def test_code_is_run_once_and_its_file_is_offered(talk: Begin) -> None:
    code = "open('/mnt/data/sum.txt', 'w').write('3'); print(1 + 2)"
    on = await talk(
        calls(("code_interpreter", {"code": code})),
        says("Here: [sum](sandbox:/mnt/data/sum.txt)."),
        tools=[CODE],
    )

    events = await on.stream()

    step, _ = await on.steps(events[0].data["id"])
    (shown,) = step["step_details"]["tool_calls"]
    assert shown["code_interpreter"]["input"] == code
    (output,) = shown["code_interpreter"]["outputs"]
    assert output["logs"].strip() == "3"
    (message,) = named(events, "thread.message.completed")
    (annotation,) = message["content"][0]["text"]["annotations"]
    assert annotation["text"] == "sandbox:/mnt/data/sum.txt"
    file_id = annotation["file_path"]["file_id"]
    content = await on.api.get(f"/files/{file_id}/content")
    assert content.text == "3"
    deltas = [
        each
        for d in named(events, "thread.run.step.delta")
        for each in d["delta"]["step_details"]["tool_calls"]
    ]
    told = "".join(each["code_interpreter"].get("input", "") for each in deltas)
    assert told == code
    assert [each["id"] for each in deltas if "id" in each] == [shown["id"]]
    (logs,) = deltas[-1]["code_interpreter"]["outputs"]
    assert (logs["index"], logs["type"]) == (0, "logs")
