"""A model that calls functions: pauses, outputs, and calls that are odd."""

import json
from dataclasses import replace

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN, check_same_by_polling, check_shapes
from tests.engine.talk import ADD, answers, open_calls
from tests.support.stream import Sent, named, names, read_stream
from tests.support.turns import calls, says, streams


async def test_parallel_calls_pause_the_run_and_their_outputs_continue_it(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("add", {"a": 1}), ("add", {"a": 2}), usage=(10, 4)),
        says("Three.", usage=(20, 2)),
        tools=[ADD],
    )

    first = await on.stream(tool_choice="required")

    assert names(first) == [
        *PLAIN[:5],
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ]
    check_shapes(first)
    assert named(first, "thread.run.step.created")[0]["step_details"] == {
        "type": "tool_calls",
        "tool_calls": [],
    }
    waiting = await on.get(first[0].data["id"])
    assert waiting == first[-2].data
    assert waiting["usage"] is None
    made = open_calls(waiting)
    assert [json.loads(each["function"]["arguments"]) for each in made] == [
        {"a": 1},
        {"a": 2},
    ]
    assert _accumulated(first) == [
        (each["id"], each["function"]["name"], each["function"]["arguments"])
        for each in made
    ]
    (open_step,) = await on.steps(waiting["id"])
    assert (open_step["status"], open_step["usage"]) == ("in_progress", None)

    second = await read_stream(
        on.api,
        "POST",
        f"{on.path}/runs/{waiting['id']}/submit_tool_outputs",
        json={"tool_outputs": answers(waiting, "1", "2"), "stream": True},
    )

    assert names(second) == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        *PLAIN[3:],
    ]
    check_shapes(second)
    assert (second[0].id or 0) > (first[-2].id or 0)
    shown = second[0].data["step_details"]["tool_calls"]
    assert [each["function"]["output"] for each in shown] == ["1", "2"]
    run = await check_same_by_polling(on, second)
    assert run["usage"]["total_tokens"] == 36
    assert [step["usage"]["total_tokens"] for step in await on.steps(run["id"])] == [
        14,
        22,
    ]
    asked = on.requests
    assert asked[0]["tool_choice"] == "required"
    # Forced once: released, or the run would loop.
    assert asked[1]["tool_choice"] == "auto"
    *_, assistant, one, two = asked[1]["messages"]
    assert [each["id"] for each in assistant["tool_calls"]] == [e["id"] for e in made]
    assert [(one["role"], one["content"]), (two["role"], two["content"])] == [
        ("tool", "1"),
        ("tool", "2"),
    ]


def _accumulated(events: list[Sent]) -> list[tuple[str, str, str]]:
    """What a follower holds of function calls after all deltas."""
    held: dict[int, list[str]] = {}
    for data in named(events, "thread.run.step.delta"):
        for piece in data["delta"]["step_details"]["tool_calls"]:
            function = piece["function"]
            call = held.setdefault(piece["index"], ["", "", ""])
            call[0] += piece.get("id") or ""
            call[1] += function.get("name") or ""
            call[2] += function.get("arguments") or ""
    return [(id, name, arguments) for _, (id, name, arguments) in sorted(held.items())]


async def test_a_long_call_behind_words_is_told_in_few_pieces(talk: Begin) -> None:
    wanted = {"a": "x" * 5_000}
    on = await talk(
        calls(("add", wanted), text="Let me see.", pieces=2_000), tools=[ADD]
    )

    events = await on.stream()

    assert len(named(events, "thread.run.step.delta")) == 2
    ((_, name, arguments),) = _accumulated(events)
    assert (name, json.loads(arguments)) == ("add", wanted)


async def test_text_and_calls_of_one_turn_are_a_message_and_a_step(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("add", {"a": 1}), text="Let me see.", usage=(10, 4)),
        says("Done."),
        tools=[ADD],
    )

    events = await on.stream()

    check_shapes(events)
    assert names(events)[-7:] == [
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.run.requires_action",
        "done",
    ]
    waiting = events[-2].data
    message, toolstep = await on.steps(waiting["id"])
    assert (message["type"], message["status"]) == ("message_creation", "completed")
    assert (toolstep["type"], toolstep["status"]) == ("tool_calls", "in_progress")
    # The turn's tokens are counted once, on the step that holds its calls.
    assert message["usage"]["total_tokens"] == 0

    assert (await on.submit(waiting, "1")).status_code == 200
    run = await on.settled(waiting["id"])

    assert run["status"] == "completed"
    assert await on.texts() == ["Hello.", "Let me see.", "Done."]
    spoken = [m for m in on.requests[1]["messages"] if m["role"] == "assistant"]
    assert len(spoken) == 1
    assert spoken[0]["content"] == "Let me see."
    assert len(spoken[0]["tool_calls"]) == 1


async def test_text_behind_calls_is_a_message_whose_step_is_not_told(
    talk: Begin,
) -> None:
    called = calls(("add", {"a": 1}))
    spoken = replace(called, deltas=(*called.deltas, {"content": "I have asked."}))
    on = await talk(spoken, says("Done."), tools=[ADD])

    events = await on.stream()

    check_shapes(events)
    assert names(events)[3:-2] == [
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.step.delta",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
    ]
    waiting = events[-2].data
    steps = await on.steps(waiting["id"])
    assert [(step["type"], step["status"]) for step in steps] == [
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]
    assert (await on.submit(waiting, "1")).status_code == 200
    assert (await on.settled(waiting["id"]))["status"] == "completed"


async def test_a_line_break_before_calls_is_no_message(talk: Begin) -> None:
    on = await talk(calls(("add", {"a": 1}), text="\n\n"), tools=[ADD])

    run = await on.run()

    assert run["status"] == "requires_action"
    assert [step["type"] for step in await on.steps(run["id"])] == ["tool_calls"]
    assert await on.texts() == ["Hello."]


async def test_unstorable_arguments_of_a_model_are_cleaned(talk: Begin) -> None:
    function = {"name": "add", "arguments": '{"a": "x\0\udfff"}'}
    delta = {"tool_calls": [{"index": 0, "id": "\0", "function": function}]}
    choice = {"index": 0, "delta": delta, "finish_reason": "tool_calls"}
    on = await talk(streams({"choices": [choice]}), says("Ok."), tools=[ADD])
    waiting = await on.run()

    assert waiting["status"] == "requires_action"
    assert open_calls(waiting)[0]["function"]["arguments"] == '{"a": "x\ufffd\ufffd"}'
    await on.submit(waiting, "1")

    assert (await on.settled(waiting["id"]))["status"] == "completed"


async def test_a_tool_that_is_not_offered_is_refused_and_the_model_goes_on(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("code_interpreter", {"code": "1"}), ("subtract", {})),
        says("I have no such tools."),
        tools=[ADD],
    )

    run = await on.run()

    assert run["status"] == "completed"
    told = [m["content"] for m in on.requests[1]["messages"] if m["role"] == "tool"]
    assert len(told) == 2
    assert "code_interpreter" in told[0]
    assert "subtract" in told[1]


async def test_a_function_may_be_called_as_our_tools_are(talk: Begin) -> None:
    named_so = {"type": "function", "function": {"name": "file_search"}}
    on = await talk(
        calls(("file_search", {"query": "x"})), says("Ok."), tools=[named_so]
    )

    run = await on.run()

    assert run["status"] == "requires_action"
    assert open_calls(run)[0]["function"]["name"] == "file_search"
