"""A scripted model → rows, steps and events, all seen through the front door."""

import asyncio
import json

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN, check_same_by_polling, check_shapes
from tests.engine.talk import ADD, answers, open_calls, text
from tests.support.stream import Sent, named, names, read_stream, text_of
from tests.support.turns import (
    calls,
    says,
    streams,
)


async def test_a_plain_run_tells_its_events_in_order(talk: Begin) -> None:
    on = await talk(says("Hello there, you.", usage=(7, 3)))

    events = await on.stream()

    assert names(events) == PLAIN
    check_shapes(events)
    assert list(text_of(events).values()) == ["Hello there, you."]
    run = await check_same_by_polling(on, events)
    assert run["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
    }
    (step,) = await on.steps(run["id"])
    assert step["usage"] == run["usage"]
    assert step["type"] == "message_creation"
    answer = (await on.messages())[-1]
    assert step["step_details"]["message_creation"]["message_id"] == answer["id"]
    assert (answer["run_id"], answer["assistant_id"]) == (run["id"], on.assistant_id)
    assert named(events, "thread.message.created")[0]["content"] == []
    assert named(events, "thread.run.in_progress")[0]["started_at"] is not None
    assert named(events, "thread.run.queued")[0]["usage"] is None


async def test_a_thread_made_with_its_run_comes_first(talk: Begin) -> None:
    on = await talk(says("Hi."))
    body = {
        "assistant_id": on.assistant_id,
        "thread": {"messages": [{"role": "user", "content": "Hello."}]},
        "stream": True,
    }

    events = await read_stream(on.api, "POST", "/threads/runs", json=body)

    assert names(events) == ["thread.created", *PLAIN]
    check_shapes(events)
    assert [event.id for event in events[:4]] == [1, 2, 3, 4]


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
            call = held.setdefault(piece["index"], [piece["id"], "", ""])
            call[1] += function.get("name") or ""
            call[2] += function.get("arguments") or ""
    return [(id, name, arguments) for _, (id, name, arguments) in sorted(held.items())]


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
    assert names(events)[-4:] == [
        "thread.message.completed",
        "thread.run.step.completed",
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


async def test_a_line_break_before_calls_is_no_message(talk: Begin) -> None:
    on = await talk(calls(("add", {"a": 1}), text="\n\n"), tools=[ADD])

    run = await on.run()

    assert run["status"] == "requires_action"
    assert [step["type"] for step in await on.steps(run["id"])] == ["tool_calls"]
    assert await on.texts() == ["Hello."]


async def test_an_answer_cut_by_length_leaves_an_incomplete_run(talk: Begin) -> None:
    on = await talk(says("Once upon a", finish_reason="length"))

    events = await on.stream(max_completion_tokens=256)

    check_shapes(events)
    assert names(events)[-4:] == [
        "thread.message.incomplete",
        "thread.run.step.completed",
        "thread.run.incomplete",
        "done",
    ]
    run = await check_same_by_polling(on, events)
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    message = (await on.messages())[-1]
    assert message["incomplete_details"] == {"reason": "max_tokens"}
    assert text(message) == "Once upon a"
    assert on.requests[0]["max_completion_tokens"] == 256


async def test_a_budget_spent_on_calls_ends_the_run_before_another_turn(
    talk: Begin,
) -> None:
    on = await talk(
        calls(("add", {"a": 1}), usage=(10, 256)), says("Too late."), tools=[ADD]
    )
    waiting = await on.run(max_completion_tokens=256)

    await on.submit(waiting, "1")
    run = await on.settled(waiting["id"])

    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert len(on.requests) == 1


async def test_a_prompt_over_its_budget_leaves_an_incomplete_run(talk: Begin) -> None:
    on = await talk(says("Never said."), say="word " * 2000)

    events = await on.stream(max_prompt_tokens=256)

    assert names(events)[-2:] == ["thread.run.incomplete", "done"]
    assert events[-2].data["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert on.requests == []
    assert await on.steps(events[-2].data["id"]) == []


async def test_a_filtered_answer_leaves_an_incomplete_message(talk: Begin) -> None:
    on = await talk(says("I would", finish_reason="content_filter"))

    run = await on.run()

    assert run["status"] == "incomplete"
    message = (await on.messages())[-1]
    assert message["incomplete_details"] == {"reason": "content_filter"}


async def test_an_empty_answer_is_an_empty_message(talk: Begin) -> None:
    on = await talk(
        streams({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    )

    events = await on.stream()

    check_shapes(events)
    assert names(events)[-2:] == ["thread.run.completed", "done"]
    assert (await on.messages())[-1]["content"] == []


async def test_unstorable_text_of_a_model_is_cleaned(talk: Begin) -> None:
    piece = {"index": 0, "delta": {"content": "a\0b\ud800c"}, "finish_reason": "stop"}
    on = await talk(streams({"choices": [piece]}))

    events = await on.stream()

    check_shapes(events)
    assert (await on.texts())[-1] == "a\ufffdb\ufffdc"


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


async def test_ten_runs_at_once_all_complete(talk: Begin) -> None:
    on = await talk(says("Yes, of course.", chunk_delay_seconds=0.05), repeat=True)
    body = {"assistant_id": on.assistant_id, "stream": True}

    streams_ = await asyncio.gather(
        *(read_stream(on.api, "POST", "/threads/runs", json=body) for _ in range(10))
    )

    for events in streams_:
        check_shapes(events)
        assert names(events) == ["thread.created", *PLAIN]
        assert list(text_of(events).values()) == ["Yes, of course."]
