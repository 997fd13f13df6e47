"""A scripted model → rows, steps and events, all seen through the front door."""

import asyncio

from tests.engine.conftest import Begin
from tests.engine.shapes import PLAIN, check_same_by_polling, check_shapes
from tests.engine.talk import ADD, text
from tests.support.stream import named, names, read_stream, text_of
from tests.support.turns import calls, says, streams


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
